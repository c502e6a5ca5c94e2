"""The DAG for other programs: Graphviz DOT, Mermaid and JSON. States differ by shape, line and colour."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from flowrules.show.graph_model import STATE_TEXTS, Graph, Node, State
from flowrules.show.text import escape, json_line, shorten_middle

LABEL: Final = 48
"""Columns of a line of a label."""

_DOT_STATES: Final[dict[State, str]] = {
    "run": 'shape=box, style="rounded,filled,bold", fillcolor="#ddf4ff", color="#0969da"',
    "may": 'shape=hexagon, style="filled,dashed", fillcolor="#fff8c5", color="#9a6700"',
    "skip": 'shape=ellipse, style="filled", fillcolor="#f6f8fa", color="#8c959f", fontcolor="#57606a"',
    "source": 'shape=note, style="filled", fillcolor="#ffffff", color="#8c959f"',
    "collector": 'shape=box, style="rounded", color="#8c959f"',
}

_MERMAID_STATES: Final[dict[State, tuple[str, str, str]]] = {
    "run": ("[", "]", "fill:#ddf4ff,stroke:#0969da,stroke-width:2px,color:#1f2328"),
    "may": ("{{", "}}", "fill:#fff8c5,stroke:#9a6700,stroke-dasharray:5 3,color:#1f2328"),
    "skip": ("([", "])", "fill:#f6f8fa,stroke:#8c959f,color:#57606a"),
    "source": ("[/", "/]", "fill:#ffffff,stroke:#8c959f,color:#1f2328"),
    "collector": ("[[", "]]", "fill:#ffffff,stroke:#8c959f,color:#1f2328"),
}

_DOT_ENTITIES: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "&": "&amp;"})

_MERMAID_ENTITIES: Final = str.maketrans({c: f"#{ord(c)};" for c in '"#<>&`\\[]{}()|;*_~$@'})


def label_lines(node: Node, width: int = LABEL) -> list[str]:
    """A node's text: its name, and below it what tells it from others; shortened, hostile characters spelt out."""
    loop = " ↻" if node.loop else ""
    lines = [shorten_middle(escape(node.name), width - len(loop)) + loop]
    if node.detail:
        lines.append(shorten_middle(escape(node.detail), width))
    return lines


def render_dot(graph: Graph) -> str:
    """Graphviz text: `dot -Tsvg` draws it."""
    return "\n".join(_dot(graph))


def _dot(graph: Graph) -> Iterator[str]:
    yield "digraph flowrules {"
    yield f"    label={_quoted([graph.headline])}; labelloc=t; rankdir=LR;"
    yield '    graph [fontname="Helvetica", ranksep=0.6, nodesep=0.2];'
    yield '    node [fontname="Helvetica", fontsize=11, margin="0.12,0.06"];'
    yield '    edge [color="#8c959f", arrowsize=0.6];'
    for i, node in enumerate(graph.nodes):
        tooltip = _quoted([escape(line) for line in graph.tooltip(i)])
        yield f"    n{i} [label={_quoted(label_lines(node))}, tooltip={tooltip}, {_DOT_STATES[node.state]}];"
    for i, needs in enumerate(graph.needs):
        for need in needs:
            yield f"    n{need} -> n{i};"
    yield "}"


def _quoted(lines: list[str]) -> str:
    """A DOT string of lines that are free of control characters; Graphviz reads entities such as `&lt;` in it."""
    return '"' + "\\n".join([line.translate(_DOT_ENTITIES) for line in lines]) + '"'


def render_mermaid(graph: Graph) -> str:
    """A Mermaid flowchart, as Markdown pages of code hosts draw it."""
    return "\n".join(_mermaid(graph))


def _mermaid(graph: Graph) -> Iterator[str]:
    yield "flowchart LR"
    for i, node in enumerate(graph.nodes):
        left, right, _ = _MERMAID_STATES[node.state]
        text = "<br/>".join([line.translate(_MERMAID_ENTITIES) for line in label_lines(node)])
        yield f'    n{i}{left}"{text or " "}"{right}:::{node.state}'
    for i, needs in enumerate(graph.needs):
        for need in needs:
            yield f"    n{need} --> n{i}"
    for state in dict.fromkeys(node.state for node in graph.nodes):
        yield f"    classDef {state} {_MERMAID_STATES[state][2]}"


def render_graph_json(graph: Graph) -> str:
    """One object: level, headline, roots, nodes, and edges from what is needed to who needs it, by ids of nodes."""
    nodes = [
        {"id": i, "kind": n.kind, "name": n.name, "detail": n.detail, "state": STATE_TEXTS[n.state], "loop": n.loop}
        for i, n in enumerate(graph.nodes)
    ]
    edges = [[need, i] for i, needs in enumerate(graph.needs) for need in needs]
    return json_line(
        {"level": graph.level, "headline": graph.headline, "roots": list(graph.roots), "nodes": nodes, "edges": edges}
    )
