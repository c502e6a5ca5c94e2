"""From candidates to the DAG: one maker for each path that is really needed, makers before users, circles reported."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from flowrules.errors import Diagnostic, FlowfileError, Related
from flowrules.model.job import Job
from flowrules.model.rule import Rule
from flowrules.plan.explain import Explainer
from flowrules.plan.resolve import Resolution

UNSEEN, OPEN = -1, -2
"""Values of `Job.id` before a job has its place: not reached yet, or its inputs are being placed."""

MOST_ERRORS = 20
"""How many planning errors are reported at once; the rest is counted."""


class Chooser:
    """Builds the list of jobs that the targets need.

    Attributes:
        jobs, needs: as in `flowrules.model.plan.Plan`, grown by `place`.
        producer: the chosen maker of each path that was needed, None for a source.
    """

    def __init__(self, found: Resolution, order: Sequence[tuple[str, ...]]) -> None:
        self.jobs: list[Job] = []
        self.needs: list[tuple[int, ...]] = []
        self.producer: dict[str, Job | None] = {}
        self.errors: list[Diagnostic] = []
        self._found = found
        self._better = _better_than(order)
        self._explain = Explainer(found)
        self._asked_by: dict[str, Job] = {}

    def place(self, paths: Iterable[str], jobs: Iterable[Job] = ()) -> None:
        """Adds the makers of these paths, and these jobs, with everything they need."""
        roots = [job for path in paths if (job := self.maker(path, None)) is not None]
        roots += jobs
        for root in roots:
            if root.id == UNSEEN:
                self._walk(root)

    def finish(self) -> None:
        """Reports what went wrong.

        Raises:
            FlowfileError: an input is missing, two rules make one file, or a job needs itself.
        """
        if self.errors:
            more = len(self.errors) - MOST_ERRORS
            shown = self.errors[:MOST_ERRORS]
            if more > 0:
                shown.append(Diagnostic("F509", f"{more} more errors of planning are not shown"))
            raise FlowfileError(shown)

    def _walk(self, root: Job) -> None:
        stack: list[tuple[Job, bool]] = [(root, False)]
        producer, maker = self.producer, self.maker
        while stack:
            job, leaving = stack.pop()
            if leaving:
                makers = dict.fromkeys([m.id for p in job.inputs if (m := producer[p]) is not None])
                for path in job.waits:
                    waited = producer[path]
                    if waited is not None:
                        makers[waited.id] = None
                job.id = len(self.jobs)
                self.jobs.append(job)
                self.needs.append(tuple([i for i in makers if i >= 0]))
                continue
            if job.id != UNSEEN:
                continue
            job.id = OPEN
            stack.append((job, True))
            fresh = []
            for path in (*job.inputs, *sorted(job.waits)) if job.waits else job.inputs:
                made = producer[path] if path in producer else maker(path, job)
                if made is not None and made.id < 0:
                    if made.id == OPEN:
                        self._circle(made, [j for j, is_open in stack if is_open], path)
                    else:
                        fresh.append((made, False))
            fresh.reverse()
            stack += fresh

    def maker(self, path: str, user: Job | None) -> Job | None:
        """Who makes a path: the one candidate that is left, or None for a source (or after an error)."""
        if path in self.producer:
            return self.producer[path]
        if user is not None:
            self._asked_by[path] = user
        found = self._found
        viable = found.viable(path)
        if path in found.knot_of and found.files.stat(path) is not None:
            viable = [job for job in viable if not job.rule.wildcards or not self._leads_back(job, path)]
        if len(viable) > 1:
            viable = self._settle(path, viable)
        chosen = viable[0] if viable else None
        if chosen is None and not found.had.get(path):
            self.errors.append(self._explain.missing(path, user, self.chain(user)))
        self.producer[path] = chosen
        return chosen

    def _leads_back(self, job: Job, path: str) -> bool:
        """Whether a maker of an existing file needs, by way of a circle, a job that needs this very file.

        Of a `gzip` and a `gunzip` rule whose files both exist, that is the one which leads away from the target.
        """
        knot = self._found.knot_of[path]
        seen: set[str] = set()
        stack = [p for p in job.inputs if p in knot and p != path]
        while stack:
            below = stack.pop()
            if below not in seen:
                seen.add(below)
                for maker in self._found.viable(below):
                    if maker.id == OPEN:
                        return True
                    stack += [p for p in maker.inputs if p in knot]
        return False

    def _settle(self, path: str, rivals: list[Job]) -> list[Job]:
        """Removes candidates that `ruleorder` puts behind another; an error where more than one is left."""
        better = self._better
        left = [
            job
            for job in rivals
            if not any(job.rule.name in better.get(other.rule.name, ()) for other in rivals if other is not job)
        ]
        if len(left) > 1:
            first, second = left[0], left[1]
            user = self._asked_by.get(path)
            same = first.rule is second.rule
            self.errors.append(
                Diagnostic(
                    "F502",
                    f"rule `{first.rule.name}` makes `{path}` in two ways: its wildcards can be read as "
                    f"{_values(first)} or as {_values(second)}"
                    if same
                    else f"both rule `{first.rule.name}` and rule `{second.rule.name}` can make `{path}`",
                    first.rule.span,
                    "constrain the wildcards, as in `{name,[a-z]+}`"
                    if same
                    else f"write `ruleorder {first.rule.name} > {second.rule.name}`, or constrain their wildcards",
                    tuple(Related(f"rule `{job.rule.name}` with {_values(job)}", job.rule.span) for job in left[1:]),
                    self.chain(user),
                )
            )
            return left[:1]
        return left

    def _circle(self, made: Job, above: Sequence[Job], path: str) -> None:
        """A job on the way down to itself: says how it comes back."""
        loop = [*above[above.index(made) :]]
        if len(loop) == 1:
            self.errors.append(
                Diagnostic(
                    "F504",
                    f"rule `{made.rule.name}` needs `{path}`, which it makes itself",
                    made.rule.span,
                    "give the output another name, or remove it from the inputs",
                    chain=self.chain(made),
                )
            )
            return
        steps = " ← ".join(self._link(user, maker) for user, maker in zip(loop, [*loop[1:], made], strict=True))
        self.errors.append(
            Diagnostic(
                "F503",
                f"a circle of rules: {steps} ← {made.rule.name}",
                made.rule.span,
                "a file cannot be made from itself: constrain a wildcard or rename an output",
                tuple(Related(f"rule `{job.rule.name}` is part of it", job.rule.span) for job in loop[1:]),
            )
        )

    def _link(self, user: Job, maker: Job) -> str:
        between = next((p for p in user.inputs if self.producer.get(p) is maker), "")
        return f"{user.rule.name} ← `{between}`"

    def chain(self, job: Job | None) -> tuple[str, ...]:
        """Who asked for a job, outermost first."""
        links: list[str] = []
        while job is not None and len(links) < 12:
            links.append(f"rule {job.label}")
            job = next((self._asked_by[p] for p in job.outputs if p in self._asked_by), None)
        return tuple(reversed(links))


def _values(job: Job) -> str:
    text = ", ".join(f"{name}=`{value}`" for name, value in job.wildcards.items())
    return text or "no wildcards"


def _better_than(order: Sequence[tuple[str, ...]]) -> Mapping[str, set[str]]:
    """For each rule of a `ruleorder` the rules that stand behind it, through several statements too."""
    behind: dict[str, set[str]] = {}
    for names in order:
        for at, name in enumerate(names):
            behind.setdefault(name, set()).update(names[at + 1 :])
    changed = True
    while changed:
        changed = False
        for names_behind in behind.values():
            reached = set().union(*(behind.get(name, set()) for name in names_behind)) - names_behind
            if reached:
                names_behind |= reached
                changed = True
    return behind


def rule_named(rules: Sequence[Rule], name: str) -> Rule | None:
    """The rule of a name, or None."""
    return next((rule for rule in rules if rule.name == name), None)
