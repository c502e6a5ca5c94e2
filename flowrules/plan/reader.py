"""What expressions may read while a plan is made: files nobody makes, and what up-to-date checkpoints made.

Whether a checkpoint is up to date is known only when the plan is; so a first round answers *unknown*, notes the
question, and the next round answers what the plan of the round before found.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from flowrules.errors import Diagnostic, FlowfileError, Related
from flowrules.expr.paths import glob_files, size_of
from flowrules.model.job import Job
from flowrules.model.pattern import Matcher, Pattern
from flowrules.model.rule import Output, Rule
from flowrules.model.values import Unknown
from flowrules.plan.index import RuleIndex, may_overlap
from flowrules.ports import FileView
from flowrules.span import Span

READ_LIMIT = 256 << 20
"""Bytes of the largest file an expression may read."""


class Answer(Enum):
    """What is known of a path that an expression asked for."""

    READ = "it is as it will be"
    WAIT = "a checkpoint has yet to make it"


class PlanReader:
    """Implements `flowrules.ports.Reader` on top of the disk and what earlier rounds found.

    Attributes:
        asked: every path of a rule that was asked for in this round.
        answers: what earlier rounds found.
    """

    def __init__(self, files: FileView, index: RuleIndex, answers: dict[str, Answer | FlowfileError]) -> None:
        self._files = files
        self._index = index
        self.answers = answers
        self.asked: dict[str, None] = {}

    def _unknown(self, path: str) -> Unknown | None:
        """Unknown where a checkpoint has yet to make a path, None where it may be read.

        Raises:
            FlowfileError: an ordinary rule makes it.
        """
        if not self._index.candidates(path):
            return None
        self.asked[path] = None
        answer = self.answers.get(path)
        if isinstance(answer, FlowfileError):
            raise answer
        return None if answer is Answer.READ else Unknown(frozenset({path}))

    def read(self, path: str) -> bytes | Unknown:
        """Content of a file; see `flowrules.ports.Reader`."""
        return self._unknown(path) or self._files.read(path, READ_LIMIT)

    def exists(self, path: str) -> bool | Unknown:
        """Whether a file is there; see `flowrules.ports.Reader`."""
        return self._unknown(path) or self._files.stat(path) is not None

    def size(self, path: str) -> int | Unknown:
        """Bytes of a file; see `flowrules.ports.Reader`."""
        unknown = self._unknown(path)
        if unknown is not None:
            return unknown
        return size_of(self._files, path)

    def glob(self, pattern: Pattern | str) -> Sequence[tuple[str, tuple[str, ...]]] | Unknown:
        """Existing files that match; waits for checkpoints that make files among them."""
        waits: frozenset[str] = frozenset()
        for path in self._checkpoint_paths(pattern):
            unknown = self._unknown(path)
            if unknown is not None:
                waits |= unknown.paths
        return Unknown(waits) if waits else glob_files(self._files, pattern)

    def _checkpoint_paths(self, pattern: Pattern | str) -> list[str]:
        prefix = pattern if isinstance(pattern, str) else pattern.prefix
        folder = prefix.rpartition("/")[0]
        paths = []
        for rule, output in self._index.checkpoint_outputs:
            if output.flags.directory:
                paths += self._folder_above(output.path, folder, rule.wildcards, rule.constraints)
                continue
            if isinstance(output.path, str):
                if pattern == output.path or (
                    isinstance(pattern, Pattern) and Matcher(pattern, pattern.names).match(output.path) is not None
                ):
                    paths.append(output.path)
            elif isinstance(pattern, Pattern) and may_overlap(pattern, output.path):
                raise FlowfileError([_takes_in_unknown(pattern, rule, output)])
        return paths

    def _folder_above(
        self, output: Pattern | str, folder: str, names: tuple[str, ...], constraints: object
    ) -> list[str]:
        """The folder of a checkpoint in which a pattern's leading folder lies, if it does."""
        at = len(folder)
        while at > 0:
            above = folder[:at]
            if isinstance(output, str):
                if above == output:
                    return [above]
            elif Matcher(output, names, constraints).match(above) is not None:  # type: ignore[arg-type]
                return [above]
            at = folder.rfind("/", 0, at)
        return []


class DiskReader:
    """Implements `flowrules.ports.Reader` with the disk alone: for jobs about to start, whose inputs are there."""

    def __init__(self, files: FileView) -> None:
        self._files = files

    def read(self, path: str) -> bytes:
        """Content of a file."""
        return self._files.read(path, READ_LIMIT)

    def exists(self, path: str) -> bool:
        """Whether a file is there."""
        return self._files.stat(path) is not None

    def size(self, path: str) -> int:
        """Bytes of a file, or of all files below a folder."""
        return size_of(self._files, path)

    def glob(self, pattern: Pattern | str) -> Sequence[tuple[str, tuple[str, ...]]]:
        """Existing files that match."""
        return glob_files(self._files, pattern)


def not_a_checkpoint(path: str, job: Job, span: Span | None) -> FlowfileError:
    """The error for a file that is read before an ordinary rule has made it."""
    return FlowfileError(
        [
            Diagnostic(
                "F506",
                f"`{path}` is read while planning, but rule `{job.rule.name}` has yet to make it",
                span,
                f"write `checkpoint {job.rule.name}:` instead of `rule {job.rule.name}:`; then the plan waits for it",
                (Related(f"rule `{job.rule.name}` makes it", job.rule.span),),
            )
        ]
    )


def _takes_in_unknown(pattern: Pattern, rule: Rule, output: Output) -> Diagnostic:
    """The mistake of a glob over files of a checkpoint with wildcards; told where it is called."""
    return Diagnostic(
        "F506",
        f"`{pattern}` takes in files of checkpoint `{rule.name}`, and it is not known which of its jobs there will be",
        None,
        f"fill in {_holes(pattern)}, so that it waits for one job; or have one checkpoint make a `directory()` of them",
        (Related(f"checkpoint `{rule.name}` makes one file a job", output.span),),
    )


def _holes(pattern: Pattern) -> str:
    return ", ".join("{" + name + "}" for name in pattern.names)
