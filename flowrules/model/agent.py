"""What the agents on the nodes of a block have to tell the runner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class NodeReady:
    """A node takes tasks, and nothing of an earlier agent or incarnation of the block lives on it.

    Attributes:
        host: as the node calls itself; boot: id of its boot.
        cpus: hardware threads that processes may use there; memory: bytes of the node.
    """

    node: str
    host: str
    boot: str = ""
    cpus: tuple[int, ...] = ()
    memory: int = 0


@dataclass(frozen=True, slots=True)
class NodeLost:
    """A node's agent is gone or was never there; its tasks that have not ended are open.

    Attributes:
        why: in words.
        reaped: nothing of this incarnation lives on the node: the agent said so, or it was never given a task.
    """

    node: str
    why: str
    reaped: bool


@dataclass(frozen=True, slots=True)
class NodeNote:
    """Something a user may want to know of a node."""

    node: str
    text: str


@dataclass(frozen=True, slots=True)
class TaskEnded:
    """How an attempt ended.

    Attributes:
        exit: exit status; negative signal number where a signal ended it or its shell said so (128 + number).
        error: what is known beyond the exit status, else "".
        started, ended: seconds since the epoch, by the clock of the node.
        cpu: CPU seconds of its processes; memory: bytes at the peak, summed over its processes, 0 where it took less
            than 2 s and was not measured.
        killed: it was asked to end.
    """

    task: str
    node: str
    exit: int
    error: str = ""
    started: float = 0.0
    ended: float = 0.0
    cpu: float = 0.0
    memory: int = 0
    killed: bool = False


AgentEvent: TypeAlias = NodeReady | NodeLost | NodeNote | TaskEnded
