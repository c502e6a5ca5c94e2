"""`flowrules run`: from options to settings, then the app."""

from __future__ import annotations

import os
from typing import Any

import click

from flowrules.app.settings import BatchSettings, Request, RunSettings
from flowrules.cli.completing import complete_profiles, complete_rules, complete_targets
from flowrules.cli.options import (
    FILE,
    FOLDER,
    Sections,
    amount,
    format_option,
    key_values,
    number,
    overriding,
    source_of,
    source_options,
)
from flowrules.cli.texts import output
from flowrules.errors import UsageError, did_you_mean
from flowrules.model.quantity import Quantity
from flowrules.plan.policy import HASH_LIMIT, TRIGGERS, CommandSettings, Policy

DAG_FORMATS = ("text", "dot", "mermaid", "json", "svg", "html")

SECTIONS = {
    "What runs": (
        "dry_run",
        "dag",
        "force",
        "forceall",
        "forcerun",
        "until",
        "omit_from",
        "rerun_triggers",
        "no_cutoff",
        "hash_limit",
        "touch",
    ),
    "How it runs": (
        "jobs",
        "keep_going",
        "retries",
        "keep_incomplete",
        "latency_wait",
        "resources",
        "default_resources",
        "set_resources",
        "set_threads",
    ),
    "Where it runs": ("profile", "sets", "launcher", "sandbox", "submit", "local_cores", "write_scripts"),
    "What is shown": ("print_commands", "quiet", "verbose", "form", "log_file", "help"),
}


