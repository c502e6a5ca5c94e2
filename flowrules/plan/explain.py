"""Why a file cannot be had, in words: who needs it, who might have made it, what nearby file exists."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from posixpath import basename, dirname

from flowrules.errors import Diagnostic, Related, did_you_mean
from flowrules.model.job import Job
from flowrules.plan.resolve import DEPTH_LIMIT, LACKING, Resolution
from flowrules.span import Span

NEARBY = 5_000
"""How many files are looked through for a name that resembles a missing one."""


class Explainer:
    """Turns a path that cannot be had into a diagnostic."""

    def __init__(self, found: Resolution) -> None:
        self._found = found

    def missing(self, path: str, user: Job | None, chain: tuple[str, ...]) -> Diagnostic:
        """The diagnostic for a path that a job (or the call, where ``user`` is None) needs and that cannot be had."""
        found = self._found
        for rule, values in found.index.candidates(path):
            broken = found.broken.get((rule.index, values))
            if broken is not None:
                first = broken.diagnostics[0]
                return Diagnostic(
                    first.code, first.message, first.span, first.hint, first.related, (*chain, f"rule {rule.name}")
                )
        if path in found.endless:
            return self._endless(path, chain)
        lacking = [job for job in found.makers.get(path, ()) if job.mark == LACKING]
        circle = self._circle(path)
        if circle:
            return self._needs_itself(circle, chain)
        span = self._span(path, user)
        if not lacking:
            return self._nobody(path, user, span, chain)
        if len(lacking) == 1:
            root, last = self._root(path)
            rule = last.rule
            inner = self._chain_down(path, root)
            return Diagnostic(
                "F501",
                f"missing input `{root}` of rule `{rule.name}`",
                self._span(root, last) or rule.span,
                self._nearby(root),
                chain=(*chain, *inner),
            )
        related = tuple(
            Related(f"rule `{job.rule.name}` could make it, but lacks {_list(found.lacks(job))}", job.rule.span)
            for job in lacking[:8]
        )
        return Diagnostic("F501", f"no rule can make `{path}`{_needed(user)}", span, self._nearby(path), related, chain)

    def _nobody(self, path: str, user: Job | None, span: Span | None, chain: tuple[str, ...]) -> Diagnostic:
        if user is None:
            return Diagnostic("F701", f"no rule makes `{path}`, and there is no such file", None, self._nearby(path))
        return Diagnostic(
            "F501", f"missing input `{path}` of rule `{user.rule.name}`", span, self._nearby(path), (), chain
        )

    def _endless(self, path: str, chain: tuple[str, ...]) -> Diagnostic:
        rule = self._found.endless[path]
        return Diagnostic(
            "F505",
            f"rule `{rule.name}` asks for itself without end: it came to need `{path[:200]}`",
            rule.span,
            f"constrain its wildcards so that its input cannot be its own output again (limit: {DEPTH_LIMIT:,} times)",
            chain=chain,
        )

    def _needs_itself(self, circle: Sequence[tuple[str, Job]], chain: tuple[str, ...]) -> Diagnostic:
        first = circle[0][1]
        if len(circle) == 1:
            return Diagnostic(
                "F504",
                f"rule `{first.rule.name}` needs `{circle[0][0]}`, which it makes itself",
                first.rule.span,
                "give the output another name, or remove it from the inputs",
                chain=chain,
            )
        steps = " ← ".join(f"`{path}`" for path, _ in (*circle, circle[0]))
        return Diagnostic(
            "F503",
            f"a circle of rules: {steps}",
            first.rule.span,
            "a file cannot be made from itself: constrain a wildcard or rename an output",
            tuple(Related(f"rule `{job.rule.name}` makes `{path}`", job.rule.span) for path, job in circle),
            chain,
        )

    def _root(self, path: str) -> tuple[str, Job]:
        """Follows single lacking candidates down to the file that nobody can make, and the job that needs it."""
        seen = {path}
        (job,) = self._lacking(path)
        while True:
            lacks = self._found.lacks(job)
            below = lacks[0]
            makers = self._lacking(below)
            if len(makers) != 1 or below in seen:
                return below, job
            seen.add(below)
            (job,) = makers

    def _chain_down(self, path: str, root: str) -> tuple[str, ...]:
        links: list[str] = []
        while path != root and len(links) < 12:
            (job,) = self._lacking(path)
            links.append(f"rule {job.label}")
            path = self._found.lacks(job)[0]
        return tuple(links)

    def _lacking(self, path: str) -> list[Job]:
        return [job for job in self._found.makers.get(path, ()) if job.mark == LACKING]

    def _circle(self, path: str) -> list[tuple[str, Job]]:
        """The circle that a path is stuck in, if everything it lacks leads back to it."""
        trail: list[tuple[str, Job]] = []
        seen: dict[str, int] = {}
        while path not in seen:
            jobs = self._lacking(path)
            if len(jobs) != 1:
                return []
            seen[path] = len(trail)
            trail.append((path, jobs[0]))
            path = self._found.lacks(jobs[0])[0]
        return trail[seen[path] :]

    def _span(self, path: str, user: Job | None) -> Span | None:
        if user is None:
            return None
        entry = self._found.recipes[user.rule.index].entry_of(user.values, path)
        return entry.span if entry is not None else user.rule.span

    def _nearby(self, path: str) -> str | None:
        """What exists beside a missing file, or what rules make that looks like it."""
        folder = dirname(path)
        files = self._found.files
        below = list(islice(files.files_below(folder or "."), NEARBY))
        near = did_you_mean(basename(path), [basename(p) for p in below if dirname(p) == folder])
        if near:
            return f"there is `{folder + '/' if folder else ''}{near}`: did you mean that?"
        outputs = [output.path for recipe in self._found.recipes for output in recipe.rule.outputs]
        near = did_you_mean(path, [o for o in outputs if isinstance(o, str)])
        if near:
            return f"a rule makes `{near}`: did you mean that?"
        names = [p for p in below if basename(p) == basename(path)]
        if not names and folder:
            stat = files.stat(folder)
            if stat is None:
                return f"there is no folder `{folder}`"
        return f"there is `{names[0]}`" if names else None


def _needed(user: Job | None) -> str:
    return f", which rule `{user.rule.name}` needs" if user is not None else ""


def _list(paths: Sequence[str]) -> str:
    shown = ", ".join(f"`{p}`" for p in paths[:3])
    return f"{shown} and {len(paths) - 3} more" if len(paths) > 3 else shown
