"""Finds the grammar and the profiles, packed into the package in a wheel, beside it in a checkout; and explanations."""

from __future__ import annotations

import os
from typing import Final

_PACKAGE: Final = os.path.dirname(os.path.abspath(__file__))


def _folder(name: str) -> str:
    """The packed copy of a top-level folder of the project, else the checkout's own.

    Raises:
        FileNotFoundError: there is neither, so the installation is damaged.
    """
    packed = os.path.join(_PACKAGE, name)
    for folder in (packed, os.path.join(os.path.dirname(_PACKAGE), name)):
        if os.path.isdir(folder):
            return folder
    raise FileNotFoundError(f"`{name}` is not part of this installation: {packed}")


def grammar_text() -> str:
    """The grammar of the Flowfile language, as lark reads it."""
    return _read(os.path.join(_folder("grammar"), "flowfile.lark"))


def tables_text() -> str:
    """The parse tables made from the grammar, as JSON; empty where they have not been made."""
    path = os.path.join(_folder("grammar"), "flowfile.tables.json")
    return _read(path) if os.path.isfile(path) else ""


def profiles_folder() -> str:
    """The folder of the profiles that come with the program."""
    return _folder("profiles")


def explanations_text(section: str) -> str:
    """What is said of the codes of a section, in Markdown; `flowrules.show.explain` reads it."""
    return _read(os.path.join(_PACKAGE, "explained", f"{section}.md"))


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()
