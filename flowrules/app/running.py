"""A run from lock to summary: puts the parts together, starts the loop, and leaves everything in order."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from types import FrameType
from typing import TYPE_CHECKING

from flowrules.app.hooks import run_hooks
from flowrules.app.intake import Intake
from flowrules.app.loop import Loop
from flowrules.app.memory import Remembering
from flowrules.app.parts import Result
from flowrules.app.resources import sizer
from flowrules.app.session import disk_of, flowfile_of, load, plan
from flowrules.app.setting import Setting, tell_plan
from flowrules.app.settings import Request, RunSettings, Source
from flowrules.app.temps import remove_leftovers
from flowrules.app.touch import touch
from flowrules.errors import FlowrulesError
from flowrules.execute import machine
from flowrules.execute.guard import start_guard, sweep
from flowrules.execute.local import LocalExecutor
from flowrules.model.events import Capacity
from flowrules.model.plan import Plan
from flowrules.model.progress import RunSummary
from flowrules.model.workflow import Workflow
from flowrules.plan.build import Planned
from flowrules.ports import UNSEEN, Observer
from flowrules.record.disk import STATE_FOLDER, Disk
from flowrules.record.lock import HeldLock, acquire
from flowrules.record.owner import Owner
from flowrules.record.store import Store
from flowrules.schedule.core import Scheduler
from flowrules.show.output import Output
from flowrules.show.text import counted
from flowrules.version import __version__

if TYPE_CHECKING:
    from flowrules.app.drive.batch import Campaign

DONE, FAILED, INTERRUPTED = 0, 1, 130
PLANS_PER_RUN = 50
"""A run that took so many times what planning takes plans once more at its end, so that the next call need not."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run that is over: its result with the plan it speaks of, and how long it took in seconds."""

    result: Result
    plan: Plan
    elapsed: float

    @property
    def status(self) -> int:
        """The documented exit status."""
        if self.result.interrupted:
            return INTERRUPTED
        return FAILED if self.result.failed or self.result.blocked or self.result.stranded else DONE


def run(source: Source, request: Request, output: Output, form: str, *, verbose: bool, quiet: bool) -> int:
    """Loads, plans and runs what a call asks for, shown on an output. Returns the exit status.

    Raises:
        FlowrulesError: the workflow or the call has a mistake, or the directory cannot be used.
    """
    from flowrules.show.observers import observer_for

    disk = disk_of(source)
    remembering = Remembering(source, request, flowfile_of(source), disk)
    workflow = load(source, remembering.files, remembering.environ)
    observer = observer_for(output, form, verbose=verbose, quiet=quiet, commands=request.run.print_commands)
    try:
        return execute(workflow, request, disk, observer, remembering).status
    finally:
        observer.close()


def execute(
    workflow: Workflow, request: Request, disk: Disk, observer: Observer, remembering: Remembering | None = None
) -> Run:
    """Runs a loaded workflow in the working directory, which it holds meanwhile.

    Args:
        remembering: with which the workflow was loaded; None where plans are not to be remembered.
    """
    begun = time.monotonic()
    if request.batch is not None:
        from flowrules.app.drive.batch import settled

        request = settled(request)
    run_id = f"{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}-{os.urandom(3).hex()}"
    with ExitStack() as stack:
        owner = Owner.here(run=run_id, command=shlex.join(["flowrules", *sys.argv[1:]]))
        lock = stack.enter_context(acquire(".", owner, tell=observer.warn))
        if request.batch is None and os.path.isdir(f"{STATE_FOLDER}/blocks"):
            from flowrules.app.drive.beside import refuse_beside_blocks

            refuse_beside_blocks()
        if lock.previous is not None and lock.previous.run:
            _take_over(lock, observer, to_blocks=request.batch is not None)
        store = Store.open()
        store.fence = lock.look_again
        stack.callback(store.close)
        for warning in store.warnings:
            observer.warn(warning)
        campaign = _campaign(request, lock, store, observer)
        planned, planning = _plan(workflow, request, disk, store, remembering)
        disk.stages = UNSEEN  # from here on the observer shows what goes on, on the same terminal
        for noticed in planned.plan.warnings:
            observer.message(f"{noticed.span}: warning[{noticed.code}]: {noticed.message}")
        observer.plan_ready(planned.plan)
        tell_plan(lock, planned.plan)
        if lock.previous is not None:
            remove_leftovers(planned.plan, disk)
        plan_in_the_end = planned.plan
        if request.run.touch:
            result = touch(planned, disk, store, observer, run_id)
        elif planned.plan.to_run() or planned.plan.may_run() or (campaign is not None and campaign.fleet.names):
            setting = Setting(workflow, request, disk, observer, lock, store, planned, run_id, stack)
            result, plan_in_the_end = _run_jobs(setting, campaign)
        else:
            result = Result()
        done = Run(result, plan_in_the_end, time.monotonic() - begun)
        observer.finished(RunSummary(done.elapsed, result.interrupted, handed=result.handed))
        worth_it = request.run.touch or done.elapsed > PLANS_PER_RUN * planning
        if remembering is not None and result.done and done.status == DONE and not result.handed and worth_it:
            with suppress(FlowrulesError):  # a file went away meanwhile: it is missed when it is needed
                store.flush()
                disk.refresh()
                _plan(workflow, request, disk, store, remembering)
        return done


