"""Which rules make a path, asked while the rules are still being put together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from flowrules.load.draft import Draft
from flowrules.load.files import LoadReader
from flowrules.load.outputs import FilesTable
from flowrules.model.pattern import Pattern
from flowrules.model.rule import Rule
from flowrules.model.values import Unknown
from flowrules.plan.index import RuleIndex
from flowrules.ports import FileView


class Makers:
    """Answers who makes a path; the index is built when first asked for, which most loads never do."""

    def __init__(self, drafts: Sequence[Draft], table: FilesTable) -> None:
        self._drafts = drafts
        self._table = table

    @cached_property
    def _index(self) -> RuleIndex:
        rules = []
        for draft in self._drafts:
            files = self._table.of(draft)
            if not files.broken:
                rules.append(
                    Rule(
                        draft.name,
                        draft.index,
                        draft.node.name_span,
                        checkpoint=draft.node.kind == "checkpoint",
                        wildcards=files.wildcards,
                        constraints=files.constraints.regexes,
                        choices=files.constraints.choices,
                        outputs=files.outputs,
                        logs=files.logs,
                        benchmarks=files.benchmarks,
                    )
                )
        return RuleIndex(rules)

    def of(self, path: str) -> list[Rule]:
        """The rules that can make a path, in the order of the workflow."""
        return [rule for rule, _ in self._index.candidates(path)]

    @property
    def any_checkpoint(self) -> bool:
        """Whether there is a checkpoint at all."""
        return bool(self._index.checkpoint_outputs)


class RuleAwareReader(LoadReader):
    """As `LoadReader`, but what some rule makes is unknown."""

    def __init__(self, disk: FileView, makers: Makers) -> None:
        super().__init__(disk)
        self._makers = makers

    def _waits(self, path: str) -> Unknown | None:
        return Unknown(frozenset({path})) if self._makers.of(path) else None

    def read(self, path: str) -> bytes | Unknown:
        """Content of a file; see `flowrules.ports.Reader`."""
        return self._waits(path) or super().read(path)

    def exists(self, path: str) -> bool | Unknown:
        """Whether a file is there; see `flowrules.ports.Reader`."""
        return self._waits(path) or super().exists(path)

    def size(self, path: str) -> int | Unknown:
        """Bytes of a file, or of all files below a folder; see `flowrules.ports.Reader`."""
        return self._waits(path) or super().size(path)

    def glob(self, pattern: Pattern | str) -> Sequence[tuple[str, tuple[str, ...]]] | Unknown:
        """Existing files that match; where there are checkpoints, they may make more of them."""
        if self._makers.any_checkpoint:
            return Unknown(frozenset({str(pattern)}))
        return super().glob(pattern)
