"""Reads the styles, scripts, libraries and templates that go into pages; the one place here that touches the disk."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Final

from flowrules.show.text import escape

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

FOLDER: Final = os.path.join(os.path.dirname(os.path.abspath(__file__)), "assets")


@cache
def asset(name: str) -> str:
    """The text of a file below `assets/`."""
    with open(os.path.join(FOLDER, name), encoding="utf-8") as file:
        return file.read()


def library(name: str) -> str:
    """A vendored library, as it was published; it names its author in its first line."""
    return asset(f"vendor/{name}.min.js").rstrip("\n")


def licences(libraries: tuple[str, ...]) -> str:
    """The licences of libraries, each text once, with what it is for: copies of a library have to carry it."""
    by_text: dict[str, list[str]] = {}
    for name in libraries:
        by_text.setdefault(asset(f"vendor/{name}.LICENSE").strip(), []).append(name)
    return "\n\n".join([f"{', '.join(names)}:\n{text}" for text, names in by_text.items()])


@cache
def environment() -> Environment:
    """Templates, in which every value is escaped unless it is Markup."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(os.path.join(FOLDER, "templates"))
    made = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters["spelt"] = escape  # what hides text or changes its order
    made.filters["coded"] = _coded
    return made


def _coded(text: str) -> Markup:
    """A message of the program, what stands in backticks set as code."""
    from markupsafe import Markup, escape

    parts = [escape(part) for part in text.split("`")]
    if len(parts) % 2 == 0:
        return escape(text)
    return Markup("").join([Markup("<code>{}</code>").format(p) if i % 2 else p for i, p in enumerate(parts)])
