"""`--write-scripts`: the job scripts of a packing, to be looked at; nothing is submitted."""

from __future__ import annotations

import os
import shlex
import sys

from flowrules.app.batch import profile_of
from flowrules.app.packing import machine_of, packed
from flowrules.app.session import disk_of, load, plan
from flowrules.app.settings import Request, Source
from flowrules.errors import FlowrulesError, UsageError
from flowrules.execute.jobscript import ScriptBlock, render_script
from flowrules.record.blockfiles import block_path
from flowrules.record.store import Store
from flowrules.show.output import Output
from flowrules.show.packing import packing_lines
from flowrules.show.text import escape


def write_scripts(source: Source, request: Request, output: Output, folder: str) -> int:
    """Writes a script for each block, and shows the packing. Returns the exit status.

    Raises:
        FlowrulesError: the workflow, the profile or the call has a mistake, or a script cannot be written.
    """
    assert request.batch is not None
    profile = profile_of(request.batch, os.environ)
    if profile.scheduler == "none":
        raise UsageError(f"the profile `{profile.name}` has no batch system, and so no job scripts")
    disk = disk_of(source)
    planned = plan(load(source, disk), request, disk, Store.open(read_only=True))
    packing, shown = packed(planned, request, profile)
    machine = machine_of(profile, sandbox=request.batch.sandbox)
    for line in packing_lines(packing, shown, machine, width=output.columns, color=output.color):
        output.line(line)
    directory = os.getcwd()
    for number, block in enumerate(shown, 1):
        name = f"b{number:03d}"
        path = block_path(directory, name)
        command = shlex.join([sys.executable, "-m", "flowrules", "run-block", path])
        script = ScriptBlock(f"fr-{name}", block.nodes, block.walltime, block.queue, path, directory)
        _write(folder, f"{name}.sh", render_script(profile, script, command))
        output.line(f"wrote {escape(os.path.join(folder, name))}.sh")
    return 0


def _write(folder: str, name: str, text: str) -> None:
    path = os.path.join(folder, name)
    try:
        os.makedirs(folder, exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise FlowrulesError(f"`{path}` cannot be written: {(error.strerror or str(error)).lower()}") from None
