"""Finds a path that two patterns both match, or none: a shortest walk through both at once."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping
from typing import Final

from flowrules.model.pattern import Matcher, Pattern

MOST_STATES: Final = 20_000
"""How far the walk goes before it gives up."""

_PROBES: Final = "x1X_"
"""Characters tried where both patterns have a wildcard."""

_Token = tuple[str | None, frozenset[str] | None]
"""A literal character, or None for a wildcard with the characters it takes (None: all)."""

_State = tuple[int, bool, int, bool]
"""Position in either pattern, and whether the wildcard there has taken a character."""


def common_path(one: Matcher, other: Matcher, regexes: tuple[Mapping[str, str], Mapping[str, str]]) -> str | None:
    """A path that both match, checked with both; None where none was found.

    Constraints are taken into account character by character, so a path may exist where None is returned; a path that
    is returned always matches.

    Args:
        regexes: the constraints of the wildcards of either pattern.

    Raises:
        TimeoutError: an author's regular expression takes too long.
    """
    first, second = _tokens(one.pattern, regexes[0]), _tokens(other.pattern, regexes[1])
    for plain in (True, False):  # values that begin with a letter make a better example than `.bam`
        path = _walk(first, second, plain)
        if path is not None and one.match(path) is not None and other.match(path) is not None:
            return path
    return None


def _tokens(pattern: Pattern, regexes: Mapping[str, str]) -> list[_Token]:
    literal = {c for part in pattern.parts if isinstance(part, str) for c in part}
    tokens: list[_Token] = []
    for part in pattern.parts:
        if isinstance(part, str):
            tokens += [(char, None) for char in part]
            continue
        regex = part.constraint or regexes.get(part.name)
        allowed = None
        if regex is not None:
            search = re.compile(regex).fullmatch
            allowed = frozenset(c for c in {*map(chr, range(32, 127)), *literal} if search(c))
        tokens.append((None, allowed))
    return tokens


def _walk(one: list[_Token], other: list[_Token], plain: bool) -> str | None:
    """The shortest text that both can be, by breadth-first search; ``plain``: each wildcard begins with a letter."""
    start: _State = (0, False, 0, False)
    came: dict[_State, tuple[_State, str]] = {start: (start, "")}
    queue = deque([start])
    while queue and len(came) < MOST_STATES:
        state = queue.popleft()
        if state[0] == len(one) and state[2] == len(other):
            return _text(came, state)
        for char, after in _steps(one, other, state, plain):
            if after not in came:
                came[after] = (state, char)
                # a wildcard that ends costs nothing: such states come first
                (queue.append if char else queue.appendleft)(after)
    return None


def _steps(one: list[_Token], other: list[_Token], state: _State, plain: bool) -> list[tuple[str, _State]]:
    i, i_taken, j, j_taken = state
    steps: list[tuple[str, _State]] = []
    if i_taken:
        steps.append(("", (i + 1, False, j, j_taken)))
    if j_taken:
        steps.append(("", (i, i_taken, j + 1, False)))
    if i == len(one) or j == len(other):
        return steps
    (a, a_allowed), (b, b_allowed) = one[i], other[j]
    char = a or b or next((c for c in _PROBES if _takes(a_allowed, c) and _takes(b_allowed, c)), None)
    if char is None or (a and b and a != b) or not (_takes(a_allowed, char) and _takes(b_allowed, char)):
        return steps
    begins = (not a and not i_taken) or (not b and not j_taken)
    if plain and begins and not char.isalnum():
        return steps
    after = (i + 1, False) if a else (i, True), (j + 1, False) if b else (j, True)
    steps.append((char, (*after[0], *after[1])))
    return steps


def _takes(allowed: frozenset[str] | None, char: str) -> bool:
    return allowed is None or char in allowed


def _text(came: Mapping[_State, tuple[_State, str]], state: _State) -> str:
    chars = []
    while came[state][0] != state:
        state, char = came[state]
        chars.append(char)
    return "".join(reversed(chars))
