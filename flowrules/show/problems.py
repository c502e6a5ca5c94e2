"""Diagnostics for people (place, source line, underline, hint, related places, chain) and for editors (JSON lines)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from flowrules.errors import Diagnostic, FlowfileError, FlowrulesError, Related
from flowrules.show.text import cells, counted, escape, head, json_line, paint, tail
from flowrules.span import Source, Span

TAB: Final = 4
"""Columns between tab stops in a shown source line."""

WIDTH: Final = 160
"""Columns of a shown source line where nobody says how wide the output is."""

POINTED: Final = 3
"""Codes that are named as a call to `explain`."""

CHAIN: Final = 8
"""Links of a chain that are shown; the middle of a longer one is counted."""


def render_text(diagnostics: Iterable[Diagnostic], *, color: bool = False, width: int | None = None) -> str:
    """All diagnostics for a person, parted by blank lines, without a newline at the end.

    Args:
        color: with ANSI colours.
        width: columns of the terminal; source lines are cut to it around the place, other text is left to wrap.
    """
    return "\n\n".join([_block(d, color, width or WIDTH) for d in diagnostics])


def render_json(diagnostics: Iterable[Diagnostic]) -> str:
    """One JSON object a line: severity, code, message, file, line, column, end_line, end_column, hint, related, chain.

    Lines and columns count from 1 in characters; the end is the position after the last character. What is not known
    is null.
    """
    return "\n".join([json_line(problem_object(d)) for d in diagnostics])


def render_error(error: FlowrulesError, *, color: bool = False, width: int | None = None) -> str:
    """Any error that ends the program, for a person; several diagnostics are followed by their counts."""
    if isinstance(error, FlowfileError):
        text = render_text(error.diagnostics, color=color, width=width)
        return f"{text}\n\n{summary_line(error.diagnostics)}" if len(error.diagnostics) > 1 else text
    hint = f"\n   {paint('hint:', 'hint', color)} {escape(error.hint)}" if error.hint else ""
    return f"{paint('error:', 'error', color)} {escape(error.message)}{hint}"


def render_error_json(error: FlowrulesError) -> str:
    """Any error that ends the program, in the form of `render_json`; the code is null where it has none."""
    if isinstance(error, FlowfileError):
        return render_json(error.diagnostics)
    return json_line({**problem_object(Diagnostic("", error.message, hint=error.hint)), "code": None})


def pointer(diagnostics: Iterable[Diagnostic], color: bool = False) -> str:
    """Where more is said of the first few kinds of mistakes; "" where there are none."""
    codes = dict.fromkeys(d.code for d in diagnostics if d.code)
    return paint(f"for more: flowrules explain {' '.join(list(codes)[:POINTED])}", "dim", color) if codes else ""


def summary_line(diagnostics: Iterable[Diagnostic]) -> str:
    """`2 errors, 1 warning`; "" where there are none."""
    severities = [d.severity for d in diagnostics]
    errors, warnings = severities.count("error"), severities.count("warning")
    parts = [counted(errors, "error")] * bool(errors) + [counted(warnings, "warning")] * bool(warnings)
    return ", ".join(parts)


# ── for people ───────────────────────────────────────────────────────────────────────────────────────────────────


def _block(d: Diagnostic, color: bool, width: int) -> str:
    place = paint(f"{escape(str(d.span))}: ", "bold", color) if d.span else ""
    label = f"{d.severity}[{d.code}]:" if d.code else f"{d.severity}:"
    lines = [f"{place}{paint(label, d.severity, color)} {escape(d.message)}"]
    if d.span:
        lines += excerpt(d.span, "^", d.severity, color, width)
    if d.hint:
        lines.append(f"   {paint('hint:', 'hint', color)} {escape(d.hint)}")
    for related in d.related:
        lines += _related(related, color, width)
    if d.chain:
        lines.append(f"   {paint('needed by:', 'note', color)} {_chain(d.chain)}")
    return "\n".join(lines)


def _related(related: Related, color: bool, width: int) -> list[str]:
    note = f"{paint('note:', 'note', color)} {escape(related.message)}"
    if related.span is None:
        return [f"   {note}"]
    place = paint(f"{escape(str(related.span))}: ", "bold", color)
    return [f"   {place}{note}", *excerpt(related.span, "-", "note", color, width)]


def _chain(chain: Sequence[str]) -> str:
    links = [escape(link) for link in chain]
    if len(links) > CHAIN:
        links[CHAIN // 2 : -CHAIN // 2] = [f"… {len(links) - CHAIN:,} more …"]
    return " → ".join(links)


def excerpt(span: Span, mark: str, style: str, color: bool, width: int) -> list[str]:
    """The source lines of a span with its characters underlined: its first and its last line if it has several."""
    source, end_of_text = span.source, len(span.source.text)
    start = min(max(span.start, 0), end_of_text)
    end = min(max(span.end, start), end_of_text)
    first, column = source.position(start)
    last, stop = _end(source, start, end)
    if first == last:
        return _marked(source, first, column - 1, stop - 1, mark, style, color, width)
    text = source.line(last)
    indent = len(text) - len(text.lstrip())
    return [
        *_marked(source, first, column - 1, len(source.line(first)), mark, style, color, width),
        *([paint("  ...", "dim", color)] if last > first + 1 else []),
        *_marked(source, last, min(indent, stop - 2), stop - 1, mark, style, color, width),
    ]


def _end(source: Source, start: int, end: int) -> tuple[int, int]:
    """Line of the last character of a span and the column after it; line ends at the end of a span are left out."""
    while end > start and source.text[end - 1] == "\n":
        end -= 1
    if end == start:
        return source.position(start)
    line, column = source.position(end - 1)
    return line, column + 1


def _marked(
    source: Source, line: int, start: int, stop: int, mark: str, style: str, color: bool, width: int
) -> list[str]:
    """One source line and the underline of the characters ``[start, stop)`` below it."""
    text = source.line(line)
    number = f"{line:5d}"
    before, inside, after = _expanded(text, start, stop)
    before, inside, after = _window(before, inside, after, max(width - len(number) - 3, 20))
    gutter = paint(f"{number} |", "dim", color)
    blank = paint(" " * len(number) + " |", "dim", color)
    under = mark * max(cells(inside), 1)
    shown = f"{before}{inside}{after}".rstrip()
    return [f"{gutter} {shown}" if shown else gutter, f"{blank} {' ' * cells(before)}{paint(under, style, color)}"]


def _expanded(text: str, start: int, stop: int) -> tuple[str, str, str]:
    """The three parts of a line, escaped, tabs turned into blanks."""
    if "\t" not in text:
        return escape(text[:start]), escape(text[start:stop]), escape(text[stop:])
    parts = ["", "", ""]
    column = 0
    for i, char in enumerate(text):
        shown = " " * (TAB - column % TAB) if char == "\t" else escape(char)
        parts[0 if i < start else 1 if i < stop else 2] += shown
        column += cells(shown)
    return parts[0], parts[1], parts[2]


def _window(before: str, inside: str, after: str, width: int) -> tuple[str, str, str]:
    """The parts of a line cut so that they fit, the underlined part kept as far as possible."""
    if cells(before) + cells(inside) + cells(after) <= width:
        return before, inside, after
    if cells(inside) > width // 2:
        inside = _cut(inside, width // 2)
    room = width - cells(inside)
    left = min(cells(before), max(room // 2, room - cells(after)))
    if cells(before) > left:
        before = "…" + tail(before, left - 1)
    right = width - cells(before) - cells(inside)
    if cells(after) > right:
        after = head(after, right - 1) + "…"
    return before, inside, after


def _cut(text: str, width: int) -> str:
    half = (width - 1) // 2
    return f"{head(text, half)}…{tail(text, width - 1 - half)}"


# ── for editors ──────────────────────────────────────────────────────────────────────────────────────────────────


def problem_object(d: Diagnostic) -> dict[str, object]:
    """A diagnostic as JSON values, as `render_json` writes them."""
    return {
        "severity": d.severity,
        "code": d.code,
        "message": d.message,
        **_place(d.span),
        "hint": d.hint,
        "related": [{"message": r.message, **_place(r.span)} for r in d.related],
        "chain": list(d.chain),
    }


def _place(span: Span | None) -> dict[str, object]:
    if span is None:
        return dict.fromkeys(("file", "line", "column", "end_line", "end_column"))
    line, column = span.source.position(span.start)
    end_line, end_column = span.source.position(max(span.end, span.start))
    return {
        "file": span.source.name,
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
    }
