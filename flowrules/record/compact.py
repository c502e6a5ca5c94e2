"""What of a journal is worth keeping when it has become large, and the journal without the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set

from flowrules.record.codec import decode_record, encode
from flowrules.record.journal import Journal, key_of, rewrite, split_keys

KEPT_RUNS = 100
"""So many of the latest runs are kept whether or not a record of theirs is."""


def compact(journal: Journal, last: Mapping[bytes, int], unfinished: Set[bytes]) -> None:
    """Rewrite a journal with what still counts; it has to be opened anew afterwards.

    Kept are the last success of each output, the newest start or failure of each output that is unfinished, and the
    texts, lists of inputs and runs that these refer to.

    Args:
        last: place of the last success by output.
        unfinished: outputs whose last attempt did not end well.

    Raises:
        OSError: it cannot be written; the journal is as it was.
    """
    rewrite(journal.path, _kept(journal, set(last.values()), unfinished))


def _kept(journal: Journal, places: set[int], unfinished: Set[bytes]) -> Iterator[tuple[bytes, bytes, bytes]]:
    newest: dict[bytes, int] = {}
    runs: dict[bytes, None] = {}
    for kind, keys, place in journal.lines():
        if kind in (b"s", b"f"):
            newest.update((key, place) for key in split_keys(keys) if key in unfinished)
        elif kind == b"r":
            runs[keys] = None
    uncovered = sorted(unfinished - newest.keys())
    if uncovered:  # known from damaged lines only
        yield b"s", b"\x1f".join(uncovered), encode(["", {}, 1, ""])
    places = places | set(newest.values())
    needed = _references(journal, places) | set(list(runs)[-KEPT_RUNS:])
    for kind, keys, place in journal.lines():
        if place in places or (kind in (b"t", b"i", b"r", b"q") and keys in needed):
            yield kind, keys, journal.payload(place)


def _references(journal: Journal, places: set[int]) -> set[bytes]:
    """Keys of the texts, lists and runs that records refer to."""
    names: set[str] = set()
    for kind, _, place in journal.lines():
        if place in places and kind in (b"e", b"f"):
            try:
                payload = decode_record(journal.payload(place))
            except ValueError:
                continue
            names.update((payload.code, payload.run))
            if isinstance(payload.inputs, str):
                names.add(payload.inputs)
    return set(map(key_of, names))