@click.command("run", cls=Sections, sections=SECTIONS)
@click.argument("targets", nargs=-1, metavar="[TARGET]...", shell_complete=complete_targets)
@click.option(
    "-j",
    "--jobs",
    callback=number(1),
    metavar="N",
    help="Use N cores (default: all this process may use); threads of jobs count. With a batch profile: "
    "run N jobs at once (default: as many as fit).",
)
@click.option("-n", "--dry-run", is_flag=True, help="Show what would run and why; run nothing, write nothing.")
@click.option(
    "--dag",
    "dag",
    is_flag=False,
    flag_value="text",
    metavar="[FORMAT]",
    help="With -n: the DAG too, as text; or only the DAG, as dot, mermaid, json, svg or html.",
)
@click.option("-p", "--print-commands", is_flag=True, help="Print each command.")
@source_options
@click.option("-k", "--keep-going", is_flag=True, help="Go on with jobs that do not depend on a failed one.")
@click.option("-f", "--force", is_flag=True, help="Run the targets whatever their state.")
@click.option("-F", "--forceall", is_flag=True, help="Run everything the targets need.")
@click.option(
    "-R",
    "--forcerun",
    multiple=True,
    metavar="RULE or FILE",
    shell_complete=complete_rules,
    help="Run these, and what depends on them. May be repeated.",
)
@click.option(
    "--until",
    multiple=True,
    metavar="RULE or FILE",
    shell_complete=complete_rules,
    help="Run the DAG up to here. May be repeated.",
)
@click.option(
    "--omit-from",
    multiple=True,
    metavar="RULE or FILE",
    shell_complete=complete_rules,
    help="Leave these out, and what depends on them. May be repeated.",
)
@click.option(
    "--retries",
    type=str,
    callback=number(0),
    default=0,
    metavar="N",
    help="Further attempts of failed jobs, for rules that do not say.",
)
@click.option(
    "--rerun-triggers", metavar="LIST", help=f"What is a reason to run again, of {','.join(TRIGGERS)} (default: all)."
)
@click.option("--touch", is_flag=True, help="Accept existing outputs as up to date instead of running.")
@click.option("--no-cutoff", is_flag=True, help="Timestamps decide, even where content is the same.")
@click.option("--hash-limit", metavar="SIZE", help="Compare content of files up to this size (default: 1MiB).")
@click.option("--keep-incomplete", is_flag=True, help="Keep partial outputs of failed jobs beside their place.")
@click.option(
    "--resources", multiple=True, metavar="NAME=N", help="Limit of a resource for all jobs together. May be repeated."
)
@click.option(
    "--default-resources", multiple=True, metavar="NAME=V", help="Resource of rules that do not say. May be repeated."
)
@click.option("--set-resources", multiple=True, metavar="RULE:NAME=V", help="Resource of a rule. May be repeated.")
@click.option("--set-threads", multiple=True, metavar="RULE=N", help="Threads of a rule. May be repeated.")
@click.option(
    "--latency-wait",
    type=str,
    callback=number(0, whole=False),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="How long an output may take to appear.",
)
@click.option(
    "--profile",
    metavar="NAME or PATH",
    envvar="FLOWRULES_PROFILE",
    shell_complete=complete_profiles,
    help="Run where and how this profile says (default: $FLOWRULES_PROFILE; `local` is this machine).",
)
@overriding
@click.option("--sandbox", is_flag=True, help="Emulate the profile's batch system and nodes on this machine.")
@click.option("--submit", is_flag=True, help="Hand all to the batch system, block after block, and leave no driver.")
@click.option(
    "--local-cores",
    type=str,
    callback=number(1),
    metavar="N",
    help="With a batch profile: jobs at once beside the driver, of rules with `local: true`.",
)
@click.option(
    "--write-scripts",
    type=FOLDER,
    metavar="DIR",
    help="With a batch profile: write the job scripts of the packing there, submit nothing. With `--launcher parallel` "
    "they are plain ones: GNU Parallel and ssh, nothing of flowrules.",
)
@click.option("--log", "log_file", type=FILE, metavar="FILE", help="Write what is shown to this file too.")
@format_option(["text", "json"])
def run_command(**options: Any) -> int:  # noqa: ANN401 - click hands over what it parsed
    """Make TARGETs (files or names of rules), or the first rule.

    \b
    flowrules -n                      what would run, and why
    flowrules -j 4 results/all.csv    make one file, on 4 cores
    flowrules -k -R align             run rule `align` again, go on after failures
    flowrules -C samples=3            with another config value
    flowrules --profile polaris       in packed batch jobs (-n shows them)
    flowrules --profile polaris --sandbox    the same, tried on this machine
    """
    request = request_of(options)
    scripts = options.pop("write_scripts")
    if scripts is not None and request.batch is None:
        raise UsageError("`--write-scripts` goes with `--profile`")
    out = output(options.pop("log_file"))
    verbose, quiet, form = options["verbose"], options["quiet"], options.pop("form")
    dry, dag = options.pop("dry_run"), options.pop("dag")
    source = source_of(options)
    if dry:
        from flowrules.app.dryrun import dry_run

        return dry_run(source, request, out, form, verbose=verbose, quiet=quiet, dag=_dag_form(dag, form))
    if scripts is not None:
        from flowrules.app.scripts import write_scripts

        return write_scripts(source, request, out, scripts)
    if dag is not None:
        raise UsageError("`--dag` goes with a dry run", "write `flowrules -n --dag`, or `flowrules dag`")
    from flowrules.app.running import run

    return run(source, request, out, form, verbose=verbose, quiet=quiet)


def _dag_form(asked: str | None, form: str) -> str | None:
    """The form in which a dry run shows the DAG; with `--format json` it is a part of the one JSON object.

    Raises:
        UsageError: there is no such form, or it cannot be a part of JSON.
    """
    if asked is None:
        return None
    if asked not in DAG_FORMATS:
        near = did_you_mean(asked, DAG_FORMATS)
        hint = f"did you mean `{near}`?" if near else f"write the target first: `flowrules -n {asked} --dag`"
        raise UsageError(f"`--dag {asked}`: a DAG is shown as {', '.join(DAG_FORMATS)}", hint)
    if form == "json":
        if asked not in ("text", "json"):  # text is what `--dag` alone means
            raise UsageError(f"`--format json` and `--dag {asked}` contradict each other")
        return "json"
    return asked


