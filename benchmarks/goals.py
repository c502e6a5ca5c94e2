"""What is aimed at, beside what was measured: a table of goals, most of them ratios to another program of the run."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from missed import NEXT

Groups = Mapping[str, Mapping[str, Any]]


class NotMeasuredError(LookupError):
    """A figure that a goal asks for is not there."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A goal beside what was measured: texts, and whether it is met; None where nothing was measured."""

    aim: str
    ours: str
    peers: str
    ratio: str
    goal: str
    met: bool | None


@dataclass(frozen=True, slots=True)
class Figures:
    """Looks figures up by suite, case, size and program."""

    groups: Groups

    def row(self, suite: str, case: str, size: int, program: str = "") -> Mapping[str, Any]:
        """One program of a group; the first, flowrules, where none is named."""
        group = self.groups.get(f"{suite} / {case} / {size}")
        rows = group["rows"] if group else []
        for row in rows:
            if row["program"] == program or not program:
                found: Mapping[str, Any] = row
                return found
        raise NotMeasuredError(f"{suite} / {case} / {size} / {program}")

    def seconds(self, suite: str, case: str, size: int, program: str = "") -> float:
        """The median."""
        return statistics.median(self.row(suite, case, size, program)["seconds"])

    def memory(self, suite: str, case: str, size: int, program: str = "") -> float:
        """The median, MiB."""
        return statistics.median(self.row(suite, case, size, program)["memory"])

    def rate(self, suite: str, case: str, size: int, program: str = "") -> float:
        """Jobs a second of the whole process."""
        return self.row(suite, case, size, program)["jobs"] / self.seconds(suite, case, size, program)


def judge(groups: Groups) -> list[Judged]:
    """Every goal, in the order of the table."""
    figures = Figures(groups)
    judged = []
    for aim, goal, ask in _GOALS:
        try:
            ours, peers, ratio, met = ask(figures)
            judged.append(Judged(aim, ours, peers, ratio, goal, met))
        except NotMeasuredError:
            judged.append(Judged(aim, "", "", "", goal, None))
    return judged


Answer = tuple[str, str, str, bool]
"""Our figure, the peers', the ratio, and whether the goal is met."""


def _launch(f: Figures) -> Answer:
    names = ("make", "ninja", "xargs")
    ours = f.rate("launch", "shell jobs", 2000)
    peers = {name: f.rate("launch", "shell jobs", 2000, name) for name in names}
    best = max(peers.values())
    told = ", ".join(f"{name} {rate:,.0f}" for name, rate in peers.items())
    return f"{ours:,.0f} jobs/s", told, f"{ours / best:.2f}", ours >= 1.3 * best


def _recording(f: Figures) -> Answer:
    alone, all_ = f.seconds("launch", "the record alone", 2000), f.seconds("launch", "shell jobs", 2000)
    return f"{alone / all_:.1%}", "", "", alone <= 0.1 * all_


def _calls(f: Figures) -> Answer:
    ours = f.row("calls", "functions that do nothing", 2000)["once_started"]
    parsl = f.row("calls", "functions that do nothing", 2000, "Parsl, HTEX")["once_started"]
    return f"{ours:,.0f} jobs/s", f"Parsl HTEX {parsl:,.0f}", f"{ours / parsl:.2f}", ours >= 4 * parsl


def _blocks(launcher: str) -> Callable[[Figures], Answer]:
    def ask(f: Figures) -> Answer:
        ours = f.row("blocks", f"throughput, {launcher}", 2000)["rate"]
        bare = f.row("blocks", f"throughput, {launcher}", 2000, "bare agents")["rate"]
        return f"{ours:,.0f} jobs/s", f"bare agents {bare:,.0f}", f"{ours / bare:.2f}", ours >= 0.7 * bare

    return ask


