"""The report of a campaign: what ran where and when, what it used and cost, what failed, how outputs were made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from flowrules.model.likeness import Alike
from flowrules.model.packing import Span
from flowrules.model.record import Record
from flowrules.pages.campaign import Report, Shown
from flowrules.pages.charts import Curve, spread_chart, step_chart
from flowrules.pages.lanes import laid_out
from flowrules.pages.provenance import provenance
from flowrules.pages.shell import Page, render_page
from flowrules.pages.tables import Cell, Column, Table
from flowrules.pages.usage import Axis, RuleUse, area, by_rule, level, spread
from flowrules.show.cause import cause_of
from flowrules.show.progress import exit_text
from flowrules.show.tables import clock_text, record_label
from flowrules.show.text import counted, escape, shorten_middle
from flowrules.show.units import human_hours, human_size, human_time

SCRIPTS: Final = ("canvas.js", "timeline.js", "report.js")

BARS: Final = 100_000
"""Attempts in the timeline; of more the latest are shown."""


def render_report(report: Report) -> str:
    """The page as HTML."""
    attempts = [record for record in report.attempts if record.status != "touched"]
    axis = Axis([(record.started, record.ended) for record in attempts])
    rules = by_rule(attempts)
    page = Page(
        title=report.title,
        subtitle=_headline(report, attempts),
        template="report.html.j2",
        values={
            "facts": _facts(report, attempts, axis, rules),
            "charts": _charts(report, attempts, axis),
            "pauses": _pauses(axis),
            "rules": _rule_table(rules),
            "spreads": {row.rule: spread_chart(s) for row in rules if (s := spread(row.seconds)) is not None},
            "failures": [_failure(group) for group in report.failures],
            "blocks": _block_table(report),
            "runs": _run_table(report),
            "categories": _categories(report.shown),
            "dag": report.dag,
            "dag_note": escape(report.dag_note),
            "configuration": _lines(report.configuration),
            "outputs": sum(len(record.outputs) for record in attempts),
            "some": bool(attempts),
        },
        styles=("report.css",),
        scripts=SCRIPTS,
        data={"timeline": _timeline(attempts, axis, rules), **provenance(attempts, report.commands)},
        made=f"as of {clock_text(report.now)}",
        images=True,
        frames=True,
    )
    return render_page(page)


# ── summary ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _headline(report: Report, attempts: Sequence[Record]) -> str:
    done, failed = _jobs(attempts)
    parts = [f"{counted(done, 'job')} done"]
    if failed:
        parts.append(f"{failed:,} failed")
    return f"{'running: ' if report.running else ''}{', '.join(parts)}"


def _jobs(attempts: Sequence[Record]) -> tuple[int, int]:
    """Jobs whose last attempt ended well, and jobs whose last one failed."""
    states = list({record.job: record.status for record in attempts if record.status != "killed"}.values())
    return states.count("done"), states.count("failed")


def _facts(
    report: Report, attempts: Sequence[Record], axis: Axis, rules: Sequence[RuleUse]
) -> list[tuple[str, str, str]]:
    """Cards: what, how much, and a remark."""
    done, failed = _jobs(attempts)
    repeated = len(attempts) - len({record.job for record in attempts})
    cpu = sum(record.cpu for record in attempts)
    work = sum(record.elapsed for record in attempts)
    facts = [
        ("Jobs done", f"{done:,}", f"{failed:,} failed" if failed else "none failed"),
        ("Time", human_time(axis.length), f"from {clock_text(axis.start)}" if attempts else "nothing ran"),
        ("Attempts", f"{len(attempts):,}", f"{repeated:,} repeated" if repeated else "none repeated"),
        ("Run time of jobs", human_time(work), f"{human_time(cpu)} of CPU"),
    ]
    if axis.length:
        facts.append(("At once", f"{work / axis.length:.1f}", "jobs on average"))
    wasted = sum(row.wasted for row in rules)
    if wasted:
        facts.append(
            ("Lost to failures", human_time(wasted), f"{100 * wasted / work:.1f}% of the run time" if work else "")
        )
    if report.blocks:
        used, asked = sum(block.hours for block in report.blocks), sum(block.asked for block in report.blocks)
        facts.append(("Node-hours", human_hours(used), f"{human_hours(asked)} asked for"))
        facts.append(("Blocks", f"{len(report.blocks):,}", f"{sum(block.nodes for block in report.blocks):,} nodes"))
    return [(name, escape(value), escape(note)) for name, value, note in facts]


def _pauses(axis: Axis) -> str:
    if not axis.pauses:
        return ""
    longest = human_time(max(axis.pauses))
    return f"{counted(len(axis.pauses), 'pause')} in which nothing ran left out (the longest {longest})"


# ── curves ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _charts(report: Report, attempts: Sequence[Record], axis: Axis) -> list[dict[str, object]]:
    if not attempts:
        return []
    ends = [(axis.at(record.ended), 1.0) for record in attempts if record.status == "done"]
    lost = [(axis.at(record.ended), 1.0) for record in attempts if record.status != "done"]
    curves = [Curve("done", level(ends), "c-done", True)]
    if lost:
        curves.append(Curve("failed or killed", level(lost), "c-failed"))
    rate = f"{len(ends) / axis.length:.2g} jobs a second on average" if axis.length else ""
    charts = [_chart("Throughput", "attempts that have ended", curves, axis, "attempts", rate)]
    charts.append(_busy(report, attempts, axis))
    return charts


def _busy(report: Report, attempts: Sequence[Record], axis: Axis) -> dict[str, object]:
    """GPUs in use where jobs have any, else threads; with what there was, where that is known."""
    with_gpus = any(record.gpus for record in attempts)
    what = "GPUs" if with_gpus else "threads"
    changes = []
    for record in attempts:
        amount = _gpus(record) if with_gpus else float(record.threads)
        changes += [(axis.at(record.started), amount), (axis.at(record.ended), -amount)]
    busy = level(changes)
    curves = [Curve(f"{what} in use", busy, "c-run", True)]
    there = _there(report, axis, with_gpus)
    note = ""
    if there:
        curves.append(Curve(f"{what} there were", there, "c-there"))
        total = area(there, axis.length)
        note = f"{100 * area(busy, axis.length) / total:.0f}% of them in use on average" if total else ""
    return _chart("Utilization", f"{what} in use by jobs", curves, axis, what, note)


def _gpus(record: Record) -> float:
    """How many GPUs an attempt had, by what it asked for: several may share one."""
    try:
        asked = float(record.resources.get("gpus", len(record.gpus)))
    except ValueError:
        asked = float(len(record.gpus))
    return asked if 0 < asked < 1 else float(len(record.gpus))


def _there(report: Report, axis: Axis, with_gpus: bool) -> list[tuple[float, float]]:
    changes = []
    for block in report.blocks:
        if block.began:
            amount = float(block.nodes * (block.gpus if with_gpus else block.cpus))
            changes += [(axis.at(block.began), amount), (axis.at(block.ended), -amount)]
    if not report.blocks and (there := report.gpus if with_gpus else report.cores):
        return [(0.0, float(there))]
    return level(changes)


def _chart(title: str, about: str, curves: Sequence[Curve], axis: Axis, unit: str, note: str) -> dict[str, object]:
    return {
        "title": title,
        "picture": step_chart(f"{title}: {about} over time", curves, axis.length, unit),
        "legend": [(curve.name, curve.style) for curve in curves],
        "note": note,
    }


# ── timeline ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _timeline(attempts: Sequence[Record], axis: Axis, rules: Sequence[RuleUse]) -> dict[str, object]:
    """Attempts as bars in the slots of the hosts they ran on; ``job``: the position in ``labels``."""
    number = {row.rule: at for at, row in enumerate(rules)}
    some = attempts[-BARS:]
    hosts = sorted({record.host or "here" for record in some}, key=lambda name: (len(name), name))
    groups = []
    for host in hosts:
        mine = [(at, record) for at, record in enumerate(some) if (record.host or "here") == host]
        spans = [
            Span(at, axis.at(r.started), axis.at(r.ended), (0,), 1.0, tuple(r.gpus), r.threads)
            for at, r in sorted(mine, key=lambda pair: pair[1].started)
        ]
        lanes, bars = laid_out(spans)
        chosen = [spans[position] for _, position in bars]
        groups.append(
            {
                "title": escape(shorten_middle(host, 28)),
                "told": [counted(len(mine), "attempt")],
                "offset": 0,
                "length": axis.length,
                "lanes": [[-1, lane.name] for lane in lanes],  # the head says which host
                "bars": {
                    "lane": [lane for lane, _ in bars],
                    "start": [round(span.start, 3) for span in chosen],
                    "end": [round(span.end, 3) for span in chosen],
                    "kind": [number[some[span.job].rule] for span in chosen],
                    "job": [span.job for span in chosen],
                },
            }
        )
    return {
        "rules": [escape(row.rule) for row in rules],
        "groups": groups,
        "labels": [escape(record_label(record)) for record in some],
        "states": [record.status for record in some],
        "left_out": len(attempts) - len(some),
    }


# ── tables ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _rule_table(rules: Sequence[RuleUse]) -> Table:
    columns = [
        Column("rule"),
        *(Column(name, "number") for name in ("done", "failed", "total", "median", "90%", "longest", "CPU", "memory")),
    ]
    total = max((row.total for row in rules), default=0.0)
    rows = [
        [
            Cell(row.rule),
            Cell(f"{row.done:,}", row.done),
            Cell(f"{row.failed:,}" if row.failed else "", row.failed, "failed" if row.failed else ""),
            Cell(human_time(row.total), row.total, part=round(row.total / total, 3) if total else None),
            Cell(human_time(row.quantile(0.5)) if row.seconds else "", row.quantile(0.5)),
            Cell(human_time(row.quantile(0.9)) if row.seconds else "", row.quantile(0.9)),
            Cell(human_time(row.seconds[-1]) if row.seconds else "", row.seconds[-1] if row.seconds else 0.0),
            Cell(f"{100 * row.cpu / row.wall:.0f}%" if row.wall else "", row.cpu / row.wall if row.wall else 0.0),
            Cell(human_size(row.memory) if row.memory else "", row.memory),
        ]
        for row in rules
    ]
    note = "total, median, 90% and longest: run time of attempts that ended well; CPU: of the threads they had"
    return Table("What each rule took", columns, rows, note, "No attempt has ended yet.")


def _block_table(report: Report) -> Table:
    columns = [
        Column("block"),
        Column("batch job", "code"),
        Column("queue"),
        Column("state"),
        *(Column(name, "number") for name in ("nodes", "began", "ran", "walltime", "node-hours", "asked for")),
    ]
    rows = [
        [
            Cell(block.name),
            Cell(block.batch),
            Cell(block.queue),
            Cell(block.state),
            Cell(f"{block.nodes:,}", block.nodes),
            Cell(clock_text(block.began) if block.began else "", block.began),
            Cell(human_time(block.ended - block.began) if block.began else "", block.ended - block.began),
            Cell(human_time(block.walltime), block.walltime),
            Cell(human_hours(block.hours) if block.began else "", block.hours),
            Cell(human_hours(block.asked), block.asked),
        ]
        for block in report.blocks
    ]
    return Table("Batch jobs", columns, rows, empty="Nothing was submitted to a batch system.")


def _run_table(report: Report) -> Table:
    columns = [Column("started"), Column("took", "number"), Column("by"), Column("result"), Column("command", "code")]
    rows = [
        [
            Cell(clock_text(run.started), run.started),
            Cell(
                human_time(run.ended - run.started) if run.ended else "", run.ended - run.started if run.ended else 0.0
            ),
            Cell(run.who),
            Cell(run.result),
            Cell(run.command),
        ]
        for run in report.runs
    ]
    return Table("Runs of flowrules", columns, rows, empty="No run is recorded.")


# ── failures ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _failure(group: Alike) -> dict[str, object]:
    last = group.failures[-1]
    record, lines = last
    cause = cause_of(record, lines)
    return {
        "rule": escape(group.rule),
        "count": len(group.failures),
        "ending": exit_text(record),
        "what": "" if record.error and record.exit <= 0 else escape(cause.what),
        "advice": escape(cause.advice),
        "last": escape(record_label(record)),
        "where": escape(record.host),
        "excerpt": [escape(line.expandtabs(4)) for line in lines[-12:]],
        "logs": [escape(failure.record.log) for failure in reversed(group.failures) if failure.record.log][:500],
    }


# ── results ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _categories(shown: Sequence[Shown]) -> list[tuple[str, list[dict[str, object]]]]:
    found: dict[str, list[dict[str, object]]] = {}
    for item in shown:
        found.setdefault(item.category or "Results", []).append(
            {
                "path": escape(item.path),
                "caption": _lines(item.caption),
                "kind": item.kind,
                "address": item.address,
                "size": human_size(item.size),
                "text": _lines(item.text),
                "table": item.table,
            }
        )
    return [(escape(name), items) for name, items in found.items()]


def _lines(text: str) -> str:
    """A text of several lines, hostile characters spelt out."""
    return "\n".join([escape(line.expandtabs(4)) for line in text.split("\n")])
