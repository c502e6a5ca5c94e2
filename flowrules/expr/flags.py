"""Functions that flag files: `temp`, `protected`, `ancient`, `directory`, `touch`, `update`, `ensure`, `report`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from flowrules.expr.data import is_list
from flowrules.expr.site import Builtin, Site
from flowrules.expr.world import World
from flowrules.model.pattern import Pattern
from flowrules.model.values import Flagged, Flags, Marked, Unknown


def _flag(flags: Flags) -> Callable[..., object]:
    def run(world: World, site: Site, file: object) -> Flagged:
        return _flagged(site, file, flags)

    return run


def _flagged(site: Site, file: object, flags: Flags) -> Flagged:
    if isinstance(file, str | Pattern | Unknown | Flagged) or file is None or is_list(file):
        return Flagged(file, flags)
    raise site.misfit("a file or a list of files", file)


def _ensure(world: World, site: Site, file: object, non_empty: object = False, sha256: object = None) -> Flagged:
    if not isinstance(non_empty, bool):
        raise site.misfit("`non_empty=true` or `false`", non_empty, 1)
    digest = None
    if sha256 is not None:
        digest = site.text(sha256, 2).lower()
        if not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise site.fail("F117", "`sha256` is 64 hexadecimal digits", None)
    if not non_empty and digest is None:
        raise site.fail("F108", "`ensure` is told nothing to ensure", "write `non_empty=true` or `sha256=…`")
    return _flagged(site, file, Flags(non_empty=non_empty, sha256=digest))


def _report(world: World, site: Site, file: object, caption: object = "", category: object = "") -> Flagged:
    texts = [
        str(value) if isinstance(value, Pattern) else site.text(value, at)
        for at, value in ((1, caption), (2, category))
    ]
    return _flagged(site, file, Flags(report=Marked(*texts)))


FLAG_FUNCTIONS: Final[Mapping[str, Builtin]] = {
    **{
        name: Builtin(_flag(flags), f'{name}("out.txt")', ("file",), 1, waits="never")
        for name, flags in {
            "temp": Flags(temp=True),
            "protected": Flags(protected=True),
            "ancient": Flags(ancient=True),
            "directory": Flags(directory=True),
            "touch": Flags(touch=True),
            "update": Flags(update=True),
        }.items()
    },
    "report": Builtin(
        _report, 'report("plot.png", caption="…", category="…")', ("file", "caption", "category"), 1, waits="never"
    ),
    "ensure": Builtin(_ensure, 'ensure("out.txt", non_empty=true)', ("file", "non_empty", "sha256"), 1, waits="never"),
}
