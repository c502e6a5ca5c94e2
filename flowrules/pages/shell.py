"""The frame of every page: head, policy, styles, header with theme switch, data, scripts.

A page is one document that works from a file, a mail or a web server: its policy (CSP) forbids it to ask for anything,
and names by their hashes the one style and the one script it may use, so that no text of a workflow becomes either.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from flowrules.pages.assets import asset, environment, library, licences
from flowrules.pages.embed import packed_all
from flowrules.pages.states import state_rows
from flowrules.show.text import escape
from flowrules.version import __version__

ZOOM: Final = (
    "d3-dispatch",
    "d3-selection",
    "d3-drag",
    "d3-timer",
    "d3-ease",
    "d3-color",
    "d3-interpolate",
    "d3-transition",
    "d3-zoom",
)
"""Libraries of what can be panned and zoomed, in the order in which they need each other."""

_ENDS: Final = re.compile(r"</(?:script|style)|<!--", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Page:
    """What makes one page differ from another.

    Attributes:
        title: in the header and the browser's tab; subtitle: beside it.
        template: below `assets/templates`, extends `shell.html.j2`; values: its names.
        styles, scripts: below `assets`, in this order after those every page has.
        libraries: names below `assets/vendor`.
        data: what scripts read by `unpacked(name)`.
        made: when and from what, for the footer.
        images, frames: pictures and documents are embedded as `data:`.
    """

    title: str
    template: str
    subtitle: str = ""
    values: Mapping[str, object] = field(default_factory=dict)
    styles: Sequence[str] = ()
    scripts: Sequence[str] = ()
    libraries: Sequence[str] = ()
    data: Mapping[str, object] = field(default_factory=dict)
    made: str = ""
    images: bool = False
    frames: bool = False


def render_page(page: Page) -> str:
    """The document, from its doctype to a newline at the end.

    Raises:
        ValueError: a style or script of the program would end its own element.
    """
    from markupsafe import Markup

    libraries = tuple(dict.fromkeys(page.libraries))
    style = _inside("\n".join([asset(name) for name in ("base.css", *page.styles)]))
    own = "\n".join([asset(name) for name in ("base.js", "marks.js", *page.scripts)])
    code = "\n".join([library(name) for name in libraries])
    script = _inside(f'{_comment(licences(libraries))}{code}\n(() => {{\n"use strict";\n{own}\n}})();\n')
    text = (
        environment()
        .get_template(page.template)
        .render(
            title=escape(page.title),
            subtitle=escape(page.subtitle),
            policy=policy(style, script, images=page.images, frames=page.frames),
            style=Markup(style),
            script=Markup(script),
            data=packed_all({"states": state_rows(), **page.data}),
            made=escape(page.made),
            version=__version__,
            **page.values,
        )
    )
    return text.rstrip("\n") + "\n"


def policy(style: str, script: str, *, images: bool = False, frames: bool = False) -> str:
    """The Content-Security-Policy of a page with one style and one script."""
    parts = ["default-src 'none'", f"style-src '{_hash(style)}'", f"script-src '{_hash(script)}'"]
    parts += ["img-src data: blob:"] if images else ["img-src data:"]
    parts += ["frame-src data: blob:"] if frames else []
    return "; ".join([*parts, "base-uri 'none'", "form-action 'none'"])


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def _comment(text: str) -> str:
    return f"/*!\n{text}\n*/\n" if text else ""


def _inside(text: str) -> str:
    found = _ENDS.search(text)
    if found is not None:
        raise ValueError(f"`{found[0]}` in a style or script would end it")
    return text
