"""Random small workflows whose outputs are known without running them: all of one follows from a `random.Random`."""

from __future__ import annotations

import hashlib
import random
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

LIB = Path(__file__).with_name("lib")


@dataclass(frozen=True, slots=True)
class Job:
    """A job.

    Attributes:
        name: of its rule, and its wildcard where it has one, as it stands in the ledger.
        outputs, inputs: paths in the order of the rule; temps: those of its outputs that are deleted in the end.
    """

    name: str
    outputs: tuple[str, ...]
    inputs: tuple[str, ...]
    temps: frozenset[str]


@dataclass(frozen=True)
class Dag:
    """A workflow.

    Attributes:
        sources: files that no job makes, with their content.
        jobs: in an order in which each comes after those it needs.
    """

    flowfile: str
    sources: dict[str, bytes]
    jobs: tuple[Job, ...]

    @cached_property
    def content(self) -> dict[str, dict[str, bytes]]:
        """What each output has to hold: content by name, the name "" for an output that is a file."""
        found: dict[str, dict[str, bytes]] = {path: {"": content} for path, content in self.sources.items()}
        for job in self.jobs:
            total = hashlib.md5(usedforsecurity=False)
            for path in job.inputs:
                for name in sorted(found[path]):
                    total.update(found[path][name])
            for number, path in enumerate(job.outputs):
                lines = {str(n): f"{job.name} {number} {n} {total.hexdigest()}\n".encode() for n in range(1, 6)}
                found[path] = lines if is_folder(path) else {"": b"".join(lines.values())}
        return {path: found[path] for job in self.jobs for path in job.outputs}

    @cached_property
    def maker(self) -> dict[str, Job]:
        """The job that makes each output."""
        return {path: job for job in self.jobs for path in job.outputs}

    @cached_property
    def kept(self) -> list[str]:
        """Outputs that are there in the end."""
        return [path for job in self.jobs for path in job.outputs if path not in job.temps]

    def remade_with(self, job: Job) -> set[str]:
        """Names of a job and of all that may run again if it has to.

        That are those whose temporary outputs it needs, and those that need a folder it makes: folders are compared by
        names, sizes and times, so one that is made again is another.
        """
        found: set[str] = set()
        todo = [job]
        while todo:
            job = todo.pop()
            if job.name in found:
                continue
            found.add(job.name)
            todo += [maker for path in job.inputs if (maker := self.maker.get(path)) and path in maker.temps]
            folders = set(filter(is_folder, job.outputs))
            todo += [other for other in self.jobs if folders & set(other.inputs)]
        return found

    def write(self, folder: Path) -> None:
        """Write the workflow into a folder."""
        shutil.copytree(LIB, folder / "lib", ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "Flowfile").write_text(self.flowfile)
        for path, content in self.sources.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)


def is_folder(path: str) -> bool:
    """Whether an output is a folder: its name says so."""
    return path.rpartition("/")[2].startswith("d")


@dataclass(slots=True)
class _Rule:
    """A rule while it is thought out; wide: it has a job for each `{n}`."""

    name: str
    wide: bool
    parents: list[tuple[_Rule, list[int]]]
    outputs: list[str]
    temps: set[int]
    action: str
    nap: float
    flaky: int
    more: list[str]

    def pattern(self, number: int) -> str:
        return f"{self.name}/{self.outputs[number]}" + ("{n}" if self.wide else "")

    def path(self, number: int, n: str) -> str:
        return self.pattern(number).replace("{n}", n)


def random_dag(rng: random.Random, *, batch: bool) -> Dag:
    """A workflow of some 5 to 30 jobs.

    Args:
        batch: it may say what only a batch profile knows.
    """
    names = [str(n) for n in range(rng.randint(2, 4))]
    rules: list[_Rule] = []
    for number in range(rng.randint(3, 7)):
        rules.append(_rule(rng, f"r{number}", rules, batch=batch))
    used = {(parent.name, which) for rule in rules for parent, outputs in rule.parents for which in outputs}
    for rule in rules:
        rule.temps = {which for which in rule.temps if (rule.name, which) in used}
    sources = {f"in/{n}": b"%d\n" % rng.randrange(10**9) for n in names}
    jobs = []
    for rule in rules:
        for n in names if rule.wide else [""]:
            outputs = tuple(rule.path(which, n) for which in range(len(rule.outputs)))
            temps = frozenset(rule.path(which, n) for which in rule.temps)
            jobs.append(Job(f"{rule.name}-{n}" if n else rule.name, outputs, _inputs(rule, n, names), temps))
    return Dag(_flowfile(rules, names), sources, tuple(jobs))


