"""`lint`: what the load noticed and the risky habits of a workflow, as text or as JSON lines."""

from __future__ import annotations

from flowrules.app.session import disk_of, flowfile_of, options_of, without_gc
from flowrules.app.settings import Source
from flowrules.load.lint import lint_workflow
from flowrules.load.lower import load_with_text
from flowrules.show.output import Output
from flowrules.show.problems import pointer, render_json, render_text, summary_line


def lint(source: Source, output: Output, form: str) -> int:
    """Shows every warning. Returns the exit status: 0 where there is none, else 1.

    Raises:
        FlowfileError: the workflow has mistakes.
    """
    disk = disk_of(source)
    with without_gc():
        found = lint_workflow(load_with_text(flowfile_of(source), disk, options_of(source)), disk)
    if form == "json":
        output.text(render_json(found))
    elif found:
        output.line(render_text(found, color=output.color, width=output.columns))
        output.line()
        output.line(summary_line(found))
        if output.terminal:
            output.line(pointer(found, output.color))
    else:
        output.line("no mistakes, no risky habits")
    return 1 if found else 0
