"""What there is instead of a file that is missing: one with nearly its name, one elsewhere, one that a rule makes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from posixpath import basename, dirname, join, splitext
from typing import Final

from flowrules.errors import did_you_mean
from flowrules.model.pattern import Matcher, Pattern
from flowrules.model.rule import Rule
from flowrules.ports import FileView

MOST_FILES: Final = 5_000
"""How many files are looked through for a name that resembles a missing one."""

MOST_OUTPUTS: Final = 2_000
"""How many outputs of rules are compared with it."""


class Nearby:
    """Finds what somebody may have meant; the disk is listed once."""

    def __init__(self, files: FileView, rules: Sequence[Rule]) -> None:
        self._files = files
        self._rules = rules
        self._listed: dict[str, list[str]] = {}

    def hint(self, path: str) -> str | None:
        """A hint for a path that is missing, or None."""
        near = self._beside(path)
        if near:
            return f"there is `{near}`: did you mean that?"
        made = self._made(path)
        if made:
            return f"rule `{made[0].name}` makes `{made[1]}`: did you mean that?"
        elsewhere = self._elsewhere(path)
        if elsewhere:
            return f"there is `{elsewhere}`: did you mean that?"
        folder = dirname(path)
        return f"there is no folder `{folder}`" if folder and self._files.stat(folder) is None else None

    def target(self, path: str) -> str | None:
        """What a rule makes that resembles a target nobody knows."""
        made = self._made(path)
        return made[1] if made else None

    def _beside(self, path: str) -> str | None:
        """A file in the same folder."""
        folder, name = dirname(path), basename(path)
        names = [basename(p) for p in self._below(folder or ".") if dirname(p) == folder]
        near = did_you_mean(name, names)
        return join(folder, near) if near else None

    def _elsewhere(self, path: str) -> str | None:
        """A file of the same name in another folder, the one whose path is nearest; in a misspelt folder a like one."""
        files = self._below(".")
        same = [p for p in files if basename(p) == basename(path)]
        return did_you_mean(path, same) or (same[0] if same else None)

    def _below(self, folder: str) -> list[str]:
        if folder not in self._listed:
            self._listed[folder] = list(islice(self._files.files_below(folder), MOST_FILES))
        return self._listed[folder]

    def _made(self, path: str) -> tuple[Rule, str] | None:
        """An output of a rule that resembles the path; wildcards take from it what fits."""
        makers: dict[str, Rule] = {}
        for rule, output in islice(self._outputs(), MOST_OUTPUTS):
            candidates = [output] if isinstance(output, str) else _filled(output, path)
            for candidate in candidates:
                if isinstance(output, str) or self._matches(rule, output, candidate):
                    makers.setdefault(candidate, rule)
        near = did_you_mean(path, makers)
        return (makers[near], near) if near and near != path else None

    def _outputs(self) -> Iterator[tuple[Rule, Pattern | str]]:
        for rule in self._rules:
            for output in rule.outputs:
                yield rule, output.path

    def _matches(self, rule: Rule, pattern: Pattern, path: str) -> bool:
        try:
            return Matcher(pattern, rule.wildcards, rule.constraints, rule.choices).match(path) is not None
        except TimeoutError:
            return False


def _filled(pattern: Pattern, path: str) -> list[str]:
    """A pattern with one wildcard, filled with what stands in the path where the wildcard would."""
    if len(pattern.parts) > 3 or len(pattern.names) != 1:
        return []
    values = []
    if pattern.prefix and path.startswith(pattern.prefix):
        value = path[len(pattern.prefix) :]
        values += [splitext(value)[0], value.partition(".")[0]]
    if pattern.suffix and path.endswith(pattern.suffix):
        values.append(basename(path[: len(path) - len(pattern.suffix)]))
    return [pattern.fill({pattern.names[0]: value}) for value in dict.fromkeys(values) if value]
