"""What people who come from Snakemake or Python write first, and what they meant."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from flowrules.expr.foreign import RESOURCES
from flowrules.span import Span
from flowrules.syntax import tree

UNITS: Final[Mapping[str, str]] = {"mem": "MB", "disk": "MB", "walltime": "min"}
"""Resources that need a unit, with the one that is mostly meant by a bare number."""

_SHADOWED: Final[Mapping[str, str]] = {"gpu": "gpus", "cpu": "threads", "cpus": "threads", "cores": "threads"}


def capitals_hint(node: tree.Let) -> tuple[str, Span, str]:
    """Message, span and hint for a constant whose name is not in capitals."""
    capital = node.name.upper()
    hint = f"write `let {capital} = …`: capitals tell constants from wildcards"
    if not re.fullmatch("[A-Z][A-Z0-9_]*", capital):
        hint = "names of constants are made of A to Z, digits and `_`"
    return f"the constant `{node.name}` is not in capitals", node.name_span, hint


def foreign_resource(name: str, value: str) -> tuple[str, str] | None:
    """Message and hint for a resource that is called otherwise here; None where the name is no such.

    Args:
        value: what the author wrote for it.
    """
    if name in _SHADOWED:
        other = _SHADOWED[name]
        hint = f"write `threads: {value}`" if other == "threads" else f"write `{other}={value}`"
        return f"the resource `{name}` is called `{other}` here", hint
    if name not in RESOURCES:
        return None
    other, unit = RESOURCES[name]
    if re.search(r"\b[0-9.]+[A-Za-z]", value):  # it has a unit already
        shown = value
    elif re.fullmatch(r"[0-9]+", value.strip()):
        shown = f"{value.strip()}{unit}"
    else:
        shown = f"({value}) * 1{unit}" if "\n" not in value else f"…{unit}"
    return f"the resource `{name}` is called `{other}` here, and has a unit", f"write `{other}={shown}`"


def missing_unit(name: str, value: str) -> tuple[str, str]:
    """Message and hint for a resource that is a bare number."""
    unit = UNITS[name]
    return f"`{name}` needs a unit", f"write `{name}={value}{unit}` if that is what you mean"
