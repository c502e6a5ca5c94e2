"""`flowrules explain`: what a code of a diagnostic means, and an example."""

from __future__ import annotations

import click

from flowrules.cli.completing import complete_codes
from flowrules.cli.options import Sections, format_option
from flowrules.cli.texts import output


@click.command("explain", cls=Sections)
@click.argument("codes", nargs=-1, metavar="[CODE]...", shell_complete=complete_codes)
@format_option(["text", "json"])
def explain_command(codes: tuple[str, ...], form: str) -> int:
    """Explain what each CODE of a message means, with an example, and the example put right.

    \b
    flowrules explain F501    one code
    flowrules explain         all codes, by section
    """
    from flowrules.show.explain import codes_json, explanation, explanation_json, render_codes, render_explanations

    out = output()
    if not codes:
        out.text(codes_json() if form == "json" else render_codes(out.color))
        return 0
    found = [explanation(code) for code in dict.fromkeys(code.upper() for code in codes)]
    if form == "json":
        out.text("\n".join(map(explanation_json, found)))
    else:
        out.text(render_explanations(found, color=out.color, width=out.columns))
    return 0
