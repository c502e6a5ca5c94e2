"""`flowrules run`: from options to settings, then the app."""

from __future__ import annotations

from typing import Any

import click

from flowrules.app.settings import Request, RunSettings
from flowrules.cli.options import amount, format_option, key_values, source_of, source_options
from flowrules.cli.texts import output
from flowrules.errors import UsageError
from flowrules.plan.build import CommandSettings
from flowrules.plan.policy import HASH_LIMIT, TRIGGERS, Policy


@click.command("run", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Use N cores (default: all this process may use); threads of jobs count.",
)
@click.option("-n", "--dry-run", is_flag=True, help="Show what would run and why; run nothing, write nothing.")
@click.option(
    "--dag",
    "dag",
    is_flag=False,
    flag_value="text",
    metavar="[FORMAT]",
    help="With -n: the DAG too, as text, dot, mermaid, json or svg.",
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
    help="Run these, and what depends on them. May be repeated.",
)
@click.option("--until", multiple=True, metavar="RULE or FILE", help="Run the DAG up to here. May be repeated.")
@click.option(
    "--omit-from",
    multiple=True,
    metavar="RULE or FILE",
    help="Leave these out, and what depends on them. May be repeated.",
)
@click.option(
    "--retries",
    type=click.IntRange(min=0),
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
    type=click.FloatRange(min=0),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="How long an output may take to appear.",
)
@click.option("--log", "log_file", metavar="FILE", help="Write what is shown to this file too.")
@format_option(["text", "json"])
def run_command(**options: Any) -> int:  # noqa: ANN401 - click hands over what it parsed
    """Make TARGETs (files or names of rules), or the first rule.

    \b
    flowrules -n                      what would run, and why
    flowrules -j 4 results/all.csv    make one file, on 4 cores
    flowrules -k -R align             run rule `align` again, go on after failures
    flowrules -C samples=3            with another config value
    """
    request = request_of(options)
    verbose, quiet, form = options.pop("verbose"), options.pop("quiet"), options.pop("form")
    dry, dag, log_file = options.pop("dry_run"), options.pop("dag"), options.pop("log_file")
    if dag is not None and not dry:
        raise UsageError("`--dag` goes with a dry run", "write `flowrules -n --dag`, or `flowrules dag`")
    source = source_of(options)
    if dry:
        from flowrules.app.dryrun import dry_run

        return dry_run(source, request, output(log_file), form, verbose=verbose, quiet=quiet, dag=dag)
    from flowrules.app.running import run

    return run(source, request, output(log_file), form, verbose=verbose, quiet=quiet)


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
    run = RunSettings(
        cores=options.pop("jobs"),
        limits={
            name: _number(amount(value, f"--resources {name}={value}"))
            for name, value in key_values(options.pop("resources"), "--resources", "licences=4")
        },
        keep_going=options.pop("keep_going"),
        retries=options.pop("retries"),
        latency_wait=options.pop("latency_wait"),
        keep_incomplete=options.pop("keep_incomplete"),
        touch=options.pop("touch"),
        print_commands=options.pop("print_commands"),
    )
    return Request(tuple(options.pop("targets")), policy, commands, run)


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
    return int(_number(amount(text, f"--hash-limit {text}")))


def _number(value: object) -> float:
    from flowrules.model.quantity import Quantity

    return value.amount if isinstance(value, Quantity) else value  # type: ignore[return-value]


def _set_threads(texts: tuple[str, ...]) -> dict[str, int]:
    result = {}
    for rule, text in key_values(texts, "--set-threads", "align=8"):
        if not text.isdigit() or int(text) < 1:
            raise UsageError(f"`--set-threads {rule}={text}`: threads are a whole number from 1")
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
