"""A plan as a networkx graph; the only user of networkx."""

from __future__ import annotations

from typing import TYPE_CHECKING

import networkx

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flowrules.model.plan import Plan


def knots(edges: Mapping[str, Iterable[str]]) -> list[frozenset[str]]:
    """Sets of nodes that all lead to one another (of two or more, or one that leads to itself)."""
    left = _without_ends(edges)
    graph: networkx.DiGraph[str] = networkx.DiGraph()
    for node in left:
        graph.add_edges_from((node, other) for other in edges[node] if other in left)
    return [
        frozenset(nodes)
        for nodes in networkx.strongly_connected_components(graph)
        if len(nodes) > 1 or any(graph.has_edge(n, n) for n in nodes)
    ]


def _without_ends(edges: Mapping[str, Iterable[str]]) -> set[str]:
    """The nodes that are left when those from which no edge leads on are taken away, again and again."""
    count = {node: len(set(others)) for node, others in edges.items()}
    above: dict[str, list[str]] = {}
    for node, others in edges.items():
        for other in set(others):
            above.setdefault(other, []).append(node)
    left = {node for node, number in count.items() if number}
    ends = [node for node in above if node not in left]
    while ends:
        for node in above.get(ends.pop(), ()):
            count[node] -= 1
            if not count[node]:
                left.discard(node)
                ends.append(node)
    return left


def graph_of(plan: Plan) -> networkx.DiGraph[int]:
    """Job ids and who needs whom: edges run from a job to those that use what it makes."""
    graph: networkx.DiGraph[int] = networkx.DiGraph()
    for job, decision in zip(plan.jobs, plan.decisions, strict=True):
        graph.add_node(job.id, job=job, decision=decision)
    for job_id, needs in enumerate(plan.needs):
        graph.add_edges_from((need, job_id) for need in needs)
    return graph
