"""One workflow in one directory: loaded, and planned against the disk and the history."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING

from flowrules.app.memory import Remembering
from flowrules.app.settings import Request, Source
from flowrules.errors import Diagnostic, FlowfileError, UsageError, suggestion
from flowrules.record.disk import Disk

if TYPE_CHECKING:  # imported when they are needed: a call that finds nothing to do loads and plans nothing
    from flowrules.app.book import Key
    from flowrules.load.options import LoadOptions
    from flowrules.model.workflow import Workflow
    from flowrules.plan.build import Planned
    from flowrules.plan.policy import CommandSettings
    from flowrules.ports import FileView, History

NAMES = ("Flowfile", "workflow/Flowfile")
"""Where a Flowfile is looked for."""


def flowfile_of(source: Source) -> str:
    """The path of the Flowfile a call means.

    Raises:
        FlowfileError: there is none.
    """
    if source.flowfile is not None:
        if os.path.isdir(source.flowfile):
            message = f"`{source.flowfile}` is a folder"
            raise FlowfileError([Diagnostic("F705", message, None, f"name the file: `-s {source.flowfile}/Flowfile`")])
        if not os.path.exists(source.flowfile):
            raise FlowfileError([Diagnostic("F705", f"there is no Flowfile `{source.flowfile}`")])
        return source.flowfile
    for name in NAMES:
        if os.path.isfile(name):
            return name
    hint = "go to the folder of a workflow, name a file with `-s FILE`, or begin one with `flowrules init`"
    raise FlowfileError([Diagnostic("F705", "there is no `Flowfile` here, and no `workflow/Flowfile`", None, hint)])


def disk_of(source: Source) -> Disk:
    """The disk of a call: all of it, or the workflow's folders where the workflow is not trusted."""
    if not source.untrusted:
        return Disk(stages=source.stages)
    from flowrules.record.confined import ConfinedDisk

    return ConfinedDisk([".", os.path.dirname(flowfile_of(source)) or "."], stages=source.stages)


def load(source: Source, disk: FileView, environ: Mapping[str, str] = os.environ) -> Workflow:
    """The workflow of a call, checked.

    Raises:
        FlowfileError: with everything that is wrong with it.
    """
    from flowrules.load.lower import load_workflow

    with source.stages, without_gc():
        source.stages.enter("reading the Flowfile")
        return load_workflow(flowfile_of(source), disk, options_of(source, environ))


def options_of(source: Source, environ: Mapping[str, str] = os.environ) -> LoadOptions:
    """How a call wants its workflow read."""
    from flowrules.execute.helpers import import_module
    from flowrules.load.options import LoadOptions

    def importing(path: str) -> ModuleType:
        source.stages.beside(f"importing {path}")
        return import_module(path)

    return LoadOptions(
        config=source.config,
        configfiles=source.configfiles,
        environ=environ,
        import_module=importing,
        no_python=source.no_python,
        untrusted=source.untrusted,
    )


def plan(
    workflow: Workflow, request: Request, disk: Disk, history: History, remembering: Remembering | None = None
) -> Planned:
    """What the request needs; see `flowrules.plan.build.make_plan`.

    Args:
        remembering: with which the workflow was loaded.

    Raises:
        FlowrulesError: as `make_plan`, or the call sets something for a rule that does not exist.
    """
    from flowrules.plan.build import make_plan

    _check_rules(workflow, request.commands)
    with disk.stages, without_gc():
        recalled = remembering.recalled if remembering is not None else None
        return make_plan(
            workflow,
            request.targets,
            disk,
            history,
            request.policy,
            request.commands,
            remembering.files if remembering is not None else None,
            recalled.restored if recalled is not None else None,
            disk.stages,
        )


def _check_rules(workflow: Workflow, commands: CommandSettings) -> None:
    known = [rule.name for rule in workflow.rules]
    for option, names in (("--set-threads", commands.set_threads), ("--set-resources", commands.set_resources)):
        for name in names:
            if name not in known:
                raise UsageError(f"`{option}`: there is no rule `{name}`", suggestion(name, known))


def replanner(
    workflow: Workflow, request: Request, disk: Disk, history: History
) -> Callable[[frozenset[Key]], Planned]:
    """A function that plans the same request again, against the disk as it is then.

    It is told the jobs that have run: those are not forced a second time, others that come to be known are.
    """
    from dataclasses import replace

    def again(ran: frozenset[Key]) -> Planned:
        return plan(workflow, replace(request, policy=replace(request.policy, spared=ran)), disk, history)

    return again


@contextmanager
def without_gc() -> Iterator[None]:
    """Switches the cyclic garbage collector off while millions of objects are made that all stay."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.freeze()  # else the next collection goes through all of them
            gc.enable()
