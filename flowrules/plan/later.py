"""What a job waits for besides its inputs: checkpoints that its threads, resources, params or texts read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from flowrules.errors import FlowfileError
from flowrules.model.job import Job
from flowrules.model.rule import Rule
from flowrules.plan.command import Commands, NotYet

NOTHING: frozenset[str] = frozenset()


class Later:
    """Evaluates, for jobs of rules that may read what a checkpoint makes, all that is not an input.

    Nothing is evaluated where there is no checkpoint, or where a rule reads nothing: that is most rules, and there may
    be 100,000 jobs of one.
    """

    def __init__(self, rules: Sequence[Rule], commands: Commands) -> None:
        some = any(rule.checkpoint for rule in rules)
        self._reading = {rule.index for rule in rules if _reads(rule)} if some else set()
        self._commands = commands

    def may_wait(self, rule: int) -> bool:
        """Whether something that is given to jobs of a rule may read what a checkpoint makes."""
        return rule in self._reading

    def waits(self, job: Job) -> frozenset[str]:
        """The files that checkpoints have yet to make before the job can start."""
        rule, commands = job.rule, self._commands
        if rule.index not in self._reading:
            return NOTHING
        found = NOTHING
        for ask in (
            lambda: commands.environment(commands.values(job), job),
            lambda: commands.retries(job, 0),
            lambda: commands.priority(job),
            lambda: commands.constants(_awaited(rule), rule.span),
        ):
            try:
                ask()
            except NotYet as unknown:
                found |= unknown.paths
            except FlowfileError:
                pass  # told when the job is rehearsed, or when its inputs are there
        return found


def _reads(rule: Rule) -> bool:
    entries = (entry.value for entry in (*rule.params, *rule.resources, *rule.env))
    single = (value for value in (rule.threads, rule.retries, rule.priority) if value is not None)
    return any(value.reads for value in (*entries, *single)) or bool([*_awaited(rule)])


def _awaited(rule: Rule) -> Iterable[str]:
    """Constants of a rule's texts that had no value at load."""
    action = rule.action
    if action is not None and action.kind == "shell":
        yield from action.template.awaits
    if rule.message is not None:
        yield from rule.message.awaits
