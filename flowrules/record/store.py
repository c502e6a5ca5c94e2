"""The history of a directory: every attempt in one journal, the last success of each output found by its path.

What `Store.started` and `Store.ended` are told is answered at once by `last` and `unfinished`, and is safe from the
death of any process after `flush`, from a power failure after `sync` (`tick` does it each second or 1,000 lines).

Kinds of lines: ``r`` a run begins, ``q`` it ends, ``s`` an attempt starts, ``e`` it ended well, ``f`` it did not,
``t`` text of a command, ``i`` a long list of inputs that several records may share. Unknown kinds are passed over.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec

from flowrules.errors import DirectoryHeld, StateError
from flowrules.model.files import FileRecord
from flowrules.model.record import Record, Timing, timing_of
from flowrules.record.codec import INPUTS, decode, decode_record, decode_took, encode, fields_of
from flowrules.record.journal import Journal, key_of, name_of, size_of, split_keys
from flowrules.record.state import state_folder

JOURNAL = "journal"
SYNC_SECONDS = 1.0
SYNC_LINES = 1_000
_OPENING = frozenset({b"s", b"f", b"?"})
COMPACT_BYTES = 16 << 20
"""Size up to which a journal keeps everything; beyond it, what is superseded is dropped once it is the larger part."""

_LONG_LIST = 4_096
_LATEST_TIMED, _OTHERS_TIMED = 1_000, 2_000
"""How many records say how long rules take: the latest, and of the others, at most, as many at even distances."""


@dataclass(slots=True)
class Run:
    """One run of flowrules.

    Attributes:
        id: as in `Record.run`.
        info: what was told when it began (host, pid, user, command, …).
        started, ended: seconds since the epoch; ``ended`` None for a run that was killed or goes on.
        result: what was told when it ended (exit status, counts, …).
    """

    id: str
    started: float
    info: dict[str, Any] = field(default_factory=dict)
    ended: float | None = None
    result: dict[str, Any] = field(default_factory=dict)


class Store:
    """The `History` of a directory, and what writes it. Made by `Store.open`.

    Attributes:
        warnings: what was damaged, in sentences for the user.
        fence: raises `DirectoryHeld` where another driver has taken over; asked before anything is written.
    """

    def __init__(self, journal: Journal | None) -> None:
        self.warnings: tuple[str, ...] = ()
        self.fence: Callable[[], None] | None = None
        self._journal = journal
        self._last: dict[bytes, int] = {}
        self._open: set[bytes] = set()
        self._texts: dict[bytes, int] = {}
        self._lists: dict[bytes, int] = {}
        self._synced_at: float | None = None
        self._decoded: tuple[int, Record | None] = (-1, None)
        self._decoded_list: tuple[str, list[FileRecord]] = ("", [])

    @classmethod
    def open(cls, directory: str = ".", read_only: bool = False) -> Store:
        """The history of a directory.

        Args:
            directory: the working directory.
            read_only: nothing is made or changed; a directory without history has an empty one.
                Otherwise the caller holds the directory's lock.

        Raises:
            StateError: the state folder cannot be used.
        """
        folder = state_folder(directory, create=not read_only)
        if folder is None:
            return cls(None)
        path = f"{folder}/{JOURNAL}"
        store = cls._read(path, read_only)
        if not read_only and store._wasteful():
            from flowrules.record.compact import compact

            warnings = store.warnings
            with suppress(OSError):  # no room for it: the journal stays as it is
                compact(store._writer(), store._last, store._open)
            store.close()
            store = cls._read(path, read_only)
            store.warnings = warnings
        return store

    @classmethod
    def _read(cls, path: str, read_only: bool) -> Store:
        store = cls(Journal(path, read_only=read_only))
        try:
            store._load()
            if not read_only:
                journal = store._writer()
                journal.settle()
                for keys in journal.scan.cut:
                    journal.append(b"s", [keys], encode(["", {}, 1, ""]))
                journal.flush()
        except BaseException:
            store._writer().close()
            raise
        return store

    def _load(self) -> None:
        journal = self._writer()
        last, open_, discard = self._last, self._open, self._open.discard
        for kind, keys, place in journal.lines():
            if kind == b"e":
                if b"\x1f" in keys:
                    for key in split_keys(keys):
                        last[key] = place
                        discard(key)
                else:
                    last[keys] = place
                    discard(keys)
            elif kind in _OPENING:
                open_.update(split_keys(keys))
            elif kind == b"t":
                self._texts[keys] = place
            elif kind == b"i":
                self._lists[keys] = place
        scan = journal.scan
        if scan.damaged:
            self.warnings = (
                f"{scan.damaged} of {scan.count + scan.damaged} lines of `{journal.path}` are damaged; "
                "the jobs they told of run again where they are needed",
            )

    def _wasteful(self) -> bool:
        """Whether the journal is large and most of it is superseded."""
        size = self._writer().size
        if size < COMPACT_BYTES:
            return False
        live = {*self._last.values(), *self._texts.values(), *self._lists.values()}
        return 2 * sum(map(size_of, live)) < size

    # ── History ──────────────────────────────────────────────────────────────────────────────────────────────────

    def last(self, output: str) -> Record | None:
        """The last successful attempt that made this file."""
        place = self._last.get(key_of(output)) if self._last else None
        if place is None:
            return None
        if self._decoded[0] != place:
            self._decoded = (place, self._record(place))
        return self._decoded[1]

    def unfinished(self, output: str) -> bool:
        """Whether the last attempt to make this file started and did not end well (killed, crashed, failed)."""
        return bool(self._open) and key_of(output) in self._open

    def last_failure(self, output: str) -> Record | None:
        """How the last attempt to make a file ended, where it ended and not well. Reads the whole journal."""
        if self._journal is None or not self.unfinished(output):
            return None
        key, place = key_of(output), None
        for kind, keys, at in self._journal.lines():
            if kind == b"f" and key in split_keys(keys):
                place = at
        return None if place is None else self._record(place)

    def took(self, made: Sequence[tuple[str, str]]) -> list[float | None]:
        """For each output and its rule the seconds of the last attempt that made it; None where that is not known.

        The journal is read from front to back, however many are asked for.
        """
        found: list[float | None] = [None] * len(made)
        if not self._last:
            return found
        last = self._last
        places = [(last.get(key_of(output), -1), at) for at, (output, _) in enumerate(made)]
        known = sorted([pair for pair in places if pair[0] >= 0])
        payloads = self._writer().payloads([place for place, _ in known])
        for (_, at), payload in zip(known, payloads, strict=True):
            with suppress(ValueError):
                took = decode_took(payload)
                if took.status == "done" and took.rule == made[at][1]:
                    found[at] = took.ended - took.started
        return found

    def timings(self) -> list[Timing]:
        """Some thousand successful attempts: the latest, and some of all others."""
        places = list(dict.fromkeys(reversed(self._last.values())))
        some = [*places[:_LATEST_TIMED], *places[_LATEST_TIMED :: 1 + len(places) // _OTHERS_TIMED]]
        records = map(self._record, sorted(some))
        return [timing_of(record) for record in records if record is not None and record.status == "done"]

    def code_text(self, digest: str) -> str:
        """The text of a command as it was recorded, "" where unknown."""
        place = self._texts.get(key_of(digest))
        return "" if place is None else str(decode(self._writer().payload(place)))

    def unfinished_outputs(self) -> list[str]:
        """Every file whose last attempt did not end well, sorted."""
        return sorted(map(name_of, self._open))

    def records(self) -> Iterator[Record]:
        """Every attempt that ended, failed ones too, in the order in which they ended, as far as it is kept."""
        if self._journal is None:
            return
        self._journal.flush()
        for kind, _, place in self._journal.lines():
            if kind in (b"e", b"f") and (record := self._record(place)) is not None:
                yield record

    def runs(self) -> list[Run]:
        """Every run that is kept, in order."""
        if self._journal is None:
            return []
        self._journal.flush()
        runs: dict[bytes, Run] = {}
        for kind, keys, place in self._journal.lines():
            if kind == b"r":
                at, info = decode(self._journal.payload(place))
                runs[keys] = Run(name_of(keys), at, info)
            elif kind == b"q" and keys in runs:
                runs[keys].ended, runs[keys].result = decode(self._journal.payload(place))
        return list(runs.values())

    def under_way(self, run: str) -> list[tuple[str, dict[str, str]]]:
        """Rule and wildcards of each attempt that a run has started and that has not ended, as far as is recorded."""
        if self._journal is None:
            return []
        begun: dict[bytes, int] = {}
        for kind, keys, place in self._journal.lines():
            if kind == b"s":
                begun.update(dict.fromkeys(split_keys(keys)[:1], place))
            elif kind in (b"e", b"f"):
                for key in split_keys(keys):
                    begun.pop(key, None)
        said = [decode(self._journal.payload(place)) for place in begun.values()]
        return [(rule, wildcards) for rule, wildcards, _, of in said if of == run]

    def _record(self, place: int) -> Record | None:
        """The record at a place; None where it, or the list of inputs it refers to, cannot be read."""
        try:
            payload = decode_record(self._writer().payload(place))
            if isinstance(payload.inputs, str):
                payload.inputs = self._list(payload.inputs)
        except (ValueError, KeyError):
            return None
        return Record(*fields_of(payload))

    def _list(self, digest: str) -> list[FileRecord]:
        if self._decoded_list[0] != digest:
            payload = self._writer().payload(self._lists[key_of(digest)])
            self._decoded_list = (digest, msgspec.convert(decode(payload), list[FileRecord]))
        return self._decoded_list[1]

    # ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────

    def begin_run(self, run: str, at: float, info: Mapping[str, object] | None = None) -> None:
        """A run begins, at a time in seconds since the epoch; ``info`` holds JSON values."""
        self._writer().append(b"r", [key_of(run)], encode([at, info or {}]))

    def end_run(self, run: str, at: float, result: Mapping[str, object] | None = None) -> None:
        """A run ends; ``result`` holds JSON values."""
        self._writer().append(b"q", [key_of(run)], encode([at, result or {}]))

    def started(
        self, outputs: Iterable[str], rule: str, wildcards: Mapping[str, str], attempt: int = 1, run: str = ""
    ) -> None:
        """An attempt is about to start. It may start after the next `flush`."""
        keys = [key_of(output) for output in outputs]
        self._open.update(keys)
        self._writer().append(b"s", keys, encode([rule, wildcards, attempt, run]))

    def ended(self, record: Record, outputs: Iterable[str] = ()) -> None:
        """An attempt ended; ``outputs`` are what a failed one should have made. It counts after the next `flush`."""
        journal = self._writer()
        if record.status in ("done", "touched"):
            keys = [key_of(output.path) for output in record.outputs]
            place = journal.append(b"e", keys, self._encode_record(record))
            for key in keys:
                self._last[key] = place
            self._open.difference_update(keys)
        else:
            keys = [key_of(output) for output in outputs]
            journal.append(b"f", keys, self._encode_record(record))
            self._open.update(keys)

    def remember_text(self, digest: str, text: str) -> None:
        """Keep the text of a command under its digest; once is enough."""
        key = key_of(digest)
        if key not in self._texts:
            self._texts[key] = self._writer().append(b"t", [key], encode(text))

    def flush(self) -> None:
        """Have everything told so far in the file, with one write.

        Raises:
            StateError: nothing of it is (the disk is full, …). All of it is kept and written by a later call; until one
                succeeds no attempt that was told to start may start, and no success be acted upon.
            DirectoryHeld: another driver has taken over; what was not written never is.
        """
        self._fenced().flush()

    def tick(self, now: float) -> None:
        """Flush, and have it on disk if that was a second or 1,000 lines ago; ``now`` is of a monotonic clock.

        Raises:
            StateError: as `flush`.
        """
        journal = self._fenced()
        journal.flush()
        if not journal.unsynced:
            self._synced_at = None
        elif self._synced_at is None and journal.unsynced < SYNC_LINES:
            self._synced_at = now
        elif journal.unsynced >= SYNC_LINES or now - (self._synced_at or 0.0) >= SYNC_SECONDS:
            journal.sync()
            self._synced_at = None

    def sync(self) -> None:
        """Have everything told so far on disk.

        Raises:
            StateError: it may not be.
        """
        self._fenced().sync()

    def close(self) -> None:
        """Write what was not written yet and close the file. May be called twice.

        Raises:
            StateError: something could not be written; the file is closed all the same.
        """
        if self._journal is None:
            return
        journal = self._journal
        try:
            if journal.unsynced:
                self._fenced().sync()
        finally:
            self._journal = None
            journal.close()

    def _writer(self) -> Journal:
        if self._journal is None:
            raise StateError("the history of this directory is not open for writing")
        return self._journal

    def in_charge(self) -> None:
        """See that nobody else has taken over, before something is started.

        Raises:
            DirectoryHeld: another driver has.
        """
        if self.fence is not None:
            self.fence()

    def _fenced(self) -> Journal:
        """The journal, to be written: it is still this driver's."""
        journal = self._writer()
        if self.fence is not None and journal.pending:
            try:
                self.fence()
            except DirectoryHeld:
                journal.forget()
                raise
        return journal

    def _encode_record(self, record: Record) -> bytes:
        fields = fields_of(record)
        if len(record.inputs) * 40 >= _LONG_LIST:
            inputs = encode(record.inputs)
            digest = hashlib.sha256(inputs).hexdigest()[:32]
            key = key_of(digest)
            if key not in self._lists:
                self._lists[key] = self._writer().append(b"i", [key], inputs)
            fields = (*fields[:INPUTS], digest, *fields[INPUTS + 1 :])
        return encode(fields)
