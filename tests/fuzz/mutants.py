"""Valid Flowfiles with one token lost, doubled, or changed places with the next, or one line indented otherwise.

`python mutants.py COUNT SEED` in this folder measures how far the first diagnostic is from the mutated place, and lists
the kinds of mutation for which it is farthest.
"""

from __future__ import annotations

import random
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType

from fuzzing import ROOT, flowfiles

from flowrules.errors import Diagnostic, FlowfileError
from flowrules.load.lower import load_workflow
from flowrules.load.options import LoadOptions
from flowrules.span import Source
from flowrules.syntax.lexer import tokenize
from flowrules.syntax.reader import read_module
from flowrules.testing import FakeFiles

KINDS = ("delete", "double", "swap", "indent")
_INDENT = re.compile(r"^[ ]*(?=[^\s#])", re.MULTILINE)


@dataclass(frozen=True)
class Valid:
    """A Flowfile without mistakes.

    Attributes:
        path: below the project; beside: the other files of its folder; loads: it is a whole workflow, so that mutants of
            it are loaded; else it is valid for the parser only, and so are mutants read.
    """

    path: str
    text: str
    beside: dict[str, bytes]
    loads: bool

    def mistakes(self, text: str) -> tuple[Diagnostic, ...]:
        """What is said first and after it of another text in its place; nothing where it is no mistake."""
        if not self.loads:
            return tuple(read_module(Source("Flowfile", text))[1])
        try:
            load_workflow("Flowfile", FakeFiles({**self.beside, "Flowfile": text}), OPTIONS)
        except FlowfileError as error:
            return error.diagnostics
        return ()


class _Any(ModuleType):
    """Stands for a module of the author's that has whatever function is asked for."""


def _module(path: str) -> ModuleType:
    made = _Any("helpers")
    for name in re.findall(r"^def (\w+)", (ROOT / path).read_text() if (ROOT / path).exists() else "", re.MULTILINE):
        setattr(made, name, lambda *args, **names: "x")
    return made


OPTIONS = LoadOptions(environ={"HOME": "/h", "USER": "me", "PATH": "/bin"}, import_module=_module)


@lru_cache(maxsize=1)
def valid() -> tuple[Valid, ...]:
    """All valid Flowfiles of the project, each text once."""
    found: dict[str, Valid] = {}
    for path, text in flowfiles().items():
        if text in found or len(text.split()) < 12 or read_module(Source("Flowfile", text))[1]:
            continue
        folder = (ROOT / path).parent
        beside = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        one = Valid(path, text, beside, True)
        found[text] = one if not one.mistakes(text) else Valid(path, text, beside, False)
    return tuple(found.values())


@dataclass(frozen=True)
class Mutant:
    """A mutated text.

    Attributes:
        kind: of mutation; token: kind of the token (or of both); first, last: lines in it that were changed, from 1.
    """

    of: Valid
    kind: str
    token: str
    text: str
    first: int
    last: int


def mutant(chance: random.Random) -> Mutant:
    """Any one."""
    of = chance.choice(valid())
    kind = chance.choice(KINDS)
    return _indented(chance, of) if kind == "indent" else _changed(chance, of, kind)


def _changed(chance: random.Random, of: Valid, kind: str) -> Mutant:
    text, tokens = of.text, tokenize(Source("Flowfile", of.text))
    real = [at for at, name in enumerate(tokens.kinds) if tokens.ends[at] > tokens.starts[at] and name != "CODE"]
    place = chance.randrange(len(real) - 1)
    at, after = real[place], real[place + 1]
    start, end = tokens.starts[at], tokens.ends[at]
    name = tokens.kinds[at]
    if kind == "delete":
        made, until = text[:start] + text[end:], start
    elif kind == "double":
        made, until = text[:end] + " " + text[start:], end + 1 + end - start
    else:
        begin, until = tokens.starts[after], tokens.ends[after]
        made = text[:start] + text[begin:until] + text[end:begin] + text[start:end] + text[until:]
        name = f"{name} {tokens.kinds[after]}"
    return Mutant(of, kind, name, made, _line(text, start), _line(made, until))


def _indented(chance: random.Random, of: Valid) -> Mutant:
    found = chance.choice(list(_INDENT.finditer(of.text)))
    old = len(found.group())
    new = chance.choice([width for width in (0, old - 1, old + 1, old - 4, old + 4, old + 2) if 0 <= width != old])
    made = of.text[: found.start()] + " " * new + of.text[found.end() :]
    line = _line(of.text, found.start())
    deeper = "deeper" if new > old else "less deep"
    word = re.match(r"\w+|.", of.text[found.end() :])
    return Mutant(of, "indent", f"{deeper}: {word[0] if word else ''}", made, line, line)


def _line(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1


def distance(mutant: Mutant, first: Diagnostic) -> int:
    """Lines between the mutated place and what is told first; a great many where it is in another file, or nowhere."""
    span = first.span
    if span is None or span.source.name != "Flowfile":
        return 10**6
    return max(mutant.first - span.line, span.line - mutant.last, 0)


@dataclass
class Measured:
    """Of many mutants: how many were mistakes, and the ones whose first diagnostic is more than a line away."""

    mutants: int = 0
    mistakes: int = 0
    far: list[tuple[Mutant, Diagnostic]] = None  # type: ignore[assignment]

    @property
    def share(self) -> float:
        """Of the mistakes, those that are told within one line of the mutated place."""
        return 1 - len(self.far) / self.mistakes if self.mistakes else 1.0

    def worst(self) -> Iterator[str]:
        """Kinds of mutation by how many are told far away."""
        for (kind, token, code), count in Counter((m.kind, m.token, d.code) for m, d in self.far).most_common(15):
            mutant, d = next((m, d) for m, d in self.far if (m.kind, m.token, d.code) == (kind, token, code))
            where = f"{mutant.of.path}:{mutant.first}"
            yield f"{count:5} {kind} {token}: {code} at {d.span} for {where}: {d.message}"


def measure(cases: Iterator[tuple[str, random.Random]]) -> Measured:
    """Mutants, loaded."""
    found = Measured(far=[])
    for _, chance in cases:
        one = mutant(chance)
        told = [d for d in one.of.mistakes(one.text) if d.severity == "error"]
        found.mutants += 1
        if told:
            found.mistakes += 1
            if distance(one, told[0]) > 1:
                found.far.append((one, told[0]))
    return found


def main() -> None:
    count, seed = int(sys.argv[1]), sys.argv[2]
    found = measure((str(i), random.Random(f"tokens {seed} {i}")) for i in range(count))
    print(f"{len(valid())} Flowfiles, {sum(v.loads for v in valid())} of them workflows that load")
    print(f"{found.mutants:,} mutants, {found.mistakes:,} mistakes, {100 * found.share:.2f}% told within one line")
    print("\n".join(found.worst()))
    if len(sys.argv) > 3:
        for mutant, d in found.far[: int(sys.argv[3])]:
            lines = mutant.text.split("\n")
            shown = "\n".join(
                f"{n + 1:4} {lines[n]}" for n in range(max(0, mutant.first - 4), min(len(lines), mutant.last + 4))
            )
            print(
                f"\n── {mutant.kind} {mutant.token} in {mutant.of.path}:{mutant.first}-{mutant.last}: {d.span} {d.code} {d.message}"
            )
            print(shown)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main()
