"""What the user asks for, as paths and jobs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from flowrules.errors import Diagnostic, FlowfileError, did_you_mean, suggestion
from flowrules.model.job import Job
from flowrules.model.pattern import normalize
from flowrules.model.rule import Rule
from flowrules.model.workflow import Workflow
from flowrules.plan.nearby import Nearby
from flowrules.plan.resolve import Resolution

MOST_COMPARED = 2_000
"""Names that are compared with one that is not known."""

MOST_SHOWN = 8
"""How many rules are listed as targets."""


@dataclass(frozen=True, slots=True)
class Targets:
    """Files asked for, and jobs of rules asked for by name."""

    paths: tuple[str, ...]
    jobs: tuple[Job, ...]


def resolve_targets(workflow: Workflow, names: Sequence[str], found: Resolution) -> Targets:
    """Names of the call to paths and jobs, explored; without names the workflow's default.

    A name of both a rule and a file is the rule; `./name` is the file.

    Raises:
        FlowfileError: a rule with wildcards is no target, there is no default, or nothing is known by a name.
    """
    if not workflow.rules:
        raise FlowfileError(
            [Diagnostic("F703", "the Flowfile has no rules", None, "write one, or try `flowrules init`")]
        )
    by_name = {rule.name: rule for rule in workflow.rules}
    asked = bool(names)
    if not names:
        names = (workflow.default or workflow.rules[0].name,)
    paths: list[str] = []
    jobs: list[Job] = []
    errors: list[Diagnostic] = []
    files = {name: path_of(name) for name in names if name not in by_name}
    found.want(files.values())
    nearby = Nearby(found.files, workflow.rules)
    for name in names:
        rule = by_name.get(name)
        if rule is None:
            path = files[name]
            if not found.can_be_had(path) and not found.index.candidates(path):
                errors.append(_unknown(name, workflow, nearby))
            else:
                paths.append(path)
        elif rule.wildcards:
            errors.append(_has_wildcards(rule, workflow, asked))
        else:
            jobs.append(found.wanted_job(rule))
    if errors:
        raise FlowfileError(errors)
    return Targets(tuple(dict.fromkeys(paths)), tuple(dict.fromkeys(jobs)))


def path_of(name: str) -> str:
    """The path that a word of the call means, as rules write it."""
    return normalize(name).removeprefix("./")


def not_in_plan(option: str, name: str, what: str, rules: Iterable[str], files: Collection[str]) -> Diagnostic:
    """The mistake that an option names what is not there; the nearest name is offered."""
    known = [*rules, *(files if len(files) <= MOST_COMPARED else ())]
    return Diagnostic("F702", f"`{option} {name}` names {what} of this plan", None, suggestion(name, known))


def _unknown(name: str, workflow: Workflow, nearby: Nearby) -> Diagnostic:
    known = [rule.name for rule in workflow.rules[:MOST_COMPARED]]
    near = did_you_mean(name, known) or nearby.target(path_of(name))
    some = [f"`{rule.name}`" for rule in workflow.rules if not rule.wildcards]
    return Diagnostic(
        "F701",
        f"no rule makes `{name}`, there is no such file, and no rule has that name",
        None,
        f"did you mean `{near}`?" if near else (f"rules that are targets: {_few(some)}" if some else None),
    )


def _few(names: Sequence[str]) -> str:
    shown = ", ".join(names[:MOST_SHOWN])
    return f"{shown}, …" if len(names) > MOST_SHOWN else shown


def _has_wildcards(rule: Rule, workflow: Workflow, asked: bool) -> Diagnostic:
    others = [f"`{r.name}`" for r in workflow.rules if not r.wildcards]
    wildcards = ", ".join("{" + name + "}" for name in rule.wildcards)
    example = str(rule.outputs[0].path) if rule.outputs else ""
    first = f"write a rule that asks for what is wanted first, or give it `default: true`{_such(others)}"
    return Diagnostic(
        "F704",
        f"rule `{rule.name}` has wildcards ({wildcards}), so it is no target by itself"
        + ("" if asked else "; it is the first rule, and so the default"),
        rule.span,
        f"ask for a file such as `{example}` with its wildcards filled in"
        + (f", or for a rule without wildcards: {_few(others)}" if others else "")
        if asked
        else first,
    )


def _such(names: Sequence[str]) -> str:
    return f"; rules without wildcards: {_few(names)}" if names else ""
