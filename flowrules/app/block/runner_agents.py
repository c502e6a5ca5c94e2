"""What a runner wants of the agents on its nodes, and where it speaks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeAlias

from flowrules.model.agent import AgentEvent
from flowrules.model.block import BlockSpec


class AgentsLike(Protocol):
    """What the runner wants of `flowrules.execute.agents.Agents`."""

    def open(self) -> None: ...

    def run(
        self, node: str, task: str, argv: Sequence[str], env: Mapping[str, str], log: str, cpus: Sequence[int] = ()
    ) -> None: ...

    def kill(self, task: str) -> None: ...

    def sweep(self, node: str, task: str) -> None: ...

    def restart(self, node: str) -> None: ...

    def wait(self, timeout: float | None) -> list[AgentEvent]: ...

    def wake(self) -> None: ...

    def close(self, grace: float) -> bool: ...


AgentsMaker: TypeAlias = Callable[[BlockSpec, Sequence[str], str, int], AgentsLike]
"""Makes the agents of a block, on hosts, for the block's folder and an incarnation."""


def tell(text: str) -> None:
    """Say something to whoever reads the output of the job script."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201
