"""What the core asks of the world. The edges implement these; tests use the doubles of `flowrules.testing`."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

if TYPE_CHECKING:  # the protocols name types of the whole model: who implements one need not load all of it
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import TracebackType

    from flowrules.model.batch import BatchStatus, QueueToday
    from flowrules.model.files import Stamp
    from flowrules.model.order import Order, Outcome
    from flowrules.model.pattern import Pattern
    from flowrules.model.plan import Plan
    from flowrules.model.progress import Blocks, JobEnded, JobStarted, RunSummary
    from flowrules.model.record import Record, Timing
    from flowrules.model.values import Unknown

T = TypeVar("T")
Waiting: TypeAlias = Generator[float, None, T]
"""What takes time: yields seconds that should go by before it is continued, in the end returns. It may be given up."""


class FileView(Protocol):
    """The disk, looked at. Paths are relative to the working directory or absolute, normalized, POSIX."""

    def stat(self, path: str, /) -> Stamp | None:
        """What is there, symbolic links followed; None where nothing is."""

    def digest(self, path: str) -> str:
        """Digest of a file's content, or of names, sizes and times of all files below a folder; "" if unreadable."""

    def tree_mtime_ns(self, path: str) -> int:
        """The newest change of any file below a folder (0 for an empty one)."""

    def read(self, path: str, limit: int) -> bytes:
        """Content of a regular file.

        Raises:
            OSError: it cannot be read, is no regular file, or is larger than ``limit`` bytes.
        """

    def files_below(self, folder: str) -> Iterable[str]:
        """Every file below a folder, as `folder/…` paths (bare names for `.`), sorted; empty where there is none."""


class Reader(Protocol):
    """What an expression may read while it is evaluated; answers Unknown for what a checkpoint has yet to make."""

    def read(self, path: str) -> bytes | Unknown:
        """Content of a file.

        Raises:
            OSError: it cannot be read.
        """

    def exists(self, path: str) -> bool | Unknown: ...

    def size(self, path: str) -> int | Unknown:
        """Bytes of a file, or of all files below a folder.

        Raises:
            OSError: there is no such file.
        """

    def glob(self, pattern: Pattern | str) -> Sequence[tuple[str, tuple[str, ...]]] | Unknown:
        """Existing files that match, sorted by path, each with its wildcard values in the order of `pattern.names`."""


class History(Protocol):
    """What earlier runs left."""

    def last(self, output: str) -> Record | None:
        """The last successful attempt that made this file."""

    def unfinished(self, output: str) -> bool:
        """Whether the last attempt to make this file started and did not end well (killed, crashed, failed)."""

    def took(self, made: Sequence[tuple[str, str]]) -> Sequence[float | None]:
        """For each output and its rule the seconds of the last attempt that made it; None where that is not known."""

    def timings(self) -> Iterable[Timing]:
        """Some thousand successful attempts: the latest, and some of all others."""

    def code_text(self, digest: str) -> str:
        """The text of a command as it was recorded, "" where unknown."""


class Stages(Protocol):
    """Is told what loading and planning are at, and shows it as long as it is entered, as context managers are."""

    def __enter__(self) -> Stages: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...

    def enter(self, what: str, done: Callable[[], int] | None = None, of: int = 0) -> None:
        """A stage begins, and ends the one before.

        Args:
            what: in a few words, such as `finding jobs`.
            done: how far it is; called at any time, from another thread.
            of: how far it goes; 0 where nobody knows.
        """

    def beside(self, what: str) -> None:
        """What the stage waits for just now, such as `reading x.dat, 3.1 GB`; "" for nothing any more."""


class _Unseen:
    def __enter__(self) -> _Unseen:
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing was shown."""

    def enter(self, what: str, done: Callable[[], int] | None = None, of: int = 0) -> None:
        """Nobody looks."""

    def beside(self, what: str) -> None:
        """Nobody looks."""


UNSEEN: Stages = _Unseen()
"""Stages that nobody watches."""


class Executor(Protocol):
    """Takes orders, reports outcomes. One thread: nothing happens but in calls."""

    def start(self, order: Order) -> None:
        """Start an attempt. A command that cannot be started is reported by `wait`, not raised."""

    def kill(self, job: int) -> None:
        """Kill the attempt of a job with all its processes; its outcome still comes by `wait`."""

    def ahead(self, rule: str) -> int:
        """How many attempts of a rule are worth starting before there is room for them; 0 for most.

        Such an attempt begins when others end. It may be started like any other.
        """

    def wait(self, timeout: float | None) -> list[Outcome]:
        """Outcomes since the last call; waits up to ``timeout`` seconds (None: until there is one or `wake`)."""

    def wake(self) -> None:
        """Make a `wait` that goes on return; safe in a signal handler."""

    def close(self) -> None:
        """Kill what runs, release everything. May be called twice."""


class BatchSystem(Protocol):
    """Speaks to one batch system. Every call ends within its time limit; given up, it may have had its effect."""

    def submit(self, script: str, name: str) -> Waiting[str]:
        """Hands the text of a job script over; gives the batch system's id.

        Raises:
            BatchError: it was refused (``final``), or it is not known whether it arrived.
        """

    def find(self, name: str) -> Waiting[list[str]]:
        """Ids of batch jobs with this name, whatever their state, for a submission whose answer was lost.

        Raises:
            BatchError: the batch system did not answer.
        """

    def status(self, ids: Sequence[str]) -> Waiting[Mapping[str, BatchStatus]]:
        """What became of batch jobs, in one query; an id of which nothing is known is absent.

        Raises:
            BatchError: the batch system did not answer, or not in whole.
        """

    def queues(self) -> Waiting[Mapping[str, QueueToday]]:
        """All queues by name, as they are now.

        Raises:
            BatchError: the batch system did not answer, not in whole, or cannot say (``final``).
        """

    def cancel(self, id: str) -> Waiting[None]:
        """Ends a batch job; one that has ended is no error.

        Raises:
            BatchError: the batch system did not answer.
        """


class Observer(Protocol):
    """Is told what a run does, and shows it. It never decides anything and never raises for what it is told.

    Attributes:
        refresh_seconds: how often `tick` wants to be called while nothing happens; None: never.
    """

    @property
    def refresh_seconds(self) -> float | None: ...

    def plan_ready(self, plan: Plan) -> None:
        """The plan, before anything starts and again each time it was derived anew; ids of jobs stay what they are."""

    def job_started(self, event: JobStarted) -> None: ...

    def job_ended(self, event: JobEnded) -> None: ...

    def job_skipped(self, job: int) -> None:
        """A job that might have run need not."""

    def job_blocked(self, job: int, because: int) -> None:
        """A job will not run because one it needs failed."""

    def message(self, text: str) -> None:
        """Something a user should know now, one sentence."""

    def warn(self, text: str) -> None:
        """A message of something that goes wrong: also for those who want to hear of nothing else."""

    def blocks(self, look: Callable[[], Blocks]) -> None:
        """How the blocks of a campaign can be looked at; told once, before the plan is run."""

    def tick(self) -> None:
        """Time went by."""

    def finished(self, summary: RunSummary) -> None:
        """The run is over."""

    def close(self) -> None:
        """Leave the terminal as it was found. Called whatever happens, may be called twice."""
