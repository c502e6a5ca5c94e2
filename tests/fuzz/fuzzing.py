"""What fuzzers share: how many cases, from which seed, the law that each must keep, bounds, and ways to damage bytes.

`make test` runs a few cases of each, always the same ones. `make fuzz N=100000` runs many; `SEED=…` chooses others, and a
failure names the seed and the case, so that both together run it again.
"""

from __future__ import annotations

import os
import random
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from flowrules.codes import CODES
from flowrules.errors import FlowfileError, FlowrulesError

ROOT = Path(__file__).parents[2]
MANY = int(os.environ.get("FUZZ_N", "0"))
"""Cases of each fuzzer that were asked for; 0: the few of `make test`."""
SEED = int(os.environ.get("FUZZ_SEED", "0"))
CPU_SECONDS = 60.0
"""CPU time of one case, far above what any takes: beyond it, it hangs."""
WHOLE = "bytes are whole"


class Hangs(BaseException):
    """A case used up its CPU time. No `except Exception` of the program may swallow it."""


def share(few: int, part: float = 1.0) -> int:
    """How many cases: ``few`` in `make test`, else a part of those that were asked for."""
    return max(few, int(MANY * part)) if MANY else few


def cases(name: str, few: int, part: float = 1.0) -> Iterator[tuple[str, random.Random]]:
    """A label and a source of chance for each case; the label says how to run that case again.

    `FUZZ_CASE=17` runs that one only.
    """
    only = os.environ.get("FUZZ_CASE")
    numbers = range(share(few, part)) if only is None else [int(only)]
    for number in numbers:
        yield f"{name}, FUZZ_SEED={SEED} FUZZ_CASE={number}", random.Random(f"{name} {SEED} {number}")
    figure(name, f"{len(numbers):,} cases: each ended with a value or a diagnostic")


@contextmanager
def bounded(label: str, seconds: float = CPU_SECONDS) -> Iterator[None]:
    """A limit of CPU time, whatever else the machine does."""

    def late(number: int, frame: object) -> None:
        raise Hangs(f"more than {seconds:g}s of CPU: {label}")

    before = signal.signal(signal.SIGVTALRM, late)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def lawful(label: str, call: Callable[..., object], *args: object, shown: object = None) -> FlowrulesError | None:
    """Run a case: it may do what it does, or fail with a diagnostic; anything else is a bug.

    Args:
        args: of the call; shown: what the case was made from, for the message, where that is not among them.

    Returns:
        The error, where there was one.
    """
    try:
        with bounded(label):
            call(*args)
    except FlowrulesError as error:
        check_told(label, error)
        return error
    except Exception as error:
        trace = "".join(traceback.format_exception(error)[-8:])
        # half surrogate pairs would break the channel between processes of pytest
        raise AssertionError(_ascii(f"{label}\n{_clipped(shown or args)}\n{trace}")) from None
    return None


def check_told(label: str, error: FlowrulesError) -> None:
    """An error is told to a person: known codes, places that lie in their text, no words of Python."""
    assert error.message, label
    assert "Traceback" not in error.message, label
    if isinstance(error, FlowfileError):
        assert error.diagnostics, label
        for d in error.diagnostics:
            assert d.code in CODES, (label, d)
            if d.span is not None:
                assert 0 <= d.span.start <= d.span.end <= len(d.span.source.text), (label, d)