def _plan(
    workflow: Workflow, request: Request, disk: Disk, store: Store, remembering: Remembering | None
) -> tuple[Planned, float]:
    """The plan, remembered for the next call, and how many seconds it took."""
    begun = time.monotonic()
    if remembering is not None:
        remembering.recall()
    planned = plan(workflow, request, disk, store, remembering)
    if remembering is not None:
        remembering.keep(planned, workflow)
    return replace(planned, memorable=None), time.monotonic() - begun


def _campaign(request: Request, lock: HeldLock, store: Store, observer: Observer) -> Campaign | None:
    """The campaign of a call that names a profile with a batch system."""
    if request.batch is None:
        return None
    from flowrules.app.drive.batch import hold_blocks

    return hold_blocks(request.batch, request, lock, store, observer)


def _run_jobs(setting: Setting, campaign: Campaign | None) -> tuple[Result, Plan]:
    if campaign is not None and campaign.settings.submit:
        from flowrules.app.drive.submitting import submit

        return submit(campaign, setting), setting.planned.plan
    store, lock, workflow, observer = setting.store, setting.lock, setting.workflow, setting.observer
    guard = start_guard(setting.run_id, [lock.fileno()])
    setting.stack.callback(guard.close)
    settings = setting.request.run
    cores = None if campaign is not None else settings.cores or machine.cores()
    executor = LocalExecutor(setting.run_id, grace=settings.grace, cores=cores)
    setting.stack.callback(executor.close)
    loop: Loop
    if campaign is None:
        loop = _local_loop(setting, executor)
    else:
        from flowrules.app.drive.batch import campaign_loop

        loop = campaign_loop(campaign, setting, executor)
    owner = lock.owner
    info = {"command": owner.command, "host": owner.host, "user": owner.user, "version": __version__}
    store.begin_run(setting.run_id, time.time(), info)
    run_hooks(workflow, "start", observer)
    with _signals(loop, executor):
        result = loop.run()
        loop.wind_up()
    ok = not (result.failed or result.blocked or result.stranded or result.interrupted)
    run_hooks(workflow, "success" if ok else "error", observer)
    counts = {"done": len(result.done), "failed": len(result.failed), "blocked": len(result.blocked)}
    counts |= {"left": len(result.stranded), "interrupted": int(result.interrupted)}
    store.end_run(setting.run_id, time.time(), counts)
    return result, loop.book.plan


def _local_loop(setting: Setting, executor: LocalExecutor) -> Loop:
    """The loop of a run on this machine."""
    settings = setting.request.run
    capacity = capacity_of(settings)
    intake = Intake(setting.planned, sizer(capacity, setting.observer.message), settings.retries)
    scheduler = Scheduler(capacity, max_jobs=None, keep_going=settings.keep_going)
    variable = machine.gpu_variable() if capacity.gpus else None
    return Loop(setting.parts(scheduler, executor, setting.workshop(variable), intake))


def _take_over(lock: HeldLock, observer: Observer, *, to_blocks: bool) -> None:
    """The last driver died: whatever of its jobs still runs on this host is ended before anything else."""
    assert lock.previous is not None
    killed = sweep(lock.previous.run)
    observer.message(
        f"the last run (process {lock.previous.pid} on {lock.previous.host}) did not end in order; "
        + (f"ended {counted(killed, 'process', 'processes')} it left; " if killed else "")
        + ("what its blocks did is collected" if to_blocks else "jobs it did not finish run again")
    )


def capacity_of(settings: RunSettings) -> Capacity:
    """What this machine gives to jobs, as the call limits it."""
    limits = dict(settings.limits)
    memory = limits.pop("mem", None)
    asked = limits.pop("gpus", None)
    gpus = machine.gpus()
    if asked is not None:
        gpus = gpus[: int(asked)] if len(gpus) >= asked else tuple(str(n) for n in range(int(asked)))
    cores = settings.cores or machine.cores()
    return Capacity(cores, int(memory) if memory is not None else machine.memory_bytes(), gpus, limits)


@contextmanager
def _signals(loop: Loop, executor: LocalExecutor) -> Iterator[None]:
    """Ctrl-C ends the run, twice kills what runs; SIGTERM and SIGHUP kill at once, or leave blocks to themselves.

    A run that a program starts in another thread leaves signals to that program, as Python wants it. One that was
    started with SIGHUP ignored, as by `nohup`, goes on when its terminal is gone.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def asked(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            loop.stop()
        else:
            loop.hang_up()
        executor.wake()

    heeded = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        heeded.append(signal.SIGHUP)
    before = {number: signal.signal(number, asked) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
