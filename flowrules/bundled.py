"""Finds the grammar and the profiles: packed into the package in a wheel, beside it in a checkout."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_PACKAGE: Final = Path(__file__).parent


def _folder(name: str) -> Path:
    """The packed copy of a top-level folder of the project, else the checkout's own.

    Raises:
        FileNotFoundError: there is neither, so the installation is damaged.
    """
    packed = _PACKAGE / name
    if packed.is_dir():
        return packed
    beside = _PACKAGE.parent / name
    if beside.is_dir():
        return beside
    raise FileNotFoundError(f"`{name}` is not part of this installation: {packed}")


def grammar_text() -> str:
    """The grammar of the Flowfile language, as lark reads it."""
    return (_folder("grammar") / "flowfile.lark").read_text(encoding="utf-8")


def tables_text() -> str:
    """The parse tables made from the grammar, as JSON; empty where they have not been made."""
    path = _folder("grammar") / "flowfile.tables.json"
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def profiles_folder() -> Path:
    """The folder of the profiles that come with the program."""
    return _folder("profiles")