def request_of(options: dict[str, Any]) -> Request:
    """The settings of a call; takes its options out of the dictionary.

    Raises:
        UsageError: a value is malformed.
    """
    policy = Policy(
        force=options.pop("force"),
        forceall=options.pop("forceall"),
        forcerun=options.pop("forcerun"),
        until=options.pop("until"),
        omit_from=options.pop("omit_from"),
        triggers=_triggers(options.pop("rerun_triggers")),
        cutoff=not options.pop("no_cutoff"),
        hash_limit=_size(options.pop("hash_limit")),
        read_ahead=bool(options["dry_run"]),
    )
    commands = CommandSettings(
        set_threads=_set_threads(options.pop("set_threads")),
        set_resources=_set_resources(options.pop("set_resources")),
        default_resources={
            name: amount(value, f"--default-resources {name}={value}")
            for name, value in key_values(options.pop("default_resources"), "--default-resources", "mem=4GB")
        },
    )
    batch = batch_of(options)
    run = RunSettings(
        cores=options.pop("jobs"),
        limits={
            name: _plain(amount(value, f"--resources {name}={value}"))
            for name, value in key_values(options.pop("resources"), "--resources", "licences=4")
        },
        keep_going=options.pop("keep_going"),
        retries=options.pop("retries"),
        latency_wait=options.pop("latency_wait"),
        keep_incomplete=options.pop("keep_incomplete"),
        touch=options.pop("touch"),
        print_commands=options.pop("print_commands"),
    )
    return Request(tuple(options.pop("targets")), policy, commands, run, batch)


def batch_of(options: dict[str, Any]) -> BatchSettings | None:
    """What the call says of a profile; None where it names none. Takes its options out of the dictionary.

    Raises:
        UsageError: an option goes with a profile, and there is none.
    """
    profile = options.pop("profile")
    sets, launcher, sandbox = options.pop("sets"), options.pop("launcher"), options.pop("sandbox")
    local_cores, submit = options.pop("local_cores"), options.pop("submit")
    if not profile:
        others = (
            ("--set", sets),
            ("--launcher", launcher),
            ("--sandbox", sandbox),
            ("--submit", submit),
            ("--local-cores", local_cores),
        )
        for option, given in others:
            if given:
                raise UsageError(f"`{option}` goes with `--profile`", "`flowrules profiles list` names profiles")
        return None
    if "/" in profile and options["directory"] is not None:  # files of the call are looked for where the user stands
        profile = os.path.abspath(profile)
    alone = submit or options.get("write_scripts") is not None
    return BatchSettings(profile, sets, launcher, sandbox, options["jobs"], local_cores, submit, alone)


def _triggers(text: str | None) -> frozenset[str]:
    if text is None:
        return frozenset(TRIGGERS)
    names = {name.strip() for name in text.split(",") if name.strip()}
    unknown = sorted(names - set(TRIGGERS))
    if unknown:
        raise UsageError(f"`--rerun-triggers` does not know `{unknown[0]}`", f"it takes {', '.join(TRIGGERS)}")
    return frozenset(names)


def _size(text: str | None) -> int:
    if text is None:
        return HASH_LIMIT
    size = amount(text, f"--hash-limit {text}")
    if isinstance(size, Quantity) and size.kind != "bytes":
        raise UsageError(f"`--hash-limit {text}`: `{text}` is no size", "write it like `--hash-limit 10MB`")
    return int(_plain(size))


def _plain(value: float | Quantity) -> float:
    return value.amount if isinstance(value, Quantity) else value


def _set_threads(texts: tuple[str, ...]) -> dict[str, int]:
    result = {}
    for rule, text in key_values(texts, "--set-threads", "align=8"):
        if not text.isdigit() or int(text) < 1:
            raise UsageError(f"`--set-threads {rule}={text}`: threads are a whole number from 1 on")
        result[rule] = int(text)
    return result


def _set_resources(texts: tuple[str, ...]) -> dict[str, dict[str, object]]:
    result: dict[str, dict[str, object]] = {}
    for key, text in key_values(texts, "--set-resources", "align:mem=16GB"):
        rule, colon, name = key.partition(":")
        if not colon or not rule or not name:
            raise UsageError(
                f"`--set-resources {key}={text}` names no rule", "write it like `--set-resources align:mem=16GB`"
            )
        result.setdefault(rule, {})[name] = amount(text, f"--set-resources {key}={text}")
    return result
