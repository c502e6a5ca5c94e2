"""Which observer suits a run: JSON lines, quiet, live on a terminal, plain elsewhere."""

from __future__ import annotations

from flowrules.ports import Observer
from flowrules.show.output import Output
from flowrules.show.progress import JsonObserver, PlainObserver, QuietObserver


def observer_for(
    output: Output, form: str = "text", *, verbose: bool = False, quiet: bool = False, commands: bool = False
) -> Observer:
    """The observer that shows a run on an output.

    Args:
        form: `text` or `json`.
        verbose: show starts with their reasons, and jobs that turned out not to be needed.
        quiet: show only what went wrong.
        commands: show each command when it starts.
    """
    if form == "json":
        return JsonObserver(output)
    if quiet:
        return QuietObserver(output)
    if output.terminal:
        from flowrules.show.live import LiveObserver  # rich is heavy to import

        return LiveObserver(output, verbose=verbose, commands=commands)
    return PlainObserver(output, verbose=verbose, commands=commands)
