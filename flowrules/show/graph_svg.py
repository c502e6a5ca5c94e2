"""The DAG as an SVG picture that needs no other program, readable on light and dark pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final
from xml.sax.saxutils import escape as xml

from flowrules.show.graph_formats import label_lines
from flowrules.show.graph_layout import Box, Edge, Layout, layout
from flowrules.show.graph_model import STATE_TEXTS, Graph, Node, State, ranked
from flowrules.show.text import escape

MARGIN: Final = 24.0
HEADER: Final = 62.0
LINE: Final = 15.0
"""Distance of two lines of a label."""

FOLD: Final = 8.0
"""Size of the folded corner of a file."""

LABEL: Final = 34
"""Characters of a line of a label."""

_MARKS: Final[dict[State, str]] = {
    "run": '<circle class="mark" cx="{x:.1f}" cy="{y:.1f}" r="3.6"/>',
    "may": '<path class="mark" d="M{x:.1f} {y:.1f}m0 -3.8a3.8 3.8 0 0 0 0 7.6z"/>'
    '<circle class="ring" cx="{x:.1f}" cy="{y:.1f}" r="3.6"/>',
    "skip": '<path class="tick" d="M{x:.1f} {y:.1f}m-4 0.4l2.8 2.9l5 -6"/>',
    "source": "",
    "collector": "",
}
"""Drawn, not written: not every font has such characters."""

_RADII: Final[dict[State, float]] = {"run": 5, "may": 5, "skip": 16, "source": 0, "collector": 16}

_STYLE: Final = """
text { font-family: ui-sans-serif, system-ui, "Segoe UI", Helvetica, Arial, sans-serif; font-size: 12px; fill: #1f2328 }
.page { fill: #ffffff }
.title { font-size: 14px; font-weight: 600 }
.name { font-weight: 600 }
.detail, .note, .legend { fill: #59636e; font-size: 11px }
.edge { fill: none; stroke: #8c959f; stroke-width: 1.1 }
.ring { fill: none; stroke-width: 1.2 } .tick { fill: none; stroke-width: 1.8 }
.edge.idle { stroke: #d1d9e0 }
.head { fill: #8c959f } .head.idle { fill: #d1d9e0 }
.run .box { fill: #ddf4ff; stroke: #0969da; stroke-width: 1.6 } .run .mark { fill: #0969da }
.may .box { fill: #fff8c5; stroke: #9a6700; stroke-width: 1.4; stroke-dasharray: 5 3 }
.may .mark { fill: #9a6700 } .may .ring { stroke: #9a6700 }
.skip .box { fill: #f6f8fa; stroke: #c8d1da } .skip .tick { stroke: #1a7f37 } .skip .name { fill: #59636e }
.source .box { fill: #ffffff; stroke: #8c959f } .file .name { font-weight: 400 }
.collector .box { fill: #ffffff; stroke: #59636e; stroke-width: 1.4 }
.node:hover .box { stroke-width: 2.6 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.page { fill: #0d1117 }
.detail, .note, .legend, .skip .name { fill: #9198a1 }
.edge { stroke: #656c76 } .edge.idle { stroke: #30363d }
.head { fill: #656c76 } .head.idle { fill: #30363d }
.run .box { fill: #0c2d57; stroke: #4493f8 } .run .mark { fill: #4493f8 }
.may .box { fill: #3a2a06; stroke: #d29922 } .may .mark { fill: #d29922 } .may .ring { stroke: #d29922 }
.skip .box { fill: #151b23; stroke: #3d444d } .skip .tick { stroke: #3fb950 }
.source .box { fill: #0d1117; stroke: #656c76 }
.collector .box { fill: #0d1117; stroke: #9198a1 }
}
"""


def render_svg(graph: Graph) -> str:
    """An SVG document with its headline, a legend, and a tooltip for each node."""
    return "\n".join(_svg(graph))


def placed(graph: Graph) -> Layout:
    """Where everything stands, without margins."""
    order, needs = ranked(graph.needs)
    return layout(needs, order, [_size(node) for node in graph.nodes])


def _svg(graph: Graph) -> Iterator[str]:
    picture = placed(graph)
    top = HEADER + (18 if graph.note else 0)
    states = [state for state in STATE_TEXTS if any(node.state == state for node in graph.nodes)]
    width = (
        max(picture.width, text_width(graph.headline) * 1.2, text_width(graph.note), 130.0 * len(states)) + 2 * MARGIN
    )
    height = picture.height + top + 2 * MARGIN
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}"'
        f' viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{_xml(graph.headline)}">'
    )
    yield f"<style>{_STYLE}</style>"
    yield '<rect class="page" width="100%" height="100%"/>'
    yield f'<text class="title" x="{MARGIN:.0f}" y="34">{_xml(graph.headline)}</text>'
    yield from _legend(states)
    if graph.note:
        yield f'<text class="note" x="{MARGIN:.0f}" y="78">{_xml(graph.note)}</text>'
    yield f'<g transform="translate({MARGIN:.0f} {top + MARGIN:.0f})">'
    for edge in picture.edges:
        idle = graph.nodes[edge.head].state == "skip"
        yield from _edge(edge, picture.horizontal, idle)
    for i, (node, box) in enumerate(zip(graph.nodes, picture.boxes, strict=True)):
        yield from _node(node, box, graph.tooltip(i))
    yield "</g>"
    yield "</svg>"


def _legend(states: Sequence[State]) -> Iterator[str]:
    x = MARGIN
    for state in states:
        radius = min(_RADII[state], 7.0)
        yield (
            f'<g class="{state}"><rect class="box" x="{x:.0f}" y="46" width="22" height="14" rx="{radius:g}"/>'
            f"{_MARKS[state].format(x=x + 11, y=53)}</g>"
            f'<text class="legend" x="{x + 28:.0f}" y="57">{STATE_TEXTS[state]}</text>'
        )
        x += 28 + text_width(STATE_TEXTS[state]) + 20


def _node(node: Node, box: Box, tooltip: Sequence[str]) -> Iterator[str]:
    yield f'<g class="node {node.kind} {node.state}"><title>{_xml(chr(10).join(map(escape, tooltip)))}</title>'
    if node.kind == "file":
        yield (
            f'<path class="box" d="M{box.x:.1f} {box.y:.1f}h{box.width - FOLD:.1f}l{FOLD:g} {FOLD:g}'
            f'v{box.height - FOLD:.1f}h{-box.width:.1f}z"/>'
        )
    else:
        radius = min(_RADII[node.state], box.height / 2)
        yield (
            f'<rect class="box" x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}"'
            f' rx="{radius:g}"/>'
        )
    mark = _MARKS[node.state] if node.kind != "file" else ""
    if mark:
        yield mark.format(x=box.x + 14, y=box.y + box.height / 2)
    lines = label_lines(node, LABEL)
    middle = box.x + box.width / 2 + (8 if mark else 0)
    y = box.y + box.height / 2 + 4 - LINE / 2 * (len(lines) - 1)
    for i, line in enumerate(lines):
        kind = "detail" if i else "name"
        yield f'<text class="{kind}" x="{middle:.1f}" y="{y + i * LINE:.1f}" text-anchor="middle">{_xml(line)}</text>'
    yield "</g>"


def _edge(edge: Edge, horizontal: bool, idle: bool) -> Iterator[str]:
    """A curve that leaves and enters along the picture's direction, with an arrow head of its own."""
    (x, y), *rest = edge.points
    path = [f"M{x:.1f} {y:.1f}"]
    (start_x, start_y), (end_x, end_y) = rest[-2:]
    length = 6.0
    if horizontal:
        rest[-2:] = [(start_x - length, start_y), (end_x - length, end_y)]
    else:
        rest[-2:] = [(start_x, start_y - length), (end_x, end_y - length)]
    for i, (to_x, to_y) in enumerate(rest):
        if abs(to_x - x) + abs(to_y - y) < 0.05:
            continue
        if i % 2 == 0:
            path.append(f"L{to_x:.1f} {to_y:.1f}")
        elif horizontal:
            half = (x + to_x) / 2
            path.append(f"C{half:.1f} {y:.1f} {half:.1f} {to_y:.1f} {to_x:.1f} {to_y:.1f}")
        else:
            half = (y + to_y) / 2
            path.append(f"C{x:.1f} {half:.1f} {to_x:.1f} {half:.1f} {to_x:.1f} {to_y:.1f}")
        x, y = to_x, to_y
    style = " idle" if idle else ""
    yield f'<path class="edge{style}" d="{"".join(path)}"/>'
    head = f"l{-length:g} -3.2v6.4z" if horizontal else f"l-3.2 {-length:g}h6.4z"
    yield f'<path class="head{style}" d="M{end_x:.1f} {end_y:.1f}{head}"/>'


def _size(node: Node) -> tuple[float, float]:
    lines = label_lines(node, LABEL)
    widths = [text_width(line) * (0.92 if i else 1.08) for i, line in enumerate(lines)]
    mark = 18.0 if node.kind != "file" and _MARKS[node.state] else 0.0
    return max(widths) + 24 + mark, 16 + LINE * len(lines)


def text_width(text: str) -> float:
    """About how wide a text of 12 pixels is; fonts differ, so rather too much."""
    return sum([_char_width(char) for char in text])


def _char_width(char: str) -> float:
    if char in "iljtfrI.,:;'|!()[]/ ":
        return 4.2
    if char in "mwMW@%…—":
        return 11.0
    if char.isascii():
        return 8.4 if char.isupper() else 7.0
    return 13.0 if ord(char) >= 0x1100 else 8.0


def _xml(text: str) -> str:
    """Text for an element or attribute, without characters that XML cannot hold."""
    return xml(escape(text) if "\n" not in text else text, {'"': "&quot;"})
