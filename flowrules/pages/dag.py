"""The page of a DAG: rules with counts that unfold into their jobs, and with a packing the blocks over time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from flowrules.model.packing import Packing
from flowrules.model.plan import Decision, Plan
from flowrules.model.rule import Rule
from flowrules.pages.columns import JOBS, Facts, Kept, detail_chunks, index_columns, keep
from flowrules.pages.lanes import packing_data, places
from flowrules.pages.shell import ZOOM, Page, render_page
from flowrules.pages.states import NUMBER, STATES
from flowrules.pages.tables import Cell, Column, Table
from flowrules.show.graph_layout import layout
from flowrules.show.graph_model import Graph, graph_of, ranked
from flowrules.show.graph_svg import text_width
from flowrules.show.packing import ShownBlock
from flowrules.show.text import counted, escape, shorten_middle

SCRIPTS: Final = (
    "canvas.js",
    "model.js",
    "unfold.js",
    "draw.js",
    "list.js",
    "panel.js",
    "timeline.js",
    "packing.js",
    "dag.js",
)
NAME: Final = 32
"""Characters of a rule's name in its box."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A packing with its queues and its machine in words."""

    packing: Packing
    shown: Sequence[ShownBlock]
    machine: str


def render_dag_page(
    plan: Plan,
    facts: Facts,
    *,
    title: str,
    made: str = "",
    packed: Packed | None = None,
    jobs: int = JOBS,
) -> str:
    """The page as HTML.

    Args:
        title: what the workflow is called.
        made: when and from what, for the footer.
        jobs: how many jobs it holds at most; 0 for rules only.
    """
    graph = graph_of(plan, "rules")
    rules = {node.ref: i for i, node in enumerate(graph.nodes)}
    kept = keep(plan, rules, jobs, facts.states)
    data: dict[str, object] = {"dag": _dag(plan, graph, kept), "jobs": index_columns(plan, kept)}
    data.update(detail_chunks(plan, kept, facts))
    if packed is not None:
        data["packing"] = packing_data(
            packed.packing,
            packed.shown,
            packed.machine,
            lambda job: rules[plan.jobs[job].rule.index],
            kept.number,
        )
        where = places(packed.packing)
        data["places"] = {kept.number[job]: place for job, place in where.items() if kept.number[job] >= 0}
    page = Page(
        title=title,
        subtitle=graph.headline,
        template="dag.html.j2",
        values={
            "table": _table(graph, kept),
            "targets": escape(", ".join(plan.targets[:5]) + (", …" if len(plan.targets) > 5 else "")),
            "packed": packed is not None,
        },
        styles=("dag.css",),
        scripts=SCRIPTS,
        libraries=ZOOM,
        data=data,
        made=made,
    )
    return render_page(page)


def _dag(plan: Plan, graph: Graph, kept: Kept) -> Mapping[str, object]:
    """Rules with their places, and the edges between them."""
    order, needs = ranked(graph.needs)
    names = [shorten_middle(escape(node.name), NAME) for node in graph.nodes]
    counts = [sum(totals.values()) for totals in kept.totals]
    sizes = [_size(name, count) for name, count in zip(names, counts, strict=True)]
    picture = layout(needs, order, sizes)
    by_index: dict[int, Rule] = {}
    causes: dict[int, Counter[str]] = {}
    for job in plan.jobs:
        by_index.setdefault(job.rule.index, job.rule)
        if plan.decisions[job.id] is not Decision.SKIP and plan.reasons[job.id]:
            causes.setdefault(job.rule.index, Counter())[plan.reasons[job.id][0].cause.value] += 1
    rows = []
    for i, node in enumerate(graph.nodes):
        rule = by_index[node.ref]
        rows.append(
            {
                "name": escape(node.name),
                "shown": names[i],
                "doc": "\n".join([escape(line.strip()) for line in (rule.doc or "").strip().split("\n")]),
                "where": escape(f"{rule.span.source.name}:{rule.span.line}"),
                "wildcards": [escape(name) for name in rule.wildcards],
                "group": rule.group and escape(rule.group),
                "local": rule.local,
                "loop": node.loop,
                "totals": kept.totals[i],
                "first": kept.first[i],
                "kept": kept.first[i + 1] - kept.first[i],
                "causes": causes.get(node.ref, Counter()).most_common(5),
                "box": [round(value, 1) for value in picture.boxes[i]],
                "rank": picture.ranks[i],
            }
        )
    return {
        "rules": rows,
        "needs": graph.needs,
        "edges": [[e.tail, e.head, [round(value, 1) for point in e.points for value in point]] for e in picture.edges],
        "bands": picture.bands,
        "size": [picture.width, picture.height],
        "horizontal": picture.horizontal,
        "jobs": len(plan.jobs),
        "kept": len(kept.order),
    }


def _size(name: str, count: int) -> tuple[float, float]:
    """Of a rule's box: its name in 13 pixels, below it how many jobs it has and a bar of their states."""
    wide = max(text_width(name) * 1.22, text_width(counted(count, "job")) + 40)
    return round(max(132.0, wide + 54)), 58.0


def _table(graph: Graph, kept: Kept) -> Table:
    """All rules with their counts, for those who do not see the picture or run no scripts."""
    found = {state for totals in kept.totals for state in totals}
    states = [state for state in STATES if NUMBER[state.key] in found]
    rows = []
    for node, totals in zip(graph.nodes, kept.totals, strict=True):
        counts = [totals.get(NUMBER[state.key], 0) for state in states]
        rows.append([Cell(node.name), *[Cell(f"{count:,}", count) for count in counts]])
    columns = [Column("rule"), *[Column(state.text, "number") for state in states]]
    return Table("Rules and their jobs", columns, rows, empty="The DAG is empty: nothing was asked for.")
