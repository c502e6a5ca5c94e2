"""Why a file cannot be had, in words: who needs it, who might have made it, what there is instead."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flowrules.errors import Diagnostic, FlowfileError, Related
from flowrules.model.job import Job
from flowrules.model.rule import Rule
from flowrules.plan.mistakes import Mistakes
from flowrules.plan.nearby import Nearby
from flowrules.plan.resolve import Resolution
from flowrules.plan.sweep import LACKING
from flowrules.span import Span

Chain = tuple[str, ...]
MOST_CANDIDATES = 8
"""How many rules that might have made a file are listed."""

MOST_STEPS = 6
"""How many steps of a circle are shown."""

_ONLY_NUMBERS = frozenset({"F117"})
"""Codes of errors that may mean that a wildcard took text it is not meant for."""


class Explainer:
    """Turns paths that cannot be had into mistakes.

    Args:
        chain: who asked for a job, outermost first, itself last.
    """

    def __init__(self, found: Resolution, mistakes: Mistakes, chain: Callable[[Job | None], Chain]) -> None:
        self._found = found
        self._mistakes = mistakes
        self._chain = chain
        self._nearby = Nearby(found.files, [recipe.rule for recipe in found.recipes])

    def missing(self, path: str, user: Job | None) -> None:
        """Tells why a path cannot be had that a job (or the call, where ``user`` is None) needs."""
        lacking = self._lacking(path)
        broken = self._broken(path)
        if not lacking and not broken:
            self._nobody(path, user)
        elif len(lacking) + len(broken) > 1:
            self._no_candidate(path, user, lacking, broken)
        elif broken:
            self._cannot_compute(path, user, *broken[0][1:])
        elif circle := self._circle(path):
            self.circle(circle, user)
        else:
            self._lacks_at_the_root(path, user)

    # ── nobody ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _nobody(self, path: str, user: Job | None) -> None:
        """No rule makes the path."""
        if user is None:
            message = f"no rule makes `{path}`, and there is no such file"
            self._mistakes.add(("F701", path), f"`{path}`", lambda: Diagnostic("F701", message, None, self._near(path)))
        else:
            self._missing_input(path, user, self._chain(user))

    def _missing_input(self, path: str, job: Job, chain: Chain) -> None:
        span = self._span(path, job)
        message = f"missing input `{path}` of rule `{job.rule.name}`"
        self._mistakes.add(
            ("F501", span), f"`{path}`", lambda: Diagnostic("F501", message, span, self._near(path), (), chain)
        )

    def _near(self, path: str) -> str | None:
        return self._nearby.hint(path)

    # ── one candidate ────────────────────────────────────────────────────────────────────────────────────────────

    def _cannot_compute(self, path: str, user: Job | None, label: str, error: FlowfileError) -> None:
        """The inputs of the only job that could make the path cannot be computed."""
        first = error.diagnostics[0]
        hint = first.hint
        if hint is None and first.code in _ONLY_NUMBERS:
            hint = f"if the rule is not meant for `{path}`, constrain its wildcard, as in `{{n,[0-9]+}}`"
        chain = (*self._chain(user), f"rule {label}")
        self._mistakes.add(
            (first.code, first.span),
            first.message,
            lambda: Diagnostic(first.code, first.message, first.span, hint, first.related, chain),
        )

    def _lacks_at_the_root(self, path: str, user: Job | None) -> None:
        """Each file on the way has one candidate, down to one that nobody makes, or that has several."""
        steps = self._way_down(path)
        root, last = steps[-1]
        descent = self._found.descent
        longer = root in descent.longer
        if longer:  # the first time that the rule asks itself says it best
            at = next((i for i, (_, job) in enumerate(steps) if job.rule is last.rule), len(steps) - 1)
            steps = steps[: at + 1]
            root, last = steps[-1]
        chain = (*self._chain(user), *[f"rule {job.label}" for _, job in steps[:12]])
        if root in descent.endless and not longer:
            self._without_end(root, last, chain)
        elif not longer and (self._lacking(root) or self._broken(root)):
            self.missing_for(root, last, chain)
        else:
            self._missing_input(root, last, chain)

    def missing_for(self, path: str, user: Job, chain: Chain) -> None:
        """Several candidates further down, none of which can run."""
        lacking, broken = self._lacking(path), self._broken(path)
        if len(lacking) + len(broken) == 1 and broken:
            self._cannot_compute(path, user, *broken[0][1:])
        else:
            self._no_candidate(path, user, lacking, broken, chain)

    def _without_end(self, root: str, last: Job, chain: Chain) -> None:
        rule = last.rule
        span = self._span(root, last)
        message = f"rule `{rule.name}` asks for itself without end: it came to need `{root[:200]}`"
        hint = "let it end, as in `… if int(wildcards.n) < 10 else []`, or constrain its wildcards"
        self._mistakes.add(("F505", span), f"`{root}`", lambda: Diagnostic("F505", message, span, hint, (), chain))

    def _way_down(self, path: str) -> list[tuple[str, Job]]:
        """Steps down: a file that lacks, with the job that needs it."""
        steps: list[tuple[str, Job]] = []
        seen = {path}
        makers = self._lacking(path)
        while len(makers) == 1 and not self._broken(path):
            path = self._found.lacks(makers[0])[0]
            steps.append((path, makers[0]))
            if path in seen:
                break
            seen.add(path)
            makers = self._lacking(path)
        return steps

    # ── several candidates ───────────────────────────────────────────────────────────────────────────────────────

    def _no_candidate(
        self,
        path: str,
        user: Job | None,
        lacking: Sequence[Job],
        broken: Sequence[tuple[Rule, str, FlowfileError]],
        chain: Chain | None = None,
    ) -> None:
        """Several rules could make a path, and none of them can run."""
        span = self._span(path, user)

        def tell() -> Diagnostic:
            notes = [
                Related(f"rule `{job.rule.name}` could make it, but lacks {self._lacked(job)}", job.rule.span)
                for job in lacking[:MOST_CANDIDATES]
            ]
            for rule, _, error in broken[:MOST_CANDIDATES]:
                first = error.diagnostics[0]
                notes.append(Related(f"rule `{rule.name}` could make it, but {first.message}", first.span))
            needed = f", which rule `{user.rule.name}` needs" if user is not None else ""
            told = self._chain(user) if chain is None else chain
            return Diagnostic("F501", f"no rule can make `{path}`{needed}", span, None, tuple(notes), told)

        rules = tuple(job.rule.index for job in lacking), len(broken)
        self._mistakes.add(("F501", span, rules), f"`{path}`", tell)

    def _lacked(self, job: Job) -> str:
        paths = self._found.lacks(job)
        shown = ", ".join(f"`{p}`" for p in paths[:3])
        return f"{shown} and {len(paths) - 3:,} more" if len(paths) > 3 else shown

    # ── circles ──────────────────────────────────────────────────────────────────────────────────────────────────

    def circle(self, circle: Sequence[tuple[str, Job]], user: Job | None) -> None:
        """Files that need one another: each with the job that makes it from the next one, the last from the first."""
        first = circle[0][1]
        paths = [path for path, _ in circle]
        chain = self._chain(user)
        if len(circle) == 1:
            message = f"rule `{first.rule.name}` needs `{paths[0]}`, which it makes itself"
            hint = "give the output another name, or remove it from the inputs"
            span = self._span(paths[0], first)
            self._mistakes.add(
                ("F504", span), f"`{paths[0]}`", lambda: Diagnostic("F504", message, span, hint, (), chain)
            )
            return
        rules = frozenset(job.rule.index for _, job in circle)

        def tell() -> Diagnostic:
            below = [*paths[1:], paths[0]]
            steps = [(job, path, need) for (path, job), need in zip(circle, below, strict=True)]
            words = [f"`{paths[0]}` is made from `{below[0]}`", *[f"that from `{need}`" for need in below[1:]]]
            if len(words) > MOST_STEPS:
                words[MOST_STEPS - 2 : -1] = [f"{len(words) - MOST_STEPS + 1:,} more"]
            notes = tuple(
                Related(f"rule `{job.rule.name}` makes `{path}` from `{need}`", self._span(need, job))
                for job, path, need in steps[1:MOST_STEPS]
            )
            message = f"a circle of rules: {', '.join(words[:-1])}, and {words[-1]}"
            hint = "no file can be made from itself: rename an output, remove an input, or constrain a wildcard"
            return Diagnostic("F503", message, self._span(below[0], first), hint, notes, chain)

        self._mistakes.add(("F503", rules), f"`{paths[0]}`", tell)

    def _circle(self, path: str) -> list[tuple[str, Job]]:
        """The circle that a path is stuck in, if everything it lacks leads back to it."""
        trail: list[tuple[str, Job]] = []
        seen: dict[str, int] = {}
        while path not in seen:
            jobs = self._lacking(path)
            if len(jobs) != 1 or self._broken(path):
                return []
            seen[path] = len(trail)
            trail.append((path, jobs[0]))
            path = self._found.lacks(jobs[0])[0]
        return trail[seen[path] :]

    # ── looking up ───────────────────────────────────────────────────────────────────────────────────────────────

    def _lacking(self, path: str) -> list[Job]:
        return [job for job in self._found.makers.get(path, ()) if job.mark == LACKING]

    def _broken(self, path: str) -> list[tuple[Rule, str, FlowfileError]]:
        """Candidates whose inputs cannot be computed: their rules, labels of their jobs, and why."""
        found = self._found
        if not found.broken:
            return []
        result = []
        for rule, values in found.index.candidates(path):
            error = found.broken.get((rule.index, values))
            if error is not None:
                named = " ".join(f"{k}={v}" for k, v in zip(rule.wildcards, values, strict=True))
                result.append((rule, f"{rule.name} {named}".rstrip(), error))
        return result

    def _span(self, path: str, user: Job | None) -> Span | None:
        if user is None:
            return None
        entry = self._found.recipes[user.rule.index].entry_of(user.values, path)
        return entry.span if entry is not None else user.rule.span
