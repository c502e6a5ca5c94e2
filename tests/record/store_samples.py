"""Records for tests of the store, and the store opened again."""

from __future__ import annotations

from flowrules.model.files import FileRecord
from flowrules.model.record import Record
from flowrules.record.store import Store


def done(*outputs, **fields):
    files = [FileRecord(path, 3, 1_700_000_000_000_000_001, "d" * 32) for path in outputs]
    return Record(**{"rule": "relax", "wildcards": {"mol": "benzene"}, "outputs": files, **fields})


def failed(**fields):
    return Record(**{"rule": "relax", "wildcards": {}, "outputs": [], "status": "failed", "exit": 1, **fields})


def reopened(store, directory):
    store.close()
    return Store.open(directory)