def _plan(case: str, size: int, most: Mapping[str, float]) -> Callable[[Figures], Answer]:
    """Times of `make -n` and `ninja -n` that may be taken."""

    def ask(f: Figures) -> Answer:
        ours = f.seconds("plan", case, size)
        peers = {name: f.seconds("plan", case, size, f"{name} -n") for name in most}
        told = ", ".join(f"{name} {seconds:.2f}" for name, seconds in peers.items())
        ratio = ", ".join(f"{ours / seconds:.2f}" for seconds in peers.values())
        return f"{ours:.2f} s", told, ratio, all(ours <= most[name] * seconds for name, seconds in peers.items())

    return ask


def _snakemake(f: Figures) -> Answer:
    ours = f.seconds("plan", "nothing built", 10_000)
    peer = f.seconds("plan", "nothing built", 10_000, "snakemake -n")
    return f"{ours:.2f} s", f"Snakemake {peer:.1f}", f"{peer / ours:.0f} times faster", peer >= 50 * ours


def _million(f: Figures) -> Answer:
    ours, make = (f.memory("plan", "nothing built", 1_000_000, name) for name in ("", "make -n"))
    each = f.seconds("plan", "nothing built", 1_000_000) / 10 / f.seconds("plan", "nothing built", 100_000)
    told = f"{ours:,.0f} MiB; {each:.2f} of the time for each job at 100,000"
    return told, f"make {make:,.0f} MiB", f"{ours / make:.2f}", ours <= make and each <= 1.05


def _aggregation(f: Figures) -> Answer:
    ours = f.seconds("plan", "aggregation", 9_000_000)
    return f"{ours:.1f} s", "", "", ours <= 30


def _start(case: str, size: int, most: float, program: str) -> Callable[[Figures], Answer]:
    def ask(f: Figures) -> Answer:
        ours = f.seconds("start", case, size)
        told, ratio = "", ""
        if program:
            peer = f.seconds("start", case, size, program)
            told, ratio = f"{program} {1000 * peer:.0f}", f"{ours / peer:.2f}"
        return f"{1000 * ours:.0f} ms", told, ratio, ours <= most

    return ask


def _packing(f: Figures) -> Answer:
    group = f.groups.get("packing / virtual time / 2000")
    if group is None:
        raise NotMeasuredError
    worst = max(group["rows"], key=lambda row: row["ours"])
    blind = max(row["file_order"] for row in group["rows"])
    over = [row for row in group["rows"] if row["ours"] > 1.05]
    told = f"{worst['ours']:.3f} at worst, of {len(group['rows'])} ({len(over)} over)"
    return told, f"in the order of the file {blind:.2f}", "", not over


def _sleeps(f: Figures) -> Answer:
    size = 400
    ours = f.row("packing", "sleeps", size)["once_started"]
    make = f.row("packing", "sleeps", size, "make")["once_started"]
    return f"{ours:.3f}", f"make {make:.3f}", f"{ours / make:.2f}", ours <= 1.05


def _hosts(f: Figures) -> Answer:
    ours = {name: f.row("blocks", f"packing, {name}", 2000)["over_least"] for name in ("ssh", "mpiexec")}
    bare = f.row("blocks", "packing, ssh", 2000, "bare agents")["over_least"]
    told = ", ".join(f"{name} {value:.3f}" for name, value in ours.items())
    return told, f"bare agents {bare:.3f}", f"{max(ours.values()) / bare:.3f}", max(ours.values()) <= 1.05


def _driver(f: Figures) -> Answer:
    row = f.row("blocks", "driver", 1_000_000)
    told = f"{row['memory']:,.0f} MiB, {row['core_at_100']:.1%} of a core at 100 jobs/s"
    return told, "", "", row["memory"] <= 2048 and row["core_at_100"] <= 0.05


def _virtual(f: Figures) -> Answer:
    row = f.row("virtual", "campaigns", 2_000_000)
    each = {size: f.row("virtual", "campaigns", size) for size in (10_000, 100_000)}
    costs = [1e6 * r["cpu"] / r["events"] for r in (*each.values(), row)]
    minutes = f"{row['wall'] / 60:.1f} min ({row['cpu'] / 60:.1f} of CPU)"
    told = f"{minutes}, {row['memory'] / 1024:.1f} GiB, {costs[-1]:.0f} µs/event"
    growth = f"{costs[-1] / costs[0]:.2f} times the cost of an event at 10,000 jobs"
    return told, "", growth, row["wall"] <= 600 and row["memory"] <= 8192 and costs[-1] <= 1.5 * costs[0]


