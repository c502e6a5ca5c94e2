"""`--write-scripts`: the job scripts of a packing, to be looked at, or plain ones to be submitted by hand."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from flowrules.app.drive.batch import profile_of
from flowrules.app.drive.packing import machine_of, packed
from flowrules.app.session import disk_of, load, plan
from flowrules.app.settings import Request, Source
from flowrules.errors import FlowrulesError, UsageError
from flowrules.execute.jobscript import ScriptBlock, render_script
from flowrules.model.dispatch import BlockPlan
from flowrules.model.profile import Profile
from flowrules.record.blockfiles import block_path
from flowrules.record.store import Store
from flowrules.show.output import Output
from flowrules.show.packing import packing_lines
from flowrules.show.text import counted, escape

if TYPE_CHECKING:
    from flowrules.model.block import BlockSpec, Task
    from flowrules.model.job import Job


def write_scripts(source: Source, request: Request, output: Output, folder: str) -> int:
    """Writes a script for each block, and shows the packing. Returns the exit status.

    With launcher `parallel` these are plain scripts that hold their jobs; else they start the runner of a block that
    there is only in a campaign.

    Raises:
        FlowrulesError: the workflow, the profile or the call has a mistake, or a script cannot be written.
    """
    assert request.batch is not None
    profile = profile_of(request.batch, os.environ)
    if profile.scheduler == "none":
        raise UsageError(f"the profile `{profile.name}` has no batch system, and so no job scripts")
    disk = disk_of(source)
    workflow = load(source, disk)
    planned = plan(workflow, request, disk, Store.open(read_only=True))
    packing, shown = packed(planned, request, profile)
    machine = machine_of(profile, sandbox=request.batch.sandbox)
    for line in packing_lines(packing, shown, machine, width=output.columns, color=output.color):
        output.line(line)
    if profile.launcher == "parallel":
        from flowrules.app.attempt import Workshop
        from flowrules.app.drive.handing import Handing
        from flowrules.app.drive.tasks import TaskMaker
        from flowrules.app.plain import OVERHEAD
        from flowrules.execute import machine as here

        limit = request.policy.hash_limit
        workshop = Workshop(disk, request.run, workflow.config, None, here.host(), "", limit)
        yard = _Yard(profile, request, output, folder)
        given = Handing(planned, request, profile, request.batch.max_jobs, TaskMaker(workshop, 0), yard, OVERHEAD).run()
        for why, count in given.left.items():
            output.line(f"left to `flowrules`: {counted(count, 'job')} {why}")
        return 1 if given.refused else 0
    directory = os.getcwd()
    for number, block in enumerate(shown, 1):
        name = f"b{number:03d}"
        path = block_path(directory, name)
        command = shlex.join([sys.executable, "-m", "flowrules", "run-block", path])
        script = ScriptBlock(f"fr-{name}", block.nodes, block.walltime, block.queue, path, directory)
        _write(folder, f"{name}.sh", render_script(profile, script, command))
        output.line(f"wrote {escape(os.path.join(folder, name))}.sh")
    return 0


class _Yard:
    """Blocks as plain scripts in a folder: `b001.sh` for the batch system starts `b001/plain.sh`."""

    def __init__(self, profile: Profile, request: Request, output: Output, folder: str) -> None:
        assert request.batch is not None
        self._profile = profile
        self._request = request
        self._sandbox = request.batch.sandbox
        self._output = output
        self._folder = os.path.abspath(folder)
        self._specs: dict[str, BlockSpec] = {}
        self._tasks: dict[str, list[Task]] = {}
        self._mark = os.urandom(6).hex()

    def open(self, plan: BlockPlan, running: int | None, after: Sequence[str], tokens: Mapping[str, float]) -> str:
        from flowrules.model.block import BlockSpec
        from flowrules.schedule.queues import choose

        profile, name = self._profile, f"b{len(self._specs) + 1:03d}"
        offer = choose(profile, plan.nodes, plan.walltime, {})
        path = f"{self._folder}/{name}"
        try:
            os.makedirs(path, mode=0o700)
            os.mkdir(f"{path}/cmd", 0o700)
        except OSError as error:
            hint = "choose a folder that has no scripts of an earlier call" if os.path.isdir(path) else None
            raise UsageError(f"cannot make `{path}`: {(error.strerror or str(error)).lower()}", hint) from None
        self._specs[name] = BlockSpec(
            campaign=self._mark,
            block=name,
            name=f"fr-{name}",
            nonce=self._mark,
            directory=os.getcwd(),
            nodes=offer.nodes,
            walltime=offer.walltime,
            node=profile.node,
            launcher="local" if self._sandbox else profile.launcher,
            worker_init=profile.worker_init,
            running=running,
            latency_wait=profile.latency_wait,
            keep_incomplete=self._request.run.keep_incomplete,
            queue=offer.queue.name,
            after=tuple(after),
            tokens=dict(tokens),
            plain=True,
        )
        return name

    def cmd_folder(self, block: str) -> str:
        return f"{self._folder}/{block}/cmd"

    def remember(self, job: Job, task: Task) -> None:
        """Nothing: the next run believes what lies in the files' places."""

    def hand(self, block: str, tasks: Sequence[Task]) -> None:
        self._tasks.setdefault(block, []).extend(tasks)

    def is_taken(self, block: str) -> bool:
        from flowrules.app.plain import SCRIPT, Kept, plain_text

        spec, path = self._specs[block], f"{self._folder}/{block}"
        before = [(self._mark, f"{self._folder}/{name}") for name in spec.after]
        text = plain_text(spec, self._tasks.pop(block), Kept(path, before, reach=not self._sandbox, once=False))
        _write(path, SCRIPT, text)
        shown = ScriptBlock(spec.name, spec.nodes, spec.walltime, spec.queue, path, spec.directory)
        command = shlex.join(["bash", f"{path}/{SCRIPT}"])
        _write(self._folder, f"{block}.sh", render_script(self._profile, shown, command))
        then = f", to be submitted so that it begins after {', '.join(spec.after)}" if spec.after else ""
        self._output.line(f"wrote {escape(os.path.join(self._folder, block))}.sh{then}")
        return True

    def drop(self, block: str) -> None:
        """The folder stays, empty."""

    def tell(self, text: str) -> None:
        self._output.line(text)


def _write(folder: str, name: str, text: str) -> None:
    path = os.path.join(folder, name)
    try:
        os.makedirs(folder, exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise FlowrulesError(f"`{path}` cannot be written: {(error.strerror or str(error)).lower()}") from None
