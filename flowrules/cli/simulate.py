"""`flowrules simulate`: what a campaign would take and cost, before anything is submitted."""

from __future__ import annotations

import os
from typing import Any

import click

from flowrules.cli.completing import complete_profiles, complete_targets
from flowrules.cli.options import (
    Sections,
    amount,
    format_option,
    number,
    overriding,
    source_of,
    source_options,
)
from flowrules.cli.texts import output
from flowrules.errors import UsageError
from flowrules.model.quantity import Quantity


@click.command("simulate", cls=Sections)
@click.argument("targets", nargs=-1, metavar="[TARGET]...", shell_complete=complete_targets)
@click.option(
    "--profile",
    metavar="NAME or PATH",
    envvar="FLOWRULES_PROFILE",
    shell_complete=complete_profiles,
    help="On this machine (default: $FLOWRULES_PROFILE).",
)
@overriding
@click.option("--nodes", metavar="N,N…", help="Nodes of a block (default: 1, 2, 4 … as the profile allows).")
@click.option(
    "--walltime", metavar="TIME,TIME…", help="Walltime of a block, such as 30min,1h (default: the profile's)."
)
@click.option("-j", "--jobs", callback=number(1), metavar="N", help="At most N jobs at once.")
@click.option("-F", "--forceall", is_flag=True, help="All that the targets need, also what is up to date.")
@format_option(["text", "json"])
@source_options
def simulate_command(**options: Any) -> int:  # noqa: ANN401 - click hands over what it parsed
    """Say what a campaign would take and cost on a profile, for several sizes of its blocks.

    The scheduler that runs jobs is run in virtual time, with the run times that the record knows, or declared ones.
    Nothing is run, nothing is submitted.

    \b
    flowrules simulate --profile polaris                 blocks of 1, 2, 4 … nodes
    flowrules simulate --profile polaris --nodes 8,16 --walltime 30min,1h
    """
    from collections import Counter

    from flowrules.app.drive.batch import profile_of
    from flowrules.app.drive.packing import machine_of
    from flowrules.app.session import disk_of, load, plan
    from flowrules.app.settings import BatchSettings, Request
    from flowrules.app.simulating import choices
    from flowrules.plan.policy import Policy
    from flowrules.record.store import Store
    from flowrules.show.simulate import simulation_lines, simulation_objects
    from flowrules.show.text import json_line

    if not options["profile"]:
        raise UsageError("`simulate` needs `--profile`", "`flowrules profiles list` names profiles")
    name = options["profile"]
    if "/" in name and options["directory"] is not None:  # files of the call are looked for where the user stands
        name = os.path.abspath(name)
    batch = BatchSettings(name, options["sets"], options["launcher"], True, options["jobs"], None, False)
    nodes = [_nodes(text) for text in _listed(options["nodes"])]
    walltimes = [_seconds(text) for text in _listed(options["walltime"])]
    out = output()
    source = source_of(options)
    profile = profile_of(batch, os.environ)
    if profile.scheduler == "none":
        raise UsageError(f"the profile `{profile.name}` has no batch system", "`flowrules profiles list` names others")
    disk = disk_of(source)
    request = Request(
        tuple(options["targets"]), Policy(forceall=options["forceall"], read_ahead=True, only_look=True), batch=batch
    )
    planned = plan(load(source, disk), request, disk, Store.open(read_only=True))
    basis: Counter[str] = Counter()
    found = list(choices(planned, request, profile, nodes, walltimes, basis))
    if options["form"] == "json":
        out.line(json_line(simulation_objects(found, basis)))
    else:
        machine = machine_of(profile, sandbox=False)
        for line in simulation_lines(found, basis, machine, width=out.columns, color=out.color):
            out.line(line)
    return 0


def _listed(text: str | None) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()] if text else []


def _nodes(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise UsageError(f"`--nodes {text}`: nodes are whole numbers from 1 on", "write it like `--nodes 1,2,4`")
    return int(text)


def _seconds(text: str) -> float:
    value = amount(text, f"--walltime {text}")
    if not isinstance(value, Quantity) or value.kind != "seconds" or not value.amount:
        raise UsageError(f"`--walltime {text}`: `{text}` is no time", "write it like `--walltime 30min,1h`")
    return float(value.amount)