def _memory(what: str, size: int) -> Callable[[Figures], Answer]:
    def ask(f: Figures) -> Answer:
        row = f.row("memory", what, size)
        return f"{row['bytes_per_job']:,.0f} bytes", "", "", row["bytes_per_job"] <= row["budget"]

    return ask


_GOALS: tuple[tuple[str, str, Callable[[Figures], Answer]], ...] = (
    ("launch, shell jobs, all recorded, on tmpfs", "≥ 1.3 × the fastest of make, ninja, xargs", _launch),
    ("recording, as a part of launching", "≤ 10 %", _recording),
    ("launch, `call` jobs", "≥ 4 × Parsl HTEX, no-op, once started", _calls),
    ("launch with a batch profile over ssh", "≥ 0.7 × the bare agents", _blocks("ssh")),
    ("launch with a batch profile over mpiexec", "≥ 0.7 × the bare agents", _blocks("mpiexec")),
    (
        "plan, nothing built, 100,000 jobs",
        "≤ 2 × make, ≤ ninja",
        _plan("nothing built", 100_000, {"make": 2.0, "ninja": 1.0}),
    ),
    ("plan, nothing built, 10,000 jobs", "≥ 50 × faster than Snakemake", _snakemake),
    ("plan, up to date, 100,000 jobs", "≤ 2 × make", _plan("up to date", 100_000, {"make": 2.0})),
    ("plan, nothing built, 1,000,000 jobs", "≤ make", _plan("nothing built", 1_000_000, {"make": 1.0})),
    ("the same: memory, and growth", "≤ make; no more for each job than at 100,000", _million),
    ("3,000 × 3,000 aggregation (9 million edges)", "≤ 30 s", _aggregation),
    ("1,000,000 jobs up to date", "≤ 1.5 × make", _plan("up to date", 1_000_000, {"make": 1.5})),
    ("start-up: `--version`", "≤ 60 ms", _start("--version", 0, 0.060, "ninja")),
    ("start-up: dry run of three jobs", "≤ 150 ms", _start("dry run of 3 jobs", 3, 0.150, "snakemake -n")),
    ("a Flowfile of 1,000 rules", "≤ 1 s", _start("a Flowfile of many rules", 1000, 1.0, "")),
    ("packing, run times known, in virtual time: over the least", "≤ 1.05", _packing),
    ("packing, 400 sleeps on 16 slots here, whole process: over the least", "≤ 1.05", _sleeps),
    ("packing on 4 ssh nodes × 4 slots, 2,000 sleeps: over the least", "≤ 1.05", _hosts),
    ("driver with 1,000,000 jobs in a campaign", "≤ 2 GB, ≤ 5 % of a core at 100 jobs/s", _driver),
    ("virtual time: 2,000,000 jobs, 8,000 nodes × 32 slots", "≤ 10 min, ≤ 8 GB, flat cost of an event", _virtual),
    ("memory for each job, planning", "≤ 1,900 bytes", _memory("plan", 100_000)),
    ("memory for each job, running", "≤ 4,000 bytes", _memory("run", 10_000)),
)


def missed(judged: list[Judged]) -> str:
    """What is missed, why, and what comes next, as Markdown; "" where nothing is."""
    return "".join(f"- **{row.aim}.** {NEXT.get(row.aim, '')}\n" for row in judged if row.met is False)


def table(judged: list[Judged]) -> str:
    """All goals as Markdown."""
    text = "| | goal | flowrules | others | ratio | |\n|---|---|---|---|---|---|\n"
    said = {True: "met", False: "**missed**", None: "not measured"}
    for row in judged:
        text += f"| {row.aim} | {row.goal} | {row.ours} | {row.peers} | {row.ratio} | {said[row.met]} |\n"
    return text
