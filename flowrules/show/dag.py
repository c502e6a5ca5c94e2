"""The DAG in every form: text, DOT, Mermaid, JSON and SVG."""

from __future__ import annotations

from typing import Final

from flowrules.errors import UsageError
from flowrules.model.plan import Plan
from flowrules.show.graph_formats import render_dot, render_graph_json, render_mermaid
from flowrules.show.graph_model import LEVELS, Graph, graph_of
from flowrules.show.graph_text import render_tree

FORMATS: Final = ("text", "dot", "mermaid", "json", "svg")

DRAWN_NODES: Final = 2_000
DRAWN_EDGES: Final = 8_000
"""A larger picture is of no use to anybody: rules are drawn instead."""


def render_dag(plan: Plan, form: str, level: str, *, color: bool = False) -> str:
    """The DAG of a plan in one of `FORMATS`, its nodes being `jobs`, `rules` or `files`; no newline at the end.

    Raises:
        UsageError: there is no such format or level.
    """
    if form not in FORMATS:
        raise UsageError(f"unknown format `{form}`", f"the formats of a DAG are {', '.join(FORMATS)}")
    known = next((name for name in LEVELS if name == level), None)
    if known is None:
        raise UsageError(f"unknown level `{level}`", f"the levels of a DAG are {', '.join(LEVELS)}")
    graph = graph_of(plan, known)
    if form == "text":
        return render_tree(graph, color=color)
    if form == "json":
        return render_graph_json(graph)
    if form == "dot":
        return render_dot(graph)
    if form == "mermaid":
        return render_mermaid(graph)
    from flowrules.show.graph_svg import render_svg

    return render_svg(_drawable(plan, graph))


def _drawable(plan: Plan, graph: Graph) -> Graph:
    """The graph itself, or that of rules where it is too large to be drawn."""
    if graph.level == "rules" or (len(graph.nodes) <= DRAWN_NODES and graph.edges <= DRAWN_EDGES):
        return graph
    rules = graph_of(plan, "rules")
    rules.note = f"rules are shown: {len(graph.nodes):,} {graph.level} and {graph.edges:,} edges are too many to draw"
    return rules
