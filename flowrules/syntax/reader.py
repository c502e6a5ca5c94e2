"""Reads a Flowfile: text to tree, with every mistake it can tell apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from flowrules.errors import Diagnostic, FlowfileError, Related, fail
from flowrules.span import Source, Span
from flowrules.syntax import tree
from flowrules.syntax.build import Builder
from flowrules.syntax.lalr import Recover, parse
from flowrules.syntax.lexer import tokenize, tokenize_expression
from flowrules.syntax.mistakes import explain
from flowrules.syntax.scene import Scene
from flowrules.syntax.tables import Start, tables
from flowrules.syntax.tokens import INDENT, LAYOUT, MAX_MISTAKES, NEWLINE, Tokens

MAX_BYTES: Final = 8 * 2**20

_UTF8_MARK: Final = b"\xef\xbb\xbf"


class _Enough(Exception):
    """So many mistakes that more of them help nobody."""


def decode_source(name: str, raw: bytes, folder: str) -> Source:
    """A source from the bytes of a file.

    Raises:
        FlowfileError: it is too large, not UTF-8, or holds NUL bytes.
    """
    if len(raw) > MAX_BYTES:
        raise _too_large(Source(name, "", folder), len(raw))
    raw = raw.removeprefix(_UTF8_MARK)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        before = _line_ends(raw[: error.start].decode("utf-8", "replace"))
        place = Span(Source(name, before + "\ufffd", folder), len(before), len(before) + 1)
        byte = f"byte 0x{raw[error.start]:02X}"
        raise fail("F001", f"`{name}` is not UTF-8 text: {byte}", place, "save it with the encoding UTF-8") from None
    source = Source(name, _line_ends(text), folder)
    nul = source.text.find("\0")
    if nul >= 0:
        raise fail("F001", f"`{name}` holds a NUL character", Span(source, nul, nul + 1), "is it a text file?")
    return source


def _line_ends(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _too_large(source: Source, size: int) -> FlowfileError:
    message = f"`{source.name}` has {size:,} bytes, more than the {MAX_BYTES // 2**20}MiB that a Flowfile may have"
    return fail("F001", message, Span(source, 0, 0), "split it with `include`, or read data with `table` or `yaml`")


def read_module(source: Source) -> tuple[tree.Module, list[Diagnostic]]:
    """The tree of a Flowfile, without the lines that could not be read, and what is wrong with those.

    Never raises for what an author wrote. A logical line has one diagnostic at most: the first thing wrong in it.
    """
    if len(source.text) > MAX_BYTES:
        return tree.Module(Span(source, 0, 0), (), ()), list(_too_large(source, len(source.text)).diagnostics)
    tokens = tokenize(source)
    found: list[Diagnostic] = []

    def report(diagnostic: Diagnostic) -> None:
        found.append(diagnostic)
        if len(found) > MAX_MISTAKES:
            raise _Enough

    def recover(at: int, expected: Mapping[str, int]) -> tuple[int, int]:
        line, end = _logical_line(tokens.kinds, at)
        report(_diagnostic(Scene(source, tokens, line, end, at, expected)))
        if tokens.kinds[end + 1] != INDENT:
            return line, end + 1
        _mend_header(tokens, line, end, at)
        return line, line

    try:
        statements = _parse(source, "module", tokens, report, recover)
    except _Enough:
        statements = ()
        hint = "mend these first"
        found[-1] = Diagnostic("F013", f"more than {MAX_MISTAKES} mistakes; the rest is not read", found[-1].span, hint)
    comments = tuple(tree.Comment(Span(source, start, end), source.text[start:end]) for start, end in tokens.comments)
    found.sort(key=_where)
    return tree.Module(Span(source, 0, len(source.text)), statements, comments), found


def parse_expression(source: Source, start: int, end: int) -> tree.Expr:
    """The expression that is all of ``source.text[start:end]``, as inside an f-string.

    Raises:
        FlowfileError: it is no expression.
    """
    tokens = tokenize_expression(source, start, end)

    def report(diagnostic: Diagnostic) -> None:
        raise FlowfileError([diagnostic])

    def recover(at: int, expected: Mapping[str, int]) -> tuple[int, int]:
        raise FlowfileError([_diagnostic(Scene(source, tokens, 0, len(tokens.kinds) - 1, at, expected))])

    expression: tree.Expr = _parse(source, "expression", tokens, report, recover)
    return expression


def _parse(source: Source, start: Start, tokens: Tokens, report: Callable[[Diagnostic], None], recover: Recover) -> Any:  # noqa: ANN401
    builder = Builder(source, tokens, report)
    grammar = tables()
    makers = [getattr(builder, rule.name) if rule.name else None for rule in grammar.rules]
    return parse(grammar, start, tokens, makers, recover)


def _diagnostic(scene: Scene) -> Diagnostic:
    fault = scene.tokens.faults.get(scene.at)
    if fault is None:
        return explain(scene)
    related: tuple[Related, ...] = ()
    if fault.opener is not None:
        opener = Span(scene.source, fault.opener, fault.opener + 1)
        related = (Related(f"`{opener.text()}` was opened here", opener),)
    return Diagnostic(fault.code, fault.message, Span(scene.source, fault.start, fault.end), fault.hint, related)


def _where(diagnostic: Diagnostic) -> int:
    return diagnostic.span.start if diagnostic.span else 0


def _logical_line(kinds: list[str], at: int) -> tuple[int, int]:
    """First token of the logical line that a token is in, and the NEWLINE that ends it."""
    line = at
    while line > 0 and kinds[line - 1] not in LAYOUT:
        line -= 1
    return line, kinds.index(NEWLINE, at)


def _mend_header(tokens: Tokens, line: int, end: int, at: int) -> None:
    """Put a header that can be read in the place of one that cannot, so that the lines below it are read."""
    kinds = tokens.kinds
    head = kinds[line]
    if head in {"IF", "ELIF", "ELSE"}:
        if at == line:
            head = "IF"  # there is none that this one could belong to
        elif head == "ELSE" and kinds[line + 1] == "IF":
            head = "ELIF"
        mended = [(head, line), *([] if head == "ELSE" else [("NULL", line)]), ("COLON", line), (NEWLINE, end)]
    else:
        head = "CHECKPOINT" if head == "CHECKPOINT" else "RULE"
        name = line + 1 if kinds[line + 1] == "NAME" else end  # the width of a NEWLINE is none: a rule without name
        mended = [(head, line), ("NAME", name), ("COLON", line), (NEWLINE, end)]
    numbers = [number for _, number in mended]
    kinds[line : end + 1] = [kind for kind, _ in mended]
    tokens.starts[line : end + 1] = [tokens.starts[number] for number in numbers]
    tokens.ends[line : end + 1] = [tokens.ends[number] for number in numbers]
    shift = len(mended) - (end + 1 - line)
    tokens.faults = {number + shift if number > end else number: fault for number, fault in tokens.faults.items()}
