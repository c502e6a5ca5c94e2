"""A `run:` block: its syntax is checked without executing it; what is compared has no layout and comments."""

from __future__ import annotations

import ast
import re
import warnings

from flowrules.load.problems import Problems
from flowrules.model.rule import RunAction
from flowrules.span import Span
from flowrules.syntax import tree

_HEAD = "if True:\n"


def run_action(node: tree.RunBlock, problems: Problems) -> RunAction | None:
    """The action of a `run:` block; None where it is no Python, which is told at its line."""
    if not node.code.strip():
        problems.error("F228", "`run` is empty", node.name_span)
        return None
    source = node.span.source
    first_line = source.position(node.code_start)[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # such as an odd escape in a string: Python tells that when it runs
        try:
            tree_of_block = ast.parse(_HEAD + node.code)
            compile(tree_of_block, source.name, "exec", dont_inherit=True)
            block = tree_of_block.body[0]
            assert isinstance(block, ast.If)
            code = ast.unparse(ast.Module(block.body, []))
        except SyntaxError as error:
            problems.error("F228", f"no valid Python: {_lower(error.msg)}", _place(node, error))
            return None
        except (RecursionError, MemoryError, ValueError, OverflowError):
            problems.error("F228", "this Python cannot be read: it nests too deeply", node.name_span)
            return None
    return RunAction(_dedented(node.code, tree_of_block), code, source.name, first_line, node.name_span)


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]


def _place(node: tree.RunBlock, error: SyntaxError) -> Span:
    """The place of a syntax error in the Flowfile."""
    lines = node.code.split("\n")
    number = min(max((error.lineno or 2) - 2, 0), len(lines) - 1)
    line = lines[number]
    column = min(max((error.offset or 1) - 1, 0), len(line))
    start = node.code_start + sum(len(text) + 1 for text in lines[:number]) + column
    same = error.end_lineno == error.lineno and (error.end_offset or 0) > (error.offset or 0)
    length = (error.end_offset or 0) - (error.offset or 0) if same else 1
    return Span(node.span.source, start, min(start + max(length, 1), node.code_start + len(node.code)))


def _dedented(code: str, parsed: ast.Module) -> str:
    """The block with the indentation of its first statement removed, but for lines inside strings."""
    lines = code.split("\n")
    inside: set[int] = set()
    for node in ast.walk(parsed):
        if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)):
            inside.update(range(node.lineno, node.end_lineno or node.lineno))
    block = parsed.body[0]
    assert isinstance(block, ast.If)
    first = lines[block.body[0].lineno - 2]
    margin = len(first) - len(first.lstrip())
    for i, line in enumerate(lines):
        if i + 1 not in inside:
            lines[i] = line[min(margin, len(line) - len(line.lstrip())) :]
    return re.sub(r"\s*\Z", "\n", "\n".join(lines))
