"""The values that a report is made from: what ran, in which runs and blocks, what failed, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from flowrules.model.likeness import Alike
from flowrules.model.record import Record
from flowrules.pages.tables import Table


@dataclass(frozen=True, slots=True)
class BlockUse:
    """A batch job of a campaign.

    Attributes:
        nodes: how many; began, ended: seconds since the epoch, 0 where it never began, now where it still runs.
        gpus, cpus: of each node; state: as `flowrules status` names it.
    """

    name: str
    batch: str
    queue: str
    state: str
    nodes: int
    walltime: float
    began: float
    ended: float
    gpus: int
    cpus: int

    @property
    def hours(self) -> float:
        """Node-hours that it took."""
        return self.nodes * (self.ended - self.began) / 3600 if self.began else 0.0

    @property
    def asked(self) -> float:
        """Node-hours that were asked for."""
        return self.nodes * self.walltime / 3600


@dataclass(frozen=True, slots=True)
class RunUse:
    """One run of flowrules in a campaign; times in seconds since the epoch, ``ended`` None where it goes on or died."""

    started: float
    ended: float | None
    command: str
    who: str
    result: str


@dataclass(frozen=True, slots=True)
class Shown:
    """An output that its rule marks for the report.

    Attributes:
        kind: `image`, `page`, `pdf`, `table`, `text`, or `link` for what is too large or of another kind.
        address: `data:…`, or for a link the path beside the report; text: of a text; table: of a table.
    """

    path: str
    caption: str
    category: str
    kind: str
    size: int
    address: str = ""
    text: str = ""
    table: Table | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """All that a report tells.

    Attributes:
        attempts: that ended, by their ends; commands: texts by their digests, as written in the Flowfile.
        failures: of jobs that have not ended well since.
        cores, gpus: of this machine, for what ran without blocks.
        dag: a picture of the rules, SVG; "" where there is none. dag_note: why not.
        configuration: as JSON text.
        now: seconds since the epoch.
    """

    title: str
    now: float
    running: bool
    attempts: Sequence[Record]
    runs: Sequence[RunUse]
    blocks: Sequence[BlockUse] = ()
    failures: Sequence[Alike] = ()
    commands: Mapping[str, str] = field(default_factory=dict)
    shown: Sequence[Shown] = ()
    cores: int = 0
    gpus: int = 0
    dag: str = ""
    dag_note: str = ""
    configuration: str = ""
