"""A text that is a Flowfile by itself, for those who read shell texts without one."""

from __future__ import annotations

from flowrules.span import Source, Span


class FlowText:
    """What the reader of shell texts is given of a string literal."""

    def __init__(self, value: str) -> None:
        self.value = value
        self.source = Source("Flowfile", value)

    def span(self, start: int, end: int) -> Span:
        """The place of a part of it."""
        return Span(self.source, start, end)
