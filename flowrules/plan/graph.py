"""The DAG before anything is decided: found from the targets, or taken from what an earlier plan remembered."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from flowrules.expr.world import World
from flowrules.model.job import Job
from flowrules.model.workflow import Workflow
from flowrules.plan.choose import Chooser
from flowrules.plan.command import Commands
from flowrules.plan.cut import Needs, cut
from flowrules.plan.index import RuleIndex
from flowrules.plan.policy import Policy
from flowrules.plan.reader import PlanReader
from flowrules.plan.resolve import Resolution
from flowrules.plan.targets import Targets, resolve_targets
from flowrules.ports import FileView, Stages


@dataclass(slots=True)
class Graph:
    """Jobs and files that targets need.

    Attributes:
        jobs, needs: makers before users, as in `flowrules.model.plan.Plan`.
        producer: the chosen maker of each path that is needed, None for a source.
        targets: what was asked for.
        spurned: sources that rules could make whose own inputs are gone.
        lacking: paths that rules came to ask for and nobody can make; were they there, the DAG might be another.
        plain: whether the DAG follows from the rules, from which sources are there and from ``lacking`` alone.
    """

    jobs: list[Job]
    needs: Needs
    producer: dict[str, Job | None]
    targets: Targets
    spurned: Sequence[str] = ()
    lacking: Collection[str] = ()
    plain: bool = False


def explore(
    workflow: Workflow,
    names: Sequence[str],
    files: FileView,
    commands: Commands,
    index: RuleIndex,
    reader: PlanReader,
    world: World,
    policy: Policy,
    stages: Stages,
) -> Graph:
    """The DAG that targets need.

    Raises:
        FlowfileError: as `flowrules.plan.build.make_plan`.
    """
    found = Resolution(index, workflow.rules, world, files, commands)
    stages.enter("looking for who makes each file", lambda: len(found.makers))
    targets = resolve_targets(workflow, names, found)
    found.want(reader.asked)
    chooser = Chooser(found, workflow.order)
    stages.enter("ordering jobs", lambda: len(chooser.jobs))
    chooser.place(targets.paths, targets.jobs)
    chooser.place([path for path in reader.asked if found.can_be_had(path)])
    chooser.finish()
    producer = chooser.producer
    spurned = [path for path, job in producer.items() if job is None and found.only_lacking(path)]
    plain = not (found.ever_circular or reader.asked or policy.until or policy.omit_from)
    jobs, needs, targets = cut(chooser.jobs, chooser.needs, producer, targets, policy)
    return Graph(jobs, needs, producer, targets, spurned, found.lacking, plain)
