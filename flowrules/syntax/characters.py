"""Says what to write instead of characters that no token begins with."""

from __future__ import annotations

from typing import Final

_ODD_PAIRS: Final = {
    "&&": "write `and`",
    "||": "write `or`",
    "??": 'write `a or b`, or `config.get("key", default)`',
}
_ODD: Final = {
    "!": "write `not`",
    "&": "write `and`",
    "|": "write `or`",
    ";": "write each statement on a line of its own",
    "@": "a Flowfile has no decorators",
    "$": 'environment variables are read by `env("NAME", default)`; in shell text write `$NAME` as usual',
    "`": "write a string in quotes",
    "?": "write `a if test else b`",
    "~": "write `not`",
    "^": "write `**` for powers",
    "\\": "a backslash belongs into a string",
    "“": 'write plain quotes, `"`',
    "”": 'write plain quotes, `"`',
    "„": 'write plain quotes, `"`',
    "‘": "write plain quotes, `'`",
    "’": "write plain quotes, `'`",
    "«": 'write plain quotes, `"`',
    "»": 'write plain quotes, `"`',
    "−": "write the plain minus sign, `-`",
    "–": "write the plain minus sign, `-`",
    "×": "write `*`",
    "\u00a0": "this is a no-break space: write a plain one",
}


def explain_characters(text: str, at: int) -> tuple[str, str | None, int]:
    """Message, hint, and how many characters to show, for the character at ``at``."""
    first, two = text[at], text[at : at + 2]
    if two == "\\\n":
        return "no `\\` is needed at the end of a line", "remove it: deeper-indented lines belong to the value", 1
    if two in _ODD_PAIRS:
        return f"`{two}` is no operator here", _ODD_PAIRS[two], 2
    if not first.isprintable() and first not in _ODD:
        return f"unexpected character U+{ord(first):04X}", "remove it", 1
    shown = "a backquote" if first == "`" else "a no-break space" if first == "\u00a0" else f"`{first}`"
    return f"unexpected {shown}", _ODD.get(first), 1
