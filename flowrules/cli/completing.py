"""What a shell may offer for targets, rules, profiles. Completing runs nothing, changes nothing, never complains."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


def complete_targets(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Rules that are targets by themselves, files that rules are written to make, and whatever lies on disk."""
    return _offer(ctx, incomplete, whole=True)


def complete_rules(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Every rule, files that rules are written to make, and whatever lies on disk."""
    return _offer(ctx, incomplete, whole=False)


def complete_profiles(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Profiles that a name finds; whatever lies on disk where none does."""
    from click.shell_completion import CompletionItem

    from flowrules.app.profiles import all_profiles

    try:
        names = [found for found in all_profiles(os.environ) if found.name.startswith(incomplete)]
    except Exception:  # whatever is wrong is told when the call is made, not while it is typed
        names = []
    return [CompletionItem(found.name, help=found.about or None) for found in names] or [
        CompletionItem(incomplete, type="file")
    ]


def complete_launchers(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Ways to start work on nodes."""
    from click.shell_completion import CompletionItem

    from flowrules.load.profile_keys import LAUNCHERS

    return [CompletionItem(name) for name in LAUNCHERS if name.startswith(incomplete)]


def complete_codes(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Codes of diagnostics, with their titles."""
    from click.shell_completion import CompletionItem

    from flowrules.codes import CODES

    return [CompletionItem(code, help=title) for code, title in CODES.items() if code.startswith(incomplete.upper())]


def _offer(ctx: click.Context, incomplete: str, *, whole: bool) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    try:
        found = [CompletionItem(name, help=text or None) for name, text in _names(ctx, incomplete, whole=whole)]
    except Exception:  # as above: a Flowfile that cannot be read completes nothing
        found = []
    return found or [CompletionItem(incomplete, type="file")]


def _names(ctx: click.Context, incomplete: str, *, whole: bool) -> list[tuple[str, str]]:
    from flowrules.app.naming import names_in

    folder = ctx.params.get("directory") or "."
    return [
        (name, text)
        for name, text in names_in(ctx.params.get("flowfile"), folder, only_whole=whole)
        if name.startswith(incomplete)
    ]
