"""The words of the language, and where each is reserved."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

STATEMENTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "config": "CONFIG",
        "include": "INCLUDE",
        "let": "LET",
        "import": "IMPORT",
        "min_version": "MIN_VERSION",
        "ruleorder": "RULEORDER",
        "envvars": "ENVVARS",
        "on": "ON",
        "wildcards": "WILDCARDS",
        "rule": "RULE",
        "checkpoint": "CHECKPOINT",
        "if": "IF",
        "elif": "ELIF",
        "else": "ELSE",
    }
)
"""Words that begin a statement, with their tokens; reserved only there."""

RULES: Final = frozenset({"rule", "checkpoint"})
BLOCKS: Final = RULES | {"if", "elif", "else"}
"""Words whose statement has an indented body of its own lines."""

KEYWORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "if": "IF",
        "else": "ELSE",
        "for": "FOR",
        "in": "IN",
        "and": "AND",
        "or": "OR",
        "not": "NOT",
        "true": "TRUE",
        "True": "TRUE",
        "false": "FALSE",
        "False": "FALSE",
        "null": "NULL",
        "None": "NULL",
    }
)
"""Words that are never names, except after a dot."""

LINE_WORDS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "config": MappingProxyType({**KEYWORDS, "schema": "SCHEMA", "optional": "OPTIONAL"}),
        "import": MappingProxyType({**KEYWORDS, "as": "AS"}),
    }
)
"""By first word of a statement: the words reserved in it."""

LATER: Final = frozenset({"scatter", "module", "use"})
"""Words of statements that this version knows but cannot do."""

DIRECTIVES: Final = frozenset(
    {
        *("input", "output", "params", "log", "benchmark", "threads", "resources", "retries", "priority", "group"),
        *("local", "wildcards", "message", "env", "container", "conda", "modules", "shadow", "cache"),
        *("shell", "script", "run", "call", "template", "default", "depfile"),
    }
)
"""Names of directives, to tell a mistake at the edge of a rule from any other; `load` decides which exist."""

FOREIGN: Final = frozenset({"class", "def", "del", "for", "while", "with", "try", "async", "assert", "raise", "return"})
"""Python statements; below them stands Python, whatever it looks like."""
