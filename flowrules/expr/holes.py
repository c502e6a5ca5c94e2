"""Finds placeholders in text: `{name}`, `{name,regex}`, `{config.x[0]}`; other braces are text."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

NAME = r"[^\W\d]\w*"
_PATH: Final = re.compile(rf"({NAME})((?:\.{NAME}|\[[^\[\]{{}}\n]+\])*)")
_STEP: Final = re.compile(rf"\.({NAME})|\[([^\[\]]+)\]")
DOUBLED: Final = re.compile(rf"\{{\{{({NAME}(?:(?:\.{NAME}|\[[^\[\]{{}}\n]+\])*|,[^{{}}]+))\}}\}}")


class Hole(NamedTuple):
    """A placeholder: its first name, the steps after it, or the constraint of a wildcard, and where it stands."""

    name: str
    steps: tuple[str, ...]
    constraint: str | None
    start: int
    end: int


def find_holes(text: str) -> list[str | Hole]:
    """Text and placeholders in turn; doubled braces around a name are single braces of text."""
    parts: list[str | Hole] = []
    done = at = 0
    while (at := text.find("{", at)) >= 0:
        doubled = DOUBLED.match(text, at)
        if doubled and not text.startswith("{{{", at):
            parts += [text[done:at], "{" + doubled.group(1) + "}"]
            done = at = doubled.end()
            continue
        if text.startswith("{{{", at) and DOUBLED.match(text, at + 1):
            parts.append(text[done:at] + "{")
            done = at = at + 2
            hole = hole_at(text, at)
            if hole is not None:
                parts += [hole, "}"]
                done = at = hole.end + 2
            continue
        hole = hole_at(text, at)
        if hole is None:
            at += 1
            continue
        parts += [text[done:at], hole]
        done = at = hole.end
    parts.append(text[done:])
    return [part for part in parts if part != ""]


def hole_at(text: str, at: int) -> Hole | None:
    """The placeholder whose brace opens at an offset, or None."""
    path = _PATH.match(text, at + 1)
    if path is None:
        return None
    end = path.end()
    if text.startswith("}", end):
        steps = tuple(a or b for a, b in _STEP.findall(path.group(2)))
        return Hole(path.group(1), steps, None, at, end + 1)
    if text.startswith(",", end) and not path.group(2):
        close = _constraint_end(text, end + 1)
        if close:
            return Hole(path.group(1), (), text[end + 1 : close], at, close + 1)
    return None


def _constraint_end(text: str, at: int) -> int:
    """Where the brace stands that closes a constraint; 0 where none does."""
    depth, in_class = 0, False
    while at < len(text) and text[at] != "\n":
        char = text[at]
        if char == "\\":
            at += 1
        elif in_class:
            in_class = char != "]"
        elif char == "[":
            in_class = True
            at += 1 if text.startswith(("[]", "[^]"), at) else 0
        elif char == "{":
            depth += 1
        elif char == "}":
            if depth == 0:
                return at
            depth -= 1
        at += 1
    return 0
