"""From candidates to the DAG: one maker for each path that is really needed, makers before users, circles reported."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from flowrules.errors import Diagnostic, Related
from flowrules.model.job import Job
from flowrules.model.rule import Output
from flowrules.plan.explain import Explainer
from flowrules.plan.mistakes import Mistakes
from flowrules.plan.resolve import Resolution
from flowrules.plan.sweep import VIABLE

UNSEEN, OPEN = -1, -2
"""Values of `Job.id` before a job has its place: not reached yet, or its inputs are being placed."""


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
        self._mistakes = Mistakes()
        self._found = found
        self._better = _better_than(order)
        self._explain = Explainer(found, self._mistakes, self.chain)
        self._asked_by: dict[str, Job] = {}
        self._placed: dict[int, tuple[int, ...]] = {}
        """The jobs behind a list of inputs that have their numbers, by its `id`: many jobs may share one."""

    def place(self, paths: Iterable[str], jobs: Iterable[Job] = ()) -> None:
        """Adds the makers of these paths, and these jobs, with everything they need."""
        if not self.producer and self._found.simple:
            self.producer = {path: made[0] if made else None for path, made in self._found.makers.items()}
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
        self._mistakes.refuse()

    def _walk(self, root: Job) -> None:
        """Depth first, makers before users. A hot path: each job and each input comes by once."""
        stack: list[Job | tuple[Job, list[Job]]] = [root]
        producer, placed, asked_by = self.producer, self._placed, self._asked_by
        makers = self._found.makers if not self._found.knot_of else {}
        while stack:
            top = stack.pop()
            if type(top) is tuple:
                self._number(*top)
                continue
            job: Job = top  # type: ignore[assignment]
            if job.id != UNSEEN:
                continue
            inputs = job.inputs
            if len(inputs) > 1 and id(inputs) in placed and not job.waits:
                self._number(job, None)
                continue
            job.id = OPEN
            needed: list[Job] = []
            fresh: list[Job] = []
            for path in (*inputs, *sorted(job.waits)) if job.waits else inputs:
                if path in producer:
                    made = producer[path]
                else:
                    candidates = makers.get(path, ())
                    if len(candidates) == 1 and candidates[0].mark == VIABLE:
                        made = producer[path] = candidates[0]
                        asked_by[path] = job
                    else:
                        made = self.maker(path, job)
                if made is not None:
                    needed.append(made)
                    if made.id == UNSEEN:
                        fresh.append(made)
                    elif made.id == OPEN:
                        self._circle(made, [entry[0] for entry in stack if type(entry) is tuple] + [job], path)
            if not fresh:
                self._number(job, needed)
                continue
            stack.append((job, needed))
            fresh.reverse()
            stack += fresh

    def _number(self, job: Job, needed: list[Job] | None) -> None:
        """Everything that a job needs has its number: it gets the next one. None for what a job before it needs."""
        if needed is None:
            needs = self._placed[id(job.inputs)]
        elif not needed:
            needs = ()
        elif len(needed) == 1 and needed[0].id >= 0:
            needs = (needed[0].id,)
        else:
            needs = tuple([i for i in dict.fromkeys([maker.id for maker in needed]) if i >= 0])
            if len(job.inputs) > 1 and not job.waits:
                self._placed[id(job.inputs)] = needs
        job.id = len(self.jobs)
        self.jobs.append(job)
        self.needs.append(needs)

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
        if chosen is None and not found.can_be_had(path):
            self._explain.missing(path, user)
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
            left.sort(key=lambda job: -_fixed_length(job, path))
            kind = ("F502", tuple(job.rule.index for job in left))
            self._mistakes.add(kind, f"`{path}`", lambda: self._two_ways(path, left))
            return left[:1]
        return left

    def _two_ways(self, path: str, left: Sequence[Job]) -> Diagnostic:
        """Several candidates are left for a path."""
        first = left[0]
        chain = self.chain(self._asked_by.get(path))
        notes = [Related(f"rule `{job.rule.name}` with {_values(job)}", _output_of(job, path).span) for job in left]
        if all(job.rule is first.rule for job in left):
            ways = " or as ".join(_values(job) for job in left)
            message = f"rule `{first.rule.name}` can make `{path}` in {len(left)} ways: with {ways}"
            hint = "constrain the wildcards, as in `{name,[a-z]+}`"
            return Diagnostic("F502", message, _output_of(first, path).span, hint, tuple(notes[1:]), chain)
        names = list(dict.fromkeys(f"`{job.rule.name}`" for job in left))
        both = f"rules {', '.join(names[:-1])} and {names[-1]} can {'both' if len(names) == 2 else 'all'}"
        hint = f"write `ruleorder {' > '.join(name.strip('`') for name in names)}`, or constrain their wildcards"
        return Diagnostic("F502", f"{both} make `{path}`", _output_of(first, path).span, hint, tuple(notes[1:]), chain)

    def _circle(self, made: Job, above: Sequence[Job], path: str) -> None:
        """A job on the way down to itself: says how it comes back."""
        loop = [*above[above.index(made) :]]
        below = [self._between(user, maker) for user, maker in pairwise(loop)]
        makes = [path, *below]
        self._explain.circle(list(zip(makes, loop, strict=True)), next(iter(self._users_of(made)), None))

    def _between(self, user: Job, maker: Job) -> str:
        """The file for which one job needs another."""
        return next((p for p in (*user.inputs, *user.waits) if self.producer.get(p) is maker), "")

    def _users_of(self, job: Job) -> Iterable[Job]:
        return (self._asked_by[p] for p in job.outputs if p in self._asked_by)

    def chain(self, job: Job | None) -> tuple[str, ...]:
        """Who asked for a job, outermost first."""
        links: list[str] = []
        while job is not None and len(links) < 12:
            links.append(f"rule {job.label}")
            job = next(iter(self._users_of(job)), None)
        return tuple(reversed(links))


def _output_of(job: Job, path: str) -> Output:
    """The output of a job that is a path, or the folder that holds it."""
    outputs = (*job.rule.outputs, *job.rule.logs, *job.rule.benchmarks)
    for output in outputs:
        filled = output.path if isinstance(output.path, str) else output.path.fill(job.wildcards)
        if path == filled or path.startswith(filled + "/"):
            return output
    return outputs[0]


def _fixed_length(job: Job, path: str) -> int:
    """How many characters of a path a rule fixes: the more, the more special it is."""
    pattern = _output_of(job, path).path
    return len(pattern) if isinstance(pattern, str) else sum(len(p) for p in pattern.parts if isinstance(p, str))


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
