"""Planning that nobody watches."""

from __future__ import annotations

from collections.abc import Callable


class Unseen:
    """The `flowrules.ports.Stages` that show nothing."""

    def __enter__(self) -> Unseen:
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing was shown."""

    def enter(self, what: str, done: Callable[[], int] | None = None, of: int = 0) -> None:
        """Nobody looks."""

    def beside(self, what: str) -> None:
        """Nobody looks."""
