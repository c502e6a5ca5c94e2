"""`match(regex, text)`: an author's regular expression against text, in bounded time."""

from __future__ import annotations

import re
from typing import Final

from flowrules.expr.site import Site
from flowrules.expr.world import World
from flowrules.model.pattern import is_plain, timed_regex

_LONGEST: Final = 10_000
_REPEATS: Final = re.compile(r"[*+}]\)|\\[1-9]|\(\?P=|[*+}][^)]*\)[*+{]|\|[^)]*\)[*+{]")


def match(world: World, site: Site, regex: object, text: object) -> object:
    """Null where the regular expression does not match the whole text; else true, or what its groups hold.

    Groups with names give a dict, groups without a list. A regular expression that can take long costs more of the
    budget, so that many calls cannot add up to minutes.
    """
    source, subject = site.text(regex, 0), site.text(text, 1)
    if len(source) > _LONGEST:
        raise site.fail("F121", f"the regular expression is longer than {_LONGEST} characters", None, 0)
    if is_plain(source):
        world.meter.take(4 + (len(subject) >> 3), site.span)
        found = re.fullmatch(source, subject, re.DOTALL)
    else:
        risky = _REPEATS.search(source) is not None
        world.meter.take((5000 if risky else 60) + len(subject), site.span)
        found = _timed(site, source, subject)
    if found is None:
        return None
    names, groups = found.groupdict(), found.groups()
    return dict(names) if names else list(groups) if groups else True


def _timed(site: Site, source: str, subject: str) -> re.Match[str] | None:
    try:
        re.compile(source)
        return timed_regex(source)(subject)
    except TimeoutError:
        hint = "nested repetition such as `(a+)+` is the usual cause"
        raise site.fail("F122", "the regular expression takes too long to match", hint, 0) from None
    except (re.error, RecursionError, OverflowError, ValueError) as error:
        raise site.fail("F121", f"this is no valid regular expression: {error}", None, 0) from None
    except Exception as error:  # the `regex` package has an error class of its own, not worth importing it for
        if type(error).__module__.split(".")[0] in ("regex", "_regex_core"):
            raise site.fail("F121", f"this is no valid regular expression: {error}", None, 0) from None
        raise
