"""`flowrules run-block`: what a job script starts on the first node of a batch job; not for people."""

from __future__ import annotations

import click

from flowrules.cli.options import FOLDER


@click.command("run-block", hidden=True)
@click.argument("folder", type=FOLDER)
def run_block_command(folder: str) -> int:
    """Work off the block in FOLDER."""
    from flowrules.app.block.runner import run_block
    from flowrules.execute.agents import Agents

    return run_block(folder, Agents)
