"""`--submit`: the DAG goes to the batch system as blocks that wait for each other, and no driver stays.

Blocks of one wave of the packing run at once; those of the next begin when they are over, well or not. A job that needs
files of an earlier block starts if their makers ended well there. What cannot be handed over before it is known (jobs
beside a driver, jobs that may not have to run, texts that need files) is left to the next run, and so are retries.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Final

from flowrules.app.drive.batch import Campaign
from flowrules.app.drive.fleet_news import Over
from flowrules.app.drive.handing import Handing
from flowrules.app.drive.tasks import TaskMaker
from flowrules.app.parts import Result
from flowrules.app.setting import Setting
from flowrules.model.block import Task
from flowrules.model.dispatch import BlockPlan
from flowrules.model.job import Job
from flowrules.record.campaign import campaign_call
from flowrules.show.text import counted

_PAUSE: Final = 0.1


def submit(campaign: Campaign, setting: Setting) -> Result:
    """Hand over all that can be, submit its blocks, and let go of them. There are no blocks of an earlier campaign.

    Raises:
        StateError: a file cannot be written.
    """
    maker = TaskMaker(setting.workshop(None), campaign.epoch)
    most = campaign.settings.max_jobs
    yard, overhead = _Yard(campaign, setting), 0.0
    if campaign.plain:
        from flowrules.app.plain import OVERHEAD as overhead
    handing = Handing(setting.planned, setting.request, campaign.profile, most, maker, yard, overhead)
    given, tell = handing.run(), setting.observer.message
    go_on = f"`{campaign_call('.')}` collects what they did, and goes on"
    if given.blocks:
        jobs = counted(len(given.task), "job")
        tell(f"{jobs} handed to {counted(given.blocks, 'block')}; nobody drives: {go_on}")
    for why, count in given.left.items():
        tell(f"left to that run: {counted(count, 'job')} {why}")
    campaign.fleet.leave()
    result = Result(handed=len(given.task), refused=given.refused)
    if not given.blocks and given.refused:
        result.stranded = [job.id for job in setting.planned.plan.to_run() if job.rule.action is not None]
    return result


class _Yard:
    """Blocks of a fleet, submitted as soon as they have their tasks."""

    def __init__(self, campaign: Campaign, setting: Setting) -> None:
        self._fleet = campaign.fleet
        self._setting = setting
        self._plain: dict[str, list[Task]] | None = {} if campaign.plain else None

    def open(self, plan: BlockPlan, running: int | None, after: Sequence[str], tokens: Mapping[str, float]) -> str:
        return self._fleet.open(plan, running, after, plain=self._plain is not None, tokens=tokens)

    def cmd_folder(self, block: str) -> str:
        return self._fleet.cmd_folder(block)

    def remember(self, job: Job, task: Task) -> None:
        store, fingerprints = self._setting.store, self._setting.planned.judge.fingerprints
        store.remember_text(task.draft.code, fingerprints.code_text(job.rule))
        store.started(job.outputs, job.rule.name, task.draft.wildcards, 1, task.draft.run)

    def hand(self, block: str, tasks: Sequence[Task]) -> None:
        """Hand over, once the texts that tasks name are recorded."""
        self._setting.store.flush()
        self._fleet.hand(block, tasks)
        if self._plain is not None:
            self._plain.setdefault(block, []).extend(tasks)

    def is_taken(self, block: str) -> bool:
        """Submit a block. One that the batch system does not take now is given up: nobody stays to try again."""
        if self._plain is not None:
            self._fleet.write_plain(block, self._plain.pop(block))
        while (id := self._fleet.submission(block)) == "":
            self._fleet.submit(time.monotonic())
            time.sleep(_PAUSE)
        if id is None:
            self.drop(block)
        return id is not None

    def drop(self, block: str) -> None:
        if any(isinstance(news, Over) for news in self._fleet.close(block)):
            self._fleet.bury(block)

    def tell(self, text: str) -> None:
        self._setting.observer.message(text)
