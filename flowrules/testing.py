"""Doubles for tests: a disk, a history, an executor and a clock that live in memory and count what they are asked."""

from __future__ import annotations

import errno
import hashlib
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from flowrules.model.files import FileRecord, Stamp
from flowrules.model.order import Order, Outcome
from flowrules.model.record import Record, Timing, timing_of

TICK_NS = 1_000_000_000
"""By how much a tick of `FakeFiles` moves the time of what is written after it: one second."""

START_NS = 1_700_000_000 * TICK_NS


@dataclass(slots=True)
class _FakeFile:
    content: bytes | None
    mtime_ns: int
    writable: bool = True
    size: int | None = None


class FakeFiles:
    """A `FileView` in memory with a clock turned by hand.

    Attributes:
        looks: how often each path was asked for by `stat`, so that "every path is looked at once" is an assertion.
        digests: how often each path was asked for by `digest`.
        now_ns: time that what is written next gets.

    Args:
        files: content by path; a path that ends in ``/`` is an empty folder. All are written at the first tick.
    """

    def __init__(self, files: Mapping[str, str | bytes] | Iterable[str] = ()) -> None:
        self.looks: Counter[str] = Counter()
        self.digests: Counter[str] = Counter()
        self.now_ns = START_NS
        self._files: dict[str, _FakeFile] = {}
        contents = files if isinstance(files, Mapping) else dict.fromkeys(files, "")
        for path, content in contents.items():
            if path.endswith("/"):
                self.mkdir(path[:-1])
            else:
                self.write(path, content)

    # ── changing ─────────────────────────────────────────────────────────────────────────────────────────────────

    def tick(self, count: int = 1) -> int:
        """Let time pass; what is written from now on is newer. The new time, in nanoseconds."""
        self.now_ns += count * TICK_NS
        return self.now_ns

    def write(self, path: str, content: str | bytes = "", *, size: int | None = None, writable: bool = True) -> None:
        """Write a file now; ``size`` pretends to one that the content has not. Its folders exist then."""
        data = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
        self._make_folders(path)
        self._files[path] = _FakeFile(data, self.now_ns, writable, size)

    def mkdir(self, path: str) -> None:
        """Make a folder with those above it."""
        self._make_folders(path)
        self._files.setdefault(path, _FakeFile(None, self.now_ns))

    def touch(self, path: str, mtime_ns: int | None = None) -> None:
        """Give a file another time, by default now, and leave its content."""
        self._files[path].mtime_ns = self.now_ns if mtime_ns is None else mtime_ns

    def remove(self, path: str) -> None:
        """Remove a file, or a folder with all below it; nothing happens where nothing is."""
        for name in [name for name in self._files if name == path or name.startswith(path + "/")]:
            del self._files[name]

    def protect(self, path: str, writable: bool = False) -> None:
        """Make a file read-only, or writable again."""
        self._files[path].writable = writable

    def _make_folders(self, path: str) -> None:
        folder = path.rpartition("/")[0]
        while folder and folder not in self._files:
            self._files[folder] = _FakeFile(None, self.now_ns)
            folder = folder.rpartition("/")[0]

    # ── FileView ─────────────────────────────────────────────────────────────────────────────────────────────────

    def stat(self, path: str) -> Stamp | None:
        """What is there; None where nothing is."""
        self.looks[path] += 1
        file = self._files.get(path)
        if file is None:
            return Stamp(0, self.now_ns, "d") if path in (".", "/") else None
        if file.content is None:
            return Stamp(0, file.mtime_ns, "d", file.writable)
        size = len(file.content) if file.size is None else file.size
        return Stamp(size, file.mtime_ns, "f", file.writable)

    def digest(self, path: str) -> str:
        """Digest of a file's content, or of names, sizes and times of all files below a folder; "" where nothing is."""
        self.digests[path] += 1
        file = self._files.get(path)
        if file is None:
            return ""
        if file.content is not None:
            return hashlib.sha256(file.content).hexdigest()[:32]
        running = hashlib.sha256()
        for name in self.files_below(path):
            below = self._files[name]
            running.update(f"{name[len(path) + 1 :]}\0{len(below.content or b'')}\0{below.mtime_ns}\0\n".encode())
        return running.hexdigest()[:32]

    def tree_mtime_ns(self, path: str) -> int:
        """The newest change of any file below a folder (0 for an empty one)."""
        return max((self._files[name].mtime_ns for name in self.files_below(path)), default=0)

    def read(self, path: str, limit: int) -> bytes:
        """Content of a file.

        Raises:
            OSError: there is none, it is a folder, or it is larger than ``limit`` bytes.
        """
        file = self._files.get(path)
        if file is None:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)
        if file.content is None:
            raise IsADirectoryError(errno.EISDIR, "Is a directory", path)
        if len(file.content) > limit:
            raise OSError(errno.EFBIG, f"larger than {limit} bytes", path)
        return file.content

    def files_below(self, folder: str) -> Iterator[str]:
        """Every file below a folder, sorted; none where there is no folder."""
        prefix = "" if folder == "." else folder.rstrip("/") + "/"
        names = [name for name, file in self._files.items() if file.content is not None and name.startswith(prefix)]
        return iter(sorted(names))

    def record(self, path: str) -> FileRecord:
        """A file as a record of an attempt would hold it."""
        file = self._files[path]
        if file.content is None:
            return FileRecord(path, 0, self.tree_mtime_ns(path), self.digest(path))
        size = len(file.content) if file.size is None else file.size
        return FileRecord(path, size, file.mtime_ns, self.digest(path))


