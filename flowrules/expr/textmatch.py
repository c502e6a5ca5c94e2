"""`match(regex, text)`: an author's regular expression against text, in bounded time."""

from __future__ import annotations

import re
from typing import Any, Final

from flowrules.expr.site import Site
from flowrules.expr.world import World
from flowrules.model.pattern import MATCH_SECONDS, is_plain

_LONGEST: Final = 10_000
_TRIES: Final = ((100, 0.0001), (20_000, 0.005), (4_000_000, MATCH_SECONDS))
"""Steps and seconds of one attempt after the other: many calls cannot add up to minutes, and most need the first."""


def match(world: World, site: Site, regex: object, text: object) -> object:
    """Null where the regular expression does not match the whole text; else true, or what its groups hold.

    Groups with names give a dict, groups without a list.
    """
    source, subject = site.text(regex, 0), site.text(text, 1)
    if len(source) > _LONGEST:
        raise site.fail("F121", f"the regular expression is longer than {_LONGEST} characters", None, 0)
    if is_plain(source):
        world.meter.take(4 + (len(subject) >> 3), site.span)
        found = re.fullmatch(source, subject, re.DOTALL)
    else:
        found = _timed(world, site, source, subject)
    if found is None:
        return None
    names, groups = found.groupdict(), found.groups()
    return dict(names) if names else list(groups) if groups else True


def _timed(world: World, site: Site, source: str, subject: str) -> re.Match[str] | None:
    compiled = _compiled(world, site, source)
    for steps, seconds in _TRIES:
        world.meter.take(steps + len(subject), site.span)
        try:
            found: re.Match[str] | None = compiled.fullmatch(subject, timeout=seconds)
            return found
        except TimeoutError:
            continue
    hint = "nested repetition such as `(a+)+` is the usual cause"
    raise site.fail("F122", "the regular expression takes too long to match", hint, 0)


def _compiled(world: World, site: Site, source: str) -> Any:  # noqa: ANN401
    """The regular expression, compiled by the engine that can be stopped; both engines keep what they compiled."""
    import regex  # heavy to import, and rarely needed

    try:
        re.compile(source)
        return regex.compile(source, regex.DOTALL)
    except (re.error, regex.error, RecursionError, OverflowError, ValueError) as error:
        reason = "it nests too deeply" if isinstance(error, RecursionError) else str(error)
        raise site.fail("F121", f"this is no valid regular expression: {reason}", None, 0) from None