def _rule(rng: random.Random, name: str, before: list[_Rule], *, batch: bool) -> _Rule:
    parents = []
    for parent in rng.sample(before, min(len(before), rng.choice([1, 1, 2]))):
        parents.append((parent, sorted(rng.sample(range(len(parent.outputs)), rng.randint(1, len(parent.outputs))))))
    outputs = rng.choice([["a"], ["a"], ["a", "b"], ["d"], ["a", "d"]])
    temps = {which for which in range(len(outputs)) if rng.random() < 0.3}
    flaky = rng.choice([0, 0, 0, 1])
    more = [f"retries: {flaky + rng.randint(0, 1)}"] if flaky or rng.random() < 0.3 else []
    draws = {"threads: 2": 0.2, "local: true": 0.15, "priority: 5": 0.1, 'group: "together"': 0.2}
    more += [line for line, chance in draws.items() if rng.random() < chance]
    if rng.random() < 0.4 and batch:
        more.append(f"resources: gpus={rng.choice(['1', '0.5'])}{rng.choice(['', ', walltime=2min'])}")
    action = rng.choice(["shell", "shell", "shell", "call", "script"])
    wide = not before or rng.random() < 0.65
    return _Rule(name, wide, parents, outputs, temps, action, rng.choice([0.0, 0.01, 0.03, 0.06]), flaky, more)


def _inputs(rule: _Rule, n: str, names: list[str]) -> tuple[str, ...]:
    if not rule.parents:
        return (f"in/{n}",)
    found = []
    for parent, outputs in rule.parents:
        for which in outputs:
            each = names if parent.wide and not rule.wide else [n]
            found += [parent.path(which, one) for one in each]
    return tuple(found)


def _flowfile(rules: list[_Rule], names: list[str]) -> str:
    wanted = []
    for rule in rules:
        wanted += [_expanded(rule, which) for which in range(len(rule.outputs)) if which not in rule.temps]
    lines = [f"let N = {names}".replace("'", '"'), 'wildcards: n = "[0-9]+"']
    lines += ["rule all:", f"    input: {', '.join(wanted)}"]
    for rule in rules:
        lines += [f"rule {rule.name}:", f"    input: {', '.join(_given(rule))}"]
        lines.append(f"    output: {', '.join(_flagged(rule, which) for which in range(len(rule.outputs)))}")
        lines += [f"    {line}" for line in rule.more]
        if rule.action == "shell":
            name = f"{rule.name}-{{n}}" if rule.wide else rule.name
            words = f"{name} {rule.nap} {rule.flaky} {{attempt}} {{output}} -- {{input}}"
            lines.append(f'    shell: "bash lib/job.sh {words}"')
        else:
            code = "lib/job.py:make" if rule.action == "call" else "lib/script.py"
            lines += [f"    params: nap={rule.nap}, flaky={rule.flaky}", f'    {rule.action}: "{code}"']
    return "\n".join(lines) + "\n"


def _given(rule: _Rule) -> list[str]:
    if not rule.parents:
        return ['"in/{n}"']
    found = []
    for parent, outputs in rule.parents:
        for which in outputs:
            found.append(f'"{parent.pattern(which)}"' if rule.wide else _expanded(parent, which))
    return found


def _expanded(rule: _Rule, which: int) -> str:
    pattern = f'"{rule.pattern(which)}"'
    return f"expand({pattern}, n=N)" if rule.wide else pattern


def _flagged(rule: _Rule, which: int) -> str:
    text = f'"{rule.pattern(which)}"'
    if rule.outputs[which] == "d":
        text = f"directory({text})"
    return f"temp({text})" if which in rule.temps else text