class FakeHistory:
    """A `History` in memory, written to as the real one is.

    Attributes:
        asked: how often each output was asked for by `last`.
    """

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self.asked: Counter[str] = Counter()
        self._last: dict[str, Record] = {}
        self._open: set[str] = set()
        self._texts: dict[str, str] = {}
        self._all: list[Record] = []
        for record in records:
            self.ended(record)

    def last(self, output: str) -> Record | None:
        """The last successful attempt that made this file."""
        self.asked[output] += 1
        return self._last.get(output)

    def unfinished(self, output: str) -> bool:
        """Whether the last attempt to make this file started and did not end well."""
        return output in self._open

    def took(self, made: Sequence[tuple[str, str]]) -> list[float | None]:
        """For each output and its rule the seconds of the last attempt that made it."""
        last = [self._last.get(output) for output, _ in made]
        same = zip(last, made, strict=True)
        return [r.elapsed if r is not None and (r.rule, r.status) == (rule, "done") else None for r, (_, rule) in same]

    def timings(self) -> list[Timing]:
        """All successful attempts that nothing came after."""
        return [timing_of(record) for record in self._last.values() if record.status == "done"]

    def code_text(self, digest: str) -> str:
        """The text of a command as it was recorded, "" where unknown."""
        return self._texts.get(digest, "")

    def remember_text(self, digest: str, text: str) -> None:
        """Keep the text of a command under its digest; once is enough."""
        self._texts.setdefault(digest, text)

    def started(
        self, outputs: Iterable[str], rule: str, wildcards: Mapping[str, str], attempt: int = 1, run: str = ""
    ) -> None:
        """An attempt is about to start."""
        self._open.update(outputs)

    def ended(self, record: Record, outputs: Iterable[str] = ()) -> None:
        """An attempt ended; ``outputs`` are what a failed one should have made."""
        self._all.append(record)
        if record.status in ("done", "touched"):
            for output in record.outputs:
                self._last[output.path] = record
                self._open.discard(output.path)
        else:
            self._open.update(outputs)

    def flush(self) -> None:
        """Nothing to do: what is in memory is kept."""

    def records(self) -> Iterator[Record]:
        """Every attempt that ended, in order."""
        return iter(self._all)


class FakeClock:
    """A clock turned by hand: call it for the time in seconds."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> float:
        """Let time pass; the new time."""
        self.now += seconds
        return self.now

    def sleep(self, seconds: float) -> None:
        """Stands in for `time.sleep`: time passes, nobody waits."""
        self.now += seconds


class FakeExecutor:
    """An `Executor` that runs nothing: attempts end as a function says, or when the test ends them.

    Attributes:
        started: every order, in order.
        running: orders by job that have not ended.
        killed: jobs that were killed.

    Args:
        act: called when an attempt starts: its exit status, an Outcome, or None for one that goes on until `finish`.
            Without it every attempt ends well at once.
        files: where the outputs of attempts that end well are written, as the order's document names them.
        clock: what outcomes take their times from.
    """

    def __init__(
        self,
        act: Callable[[Order], int | Outcome | None] | None = None,
        files: FakeFiles | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.started: list[Order] = []
        self.running: dict[int, Order] = {}
        self.killed: list[int] = []
        self.closed = False
        self._act = act or (lambda order: 0)
        self._files = files
        self._clock = clock or FakeClock()
        self._began: dict[int, float] = {}
        self._outcomes: deque[Outcome] = deque()

    def ahead(self, rule: str) -> int:
        """None is."""
        return 0

    def start(self, order: Order) -> None:
        """Start an attempt."""
        self.started.append(order)
        self.running[order.job] = order
        self._began[order.job] = self._clock()
        result = self._act(order)
        if isinstance(result, Outcome):
            self._end(order, result)
        elif result is not None:
            self.finish(order.job, result)

    def finish(self, job: int, exit: int = 0, error: str = "") -> None:
        """Let the running attempt of a job end."""
        order = self.running[job]
        began, ended = self._began[job], self._clock()
        self._end(order, Outcome(job, order.attempt, exit, error, began, ended))

    def kill(self, job: int) -> None:
        """Kill the attempt of a job; its outcome comes by `wait`."""
        if job in self.running:
            self.killed.append(job)
            self.finish(job, -9)

    def wait(self, timeout: float | None) -> list[Outcome]:
        """Outcomes since the last call. Never waits.

        Raises:
            AssertionError: there is nothing to wait for, so that a real executor would wait for ever.
        """
        if timeout is None and not self._outcomes:
            raise AssertionError(f"waits for ever; running: {sorted(self.running)}")
        outcomes = list(self._outcomes)
        self._outcomes.clear()
        return outcomes

    def wake(self) -> None:
        """Nothing to do: `wait` never waits."""

    def close(self) -> None:
        """Kill what runs."""
        for job in list(self.running):
            self.kill(job)
        self.closed = True

    def _end(self, order: Order, outcome: Outcome) -> None:
        del self.running[order.job]
        if outcome.exit == 0 and self._files is not None:
            for path in _output_paths(order):
                self._files.write(path, f"{order.rule} {order.attempt}\n")
        self._outcomes.append(outcome)


def _output_paths(order: Order) -> list[str]:
    output = order.document.get("output")
    items = output.get("items", []) if isinstance(output, Mapping) else []
    return [str(item) for item in items]
