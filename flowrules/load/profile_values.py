"""Single values of a profile: numbers, amounts, ranges, lists of hardware threads; mistakes are kept, not raised."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Final, TypeVar

from flowrules.errors import suggestion
from flowrules.expr.yaml12 import Node, resolve_plain
from flowrules.load.config import kind_of
from flowrules.load.problems import Problems
from flowrules.load.profile_keys import ELSEWHERE, KEYS, Key, below, general
from flowrules.model.quantity import QuantityError, parse_quantity
from flowrules.span import Span

MOST: Final = 1_000_000_000
"""The largest number of anything."""

MOST_THREADS: Final = 100_000
"""Hardware threads of a node."""

T = TypeVar("T", int, float)

_THREADS: Final = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?")
_COUNTS: Final = re.compile(r"(\d{1,9})?(-)?(\d{1,9})?")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BREAKS: Final = re.compile(r"""["'`\\$#]|[^ -~]""")
"""What can end a word or a line of a job script's head, or mean something else there."""


class Values:
    """Turns nodes of a profile into values. A method that finds a mistake keeps it and answers None.

    Args:
        problems: takes what is wrong.
    """

    def __init__(self, problems: Problems) -> None:
        self._problems = problems

    def mapping(self, node: Node | None, path: str) -> Mapping[str, Node]:
        """The keys of a section that have a value; those a profile does not have are mistakes."""
        if node is None or node.value is None:
            return {}
        if not isinstance(node.value, dict):
            first = below(path)
            hint = f"write `{path.rpartition('.')[2]}: {{{first[0]}: …}}`" if first else None
            self.wrong(node, path, "a mapping", hint)
            return {}
        known = below(general(path) or path)
        found = {}
        for key, child in node.children.items():
            assert isinstance(key, str)
            inside = f"{path}.{key}" if path else key
            if not known and (not key or "." in key):
                hint = "names are made of letters, digits and `_-@`; dots stand between keys"
                self._problems.error("F802", f"`{key}` is no name in `{path}`", node.keys[key], hint)
            elif known and general(inside) is None:
                self.unknown(key, path, node.keys[key], known)
            elif child.value is not None:
                found[key] = child
        return found

    def unknown(self, key: str, path: str, span: Span, known: tuple[str, ...]) -> None:
        """A key that is not there."""
        here = f"`{path}`" if path else "a profile"
        other = ELSEWHERE.get(key)
        hint = f"it is called `{other}` here" if other in known else suggestion(key, known)
        if hint is None:
            homes = [found for found in KEYS if found.endswith(f".{key}") and "*" not in found]
            hint = f"it belongs below `{homes[0].rpartition('.')[0]}`" if homes else None
        hint = hint or "known are " + ", ".join(f"`{name}`" for name in known)
        self._problems.error("F801", f"unknown key `{key}` in {here}", span, hint)

    def wrong(self, node: Node, path: str, wanted: str, hint: str | None = None) -> None:
        """A value of the wrong kind."""
        self._problems.error("F802", f"`{path}` is {wanted}, not {kind_of(node.value)}", node.span, hint)

    def count(self, node: Node, path: str) -> int | None:
        """A whole number."""
        value, least = node.value, _key(path).least
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= MOST:
            much = isinstance(value, int) and value > MOST
            self.wrong(node, path, f"a whole number from {least} {f'to {MOST:,}' if much else 'on'}")
            return None
        return value

    def number(self, node: Node, path: str) -> float | None:
        """A number."""
        value = node.value
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST:
            self.wrong(node, path, "a number from 0 on")
            return None
        return float(value)

    def flag(self, node: Node, path: str) -> bool | None:
        """`true` or `false`."""
        if not isinstance(node.value, bool):
            hint = None
            if isinstance(node.value, str) and node.value.lower() in ("yes", "y", "on", "no", "n", "off"):
                hint = f"write `{'true' if node.value.lower() in ('yes', 'y', 'on') else 'false'}`"
            self.wrong(node, path, "`true` or `false`", hint)
            return None
        return node.value

    def choice(self, node: Node, path: str) -> str | None:
        """One of some words."""
        choices = _key(path).choices
        if node.value in choices:
            return str(node.value)
        shown = f"`{node.value}`" if isinstance(node.value, str) else kind_of(node.value)
        words = ", ".join(f"`{word}`" for word in choices)
        hint = suggestion(node.value, choices) if isinstance(node.value, str) else None
        self._problems.error("F802", f"`{path}` is one of {words}, not {shown}", node.span, hint)
        return None

    def word(self, node: Node, path: str) -> str | None:
        """Text as it is written; a number that is not in quotes too."""
        if isinstance(node.value, str):
            return node.value
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            self.wrong(node, path, "text", "put it in quotes" if isinstance(node.value, bool) else None)
            return None
        written = node.span.text()
        return written if resolve_plain(written) == node.value else str(node.value)

    def text(self, node: Node, path: str) -> str | None:
        """Text that may stand in the head of a job script: one line, without quotes and what a shell would read."""
        value = self.word(node, path)
        if value is None:
            return None
        bad = _BREAKS.search(value)
        if bad is not None or not value.strip():
            shown = {"\n": "a newline", "\t": "a tab"}.get(bad[0], f"`{bad[0]}`") if bad else "nothing but blanks"
            hint = "only plain characters without quotes, `\\`, `$` and `#` can stand in a line that a scheduler reads"
            self._problems.error("F813", f"`{path}` holds {shown}", node.span, hint)
            return None
        return value

    def name(self, node: Node, path: str) -> str | None:
        """The name of an environment variable."""
        value = self.word(node, path)
        if value is not None and not _VARIABLE.fullmatch(value):
            hint = "such as `CUDA_VISIBLE_DEVICES`, `ROCR_VISIBLE_DEVICES` or `ZE_AFFINITY_MASK`"
            self._problems.error("F802", f"`{path}` is the name of a variable, not `{value}`", node.span, hint)
            return None
        return value

    def script(self, node: Node, path: str) -> str | None:
        """Shell text."""
        value = self.word(node, path)
        if value is not None and "\0" in value:
            self._problems.error("F813", f"`{path}` holds a NUL character", node.span)
            return None
        return value

    def lines(self, node: Node, path: str) -> tuple[str, ...] | None:
        """A list of texts, each as `text` wants it."""
        if not isinstance(node.value, list):
            self.wrong(node, path, "a list of texts", f"write `{path.rpartition('.')[2]}: [{node.span.text()}]`")
            return None
        found = [self.text(child, f"{path}.{i}") for i, child in enumerate(node.children.values())]
        return tuple(text for text in found if text is not None)

    def size(self, node: Node, path: str) -> int | None:
        """An amount of memory in bytes."""
        amount = self._quantity(node, path, "bytes")
        return None if amount is None else int(amount)

    def time(self, node: Node, path: str) -> float | None:
        """An amount of time in seconds."""
        return self._quantity(node, path, "seconds")

    def _quantity(self, node: Node, path: str, kind: str) -> float | None:
        wanted, example = ("a size", "512GB") if kind == "bytes" else ("a time", "30min")
        if isinstance(node.value, int | float) and not isinstance(node.value, bool):
            hint = f"write for example `{example}`"
            self._problems.error("F803", f"`{path}` needs a unit, this is {kind_of(node.value)}", node.span, hint)
            return None
        if not isinstance(node.value, str):
            self.wrong(node, path, f"{wanted} such as `{example}`")
            return None
        return self._amount(node.value, node, path, kind)

    def _amount(self, text: str, node: Node, path: str, kind: str) -> float | None:
        wanted, example = ("a size", "512GB") if kind == "bytes" else ("a time", "30min")
        try:
            quantity = parse_quantity(text)
        except QuantityError as error:
            self._problems.error("F803", f"`{path}`: {error}", node.span)
            return None
        if quantity.kind != kind or not 0 <= quantity.amount < MOST * 1e9 or not isfinite(quantity.amount):
            self._problems.error("F803", f"`{path}` is {wanted} such as `{example}`, not `{text}`", node.span)
            return None
        return quantity.amount

    def counts(self, node: Node, path: str) -> tuple[int, int | None] | None:
        """A range of whole numbers: `1-10`, `10-` without end, `10` for at most ten."""
        value = node.value
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        found = _COUNTS.fullmatch(text.replace(" ", "")) if isinstance(text, str) else None
        if found is None or not (found[1] or found[3]) or (found[3] and not found[2]):
            self._malformed(node, path, "`1-10`, `10-` (no end) or `10` (at most)")
            return None
        if not found[2]:
            found = _COUNTS.fullmatch(f"1-{found[1]}")
            assert found is not None
        least, most = int(found[1] or 1), int(found[3]) if found[3] else None
        if least < 1 or most == 0:
            self._problems.error("F804", f"`{path}` begins with 1", node.span)
            return None
        return self._range(least, most, node, path)

    def times(self, node: Node, path: str) -> tuple[float, float | None] | None:
        """A range of times: `5min-1h`, `5min-` without end, `1h` for at most an hour."""
        value = node.value
        if not isinstance(value, str):
            self._malformed(node, path, "`5min-1h`, `5min-` (no end) or `1h` (at most)")
            return None
        first, dash, last = _parts(value)
        least = self._amount(first, node, path, "seconds") if first else 0.0
        most = self._amount(last, node, path, "seconds") if last else None
        if least is None or (last and most is None):
            return None
        return self._range(least, most, node, path) if dash else (0.0, least)

    def _malformed(self, node: Node, path: str, wanted: str) -> None:
        shown = f"`{node.value}`" if isinstance(node.value, str | int) else kind_of(node.value)
        self._problems.error("F804", f"`{path}` is a range, not {shown}", node.span, f"write it like {wanted}")

    def _range(self, least: T, most: T | None, node: Node, path: str) -> tuple[T, T | None] | None:
        if most is not None and most < least:
            message = f"`{path}` begins above its end"
            self._problems.error("F804", message, node.span, "the smaller one goes first")
            return None
        return (least, most)

    def threads(self, node: Node, path: str) -> tuple[int, ...] | None:
        """A list of hardware threads, `24-31,56-63`, in the order written."""
        value = node.value
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if not isinstance(text, str):
            self.wrong(node, path, "text such as `24-31,56-63`")
            return None
        found: dict[int, None] = {}
        for part in text.split(","):
            match = _THREADS.fullmatch(part.strip())
            first = int(match[1]) if match else 1
            last = int(match[2] or match[1]) if match else 0
            if first > last or last >= MOST_THREADS:
                message = f"`{path}`: `{part.strip()}` is no hardware thread and no range of them"
                self._problems.error("F804", message, node.span, "write it like `24-31,56-63`")
                return None
            twice = found.keys() & set(range(first, last + 1))
            if twice:
                self._problems.error("F810", f"`{path}` names the hardware thread {min(twice)} twice", node.span)
                return None
            found.update(dict.fromkeys(range(first, last + 1)))
        return tuple(found)


def read(values: Values, node: Node, path: str) -> object:
    """The value of a key that is no section, as its kind wants it; None for a mistake, which is kept."""
    reader: Callable[[Node, str], object] = getattr(values, _key(path).kind)
    return reader(node, path)


def _key(path: str) -> Key:
    found = general(path)
    assert found is not None
    return KEYS[found]


def _parts(text: str) -> tuple[str, str, str]:
    """The two sides of a range of times; a dash between days and hours (`1-00:00:00`) is none."""
    for match in re.finditer("-", text):
        before, after = text[: match.start()].strip(), text[match.end() :].strip()
        if not (re.fullmatch(r"\d+", before) and after.partition(":")[1]):
            return before, "-", after
    return text.strip(), "", ""
