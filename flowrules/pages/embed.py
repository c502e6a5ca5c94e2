"""Puts values into a page: deflated, in base64, so that no text in them can end the element that holds them."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from typing import Final

LEVEL: Final = 6
"""Of compression; 9 takes three times as long for a few percent."""


def packed(value: object) -> str:
    """A value of JSON as `unpacked` of base.js reads it: characters of base64 and nothing else.

    Lone surrogates, which names of files may hold, go through as JSON's escapes.
    """
    text = json.dumps(value, separators=(",", ":"))
    return base64.b64encode(zlib.compress(text.encode("ascii"), LEVEL)).decode("ascii")


def packed_all(data: Mapping[str, object]) -> list[tuple[str, str]]:
    """Names with packed values.

    Raises:
        ValueError: a name is none that can stand in an attribute and a selector.
    """
    for name in data:
        if not name.replace("-", "").isalnum() or not name.isascii():
            raise ValueError(f"`{name}` is no name for data of a page")
    return [(name, packed(value)) for name, value in data.items()]