def _ascii(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode("ascii")


def _clipped(shown: object) -> str:
    text = shown if isinstance(shown, str) else repr(shown)
    return text if len(text) < 4000 else f"{text[:2000]}\n…\n{text[-2000:]}"


# ── bytes ────────────────────────────────────────────────────────────────────────────────────────────────────────


def damaged(chance: random.Random, content: bytes) -> bytes:
    """Bytes as a bad disk, a torn write, an editor or a lost page leaves them: one to three things happened to them."""
    for _ in range(chance.randint(1, 3)):
        content = chance.choice(_DAMAGES)(chance, content)
    return content


def _place(chance: random.Random, content: bytes) -> tuple[int, int]:
    start = chance.randint(0, len(content))
    return start, min(len(content), start + chance.choice((1, 1, 2, 7, 40, 512)))


def _flip(chance: random.Random, content: bytes) -> bytes:
    if not content:
        return content
    at = chance.randrange(len(content))
    return content[:at] + bytes([content[at] ^ 1 << chance.randrange(8)]) + content[at + 1 :]


def _cut(chance: random.Random, content: bytes) -> bytes:
    return content[: chance.randint(0, len(content))]


def _lose(chance: random.Random, content: bytes) -> bytes:
    start, end = _place(chance, content)
    return content[:start] + content[end:]


def _double(chance: random.Random, content: bytes) -> bytes:
    start, end = _place(chance, content)
    return content[:end] + content[start:]


def _zero(chance: random.Random, content: bytes) -> bytes:
    start, end = _place(chance, content)
    return content[:start] + b"\0" * (end - start) + content[end:]


def _insert(chance: random.Random, content: bytes) -> bytes:
    start, _ = _place(chance, content)
    new = chance.choice((b"\n", b"\t", b"\xff", b"\0", b"9" * 5000, b"\xed\xb2\x80", b'"', b"{", b"]", b"-", b"\\"))
    return content[:start] + new + content[start:]


def _lines(chance: random.Random, content: bytes) -> bytes:
    """A line is lost, doubled or put elsewhere."""
    lines = content.splitlines(keepends=True)
    if not lines:
        return content
    line = lines.pop(chance.randrange(len(lines)))
    for _ in range(chance.randint(0, 2)):
        lines.insert(chance.randint(0, len(lines)), line)
    return b"".join(lines)


def _nothing(chance: random.Random, content: bytes) -> bytes:
    return b""


_DAMAGES = (_flip, _flip, _flip, _cut, _lose, _double, _zero, _insert, _lines, _nothing)


# ── texts ────────────────────────────────────────────────────────────────────────────────────────────────────────


def mutated(chance: random.Random, text: str, pieces: tuple[str, ...]) -> str:
    """A text in which up to four times something was lost, doubled, put in, or taken from elsewhere in it."""
    for _ in range(chance.randint(1, 4)):
        start = chance.randint(0, len(text))
        end = min(len(text), start + chance.choice((0, 1, 1, 3, 12, 60)))
        other = chance.randint(0, len(text))
        new = chance.choice(
            (
                "",
                text[start:end] * 2,
                chance.choice(pieces),
                chance.choice(pieces),
                text[other : other + chance.choice((1, 5, 30))],
                chr(chance.choice((0, 9, 10, 11, 12, 13, 0x85, 0xA0, 0x202E, 0xFEFF, 0xD800, 0x1F600, 0x10FFFF))),
            )
        )
        text = text[:start] + new + text[end:]
    return text


def flowfiles() -> dict[str, str]:
    """Every Flowfile of the examples and of tests that is valid by itself, by its path."""
    found = [
        *ROOT.glob("examples/*/Flowfile"),
        *ROOT.glob("tests/golden/lint/**/*"),
        *ROOT.glob("tests/syntax/flowfiles/*"),
    ]
    found += ROOT.glob("tests/golden/errors/**/Flowfile")
    texts = {}
    for path in sorted(found):
        if path.name == "Flowfile" or path.suffix == ".flow":
            raw = path.read_bytes()
            if b"\0" not in raw and _is_text(raw):
                texts[str(path.relative_to(ROOT))] = raw.decode()
    return texts


def _is_text(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


# ── figures ──────────────────────────────────────────────────────────────────────────────────────────────────────


def figure(what: str, told: str) -> None:
    """Notes a figure of a long run: a line of the file that `FUZZ_FIGURES` names, which `make fuzz` shows at its end."""
    path = os.environ.get("FUZZ_FIGURES")
    if path:
        with open(path, "a", encoding="utf-8") as file:
            file.write(f"{what}: {told}\n")
