"""A plan as a networkx graph; the only user of networkx."""

from __future__ import annotations

from typing import TYPE_CHECKING

import networkx

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flowrules.model.plan import Plan


def knots(edges: Mapping[str, Iterable[str]]) -> list[frozenset[str]]:
    """Sets of nodes that all lead to one another (of two or more, or one that leads to itself)."""
    graph: networkx.DiGraph[str] = networkx.DiGraph()
    for node, others in edges.items():
        graph.add_edges_from((node, other) for other in others)
    return [
        frozenset(nodes)
        for nodes in networkx.strongly_connected_components(graph)
        if len(nodes) > 1 or any(graph.has_edge(n, n) for n in nodes)
    ]


def graph_of(plan: Plan) -> networkx.DiGraph[int]:
    """Job ids and who needs whom: edges run from a job to those that use what it makes."""
    graph: networkx.DiGraph[int] = networkx.DiGraph()
    for job, decision in zip(plan.jobs, plan.decisions, strict=True):
        graph.add_node(job.id, job=job, decision=decision)
    for job_id, needs in enumerate(plan.needs):
        graph.add_edges_from((need, job_id) for need in needs)
    return graph
