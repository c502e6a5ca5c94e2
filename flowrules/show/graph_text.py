"""The DAG as a tree of text: what was asked for at the left, below it what it needs; what is shared is told once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from flowrules.show.graph_model import STATE_TEXTS, Graph, Node, State
from flowrules.show.text import counted, escape, paint

CHILDREN: Final = 12
"""Needs of a node that are listed before the rest is only counted."""

LINES: Final = 400
"""Lines of a tree at most."""

DEPTH: Final = 40
"""Levels of a tree at most."""

_MARKS: Final[dict[State, tuple[str, str]]] = {
    "run": ("●", "run"),
    "may": ("◐", "may"),
    "skip": ("✓", "good"),
    "source": ("·", "dim"),
    "collector": ("○", "bold"),
}


def render_tree(graph: Graph, *, color: bool = False) -> str:
    """The tree, a legend of its marks, and how much was left out."""
    if not graph.nodes:
        return "the DAG is empty"
    tree = _Tree(graph, color)
    lines = list(tree.lines())
    left = sum(1 for i, node in enumerate(graph.nodes) if i not in tree.seen and node.kind != "file")
    if left and graph.level == "rules":
        lines.append(f"… and {counted(left, 'more rule')}")
    elif left:
        lines.append(f"… and {counted(left, 'more job')}; `--level rules` shows less")
    return "\n".join([*lines, "", _legend(graph, color), graph.headline])


class _Tree:
    """Walks a graph from its roots.

    Attributes:
        seen: nodes that were told; the tree below them is not told again.
    """

    def __init__(self, graph: Graph, color: bool) -> None:
        self.graph = graph
        self.color = color
        self.seen: set[int] = set()

    def lines(self) -> Iterator[str]:
        """The lines, one node each."""
        count = 0
        # a node with the text before its own line and before those below it
        stack: list[tuple[int | str, str, str]] = [(root, "", "") for root in reversed(self.graph.roots)]
        while stack:
            node, before, below = stack.pop()
            if isinstance(node, str):
                yield before + node
                continue
            count += 1
            if count > LINES:
                return
            makers = self._makers(node)
            needs = self.graph.needs[makers[0]] if makers else self.graph.needs[node]
            again = bool(needs) and (node in self.seen or not self.seen.isdisjoint(makers))
            yield f"{before}{self._text(node)}{' (see above)' if again else ''}"
            self.seen.update((node, *makers))
            if not again and len(below) < 3 * DEPTH:
                stack += reversed(self._below(needs, below))

    def _makers(self, node: int) -> tuple[int, ...]:
        """The job that makes a file: it is told on the file's line."""
        return self.graph.needs[node] if self.graph.nodes[node].kind == "file" else ()

    def _below(self, needs: tuple[int, ...], below: str) -> list[tuple[int | str, str, str]]:
        shown = needs if len(needs) <= CHILDREN + 1 else needs[:CHILDREN]
        rows: list[tuple[int | str, str, str]] = [(need, f"{below}├─ ", f"{below}│  ") for need in shown]
        if len(shown) < len(needs):
            rows.append((self._rest(needs[len(shown) :]), f"{below}└─ ", ""))
        elif rows:
            rows[-1] = (rows[-1][0], f"{below}└─ ", f"{below}   ")
        return rows

    def _rest(self, needs: tuple[int, ...]) -> str:
        names = Counter(self.graph.nodes[i].name for i in needs if self.graph.nodes[i].kind == "job")
        named = ", ".join(f"{escape(name)} {number:,}" for name, number in names.most_common(4))
        more = ", …" if len(names) > 4 else ""
        return f"… {len(needs):,} more{f': {named}{more}' if named else ''}"

    def _text(self, node: int) -> str:
        shown = self.graph.nodes[node]
        mark, style = _MARKS[shown.state]
        makers = self._makers(node)
        maker = f" ← {_plain(self.graph.nodes[makers[0]])}" if makers else ""
        return f"{paint(mark, style, self.color)} {_plain(shown)}{paint(maker, 'dim', self.color)}"


def _plain(node: Node) -> str:
    loop = " ↻" if node.loop else ""
    detail = f" ({node.detail})" if node.kind == "rule" and node.detail else f" {node.detail}" if node.detail else ""
    return escape(f"{node.name}{loop}{detail}")


def _legend(graph: Graph, color: bool) -> str:
    states = {node.state for node in graph.nodes}
    return "  ".join(
        f"{paint(mark, style, color)} {STATE_TEXTS[state]}"
        for state, (mark, style) in _MARKS.items()
        if state in states
    )
