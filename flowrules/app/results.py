"""The outputs that rules mark by `report(…)`, as a page shows them: pictures, pages, tables and texts, or a link."""

from __future__ import annotations

import base64
import csv
import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from flowrules.model.job import Job
from flowrules.model.plan import Plan
from flowrules.model.values import Marked
from flowrules.pages.campaign import Shown
from flowrules.pages.tables import Column, Table
from flowrules.record.disk import Disk
from flowrules.show.text import counted

EMBEDDED: Final = 4 << 20
"""Bytes of a result that is put into the page; a larger one is linked."""

ALL_EMBEDDED: Final = 40 << 20
"""Bytes of all of them together."""

ROWS: Final = 200
"""Rows of a table, and lines of a text, that are shown."""

_IMAGES: Final = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".svg": "image/svg+xml",
}
_PAGES: Final = {".html": "text/html", ".htm": "text/html"}
_TABLES: Final = {".csv": ",", ".tsv": "\t"}
_TEXTS: Final = frozenset({".txt", ".md", ".log", ".json", ".yaml", ".yml", ".dat", ".out"})


def shown(planned: Plan, file: str) -> Iterator[Shown]:
    """What rules mark for the report and is there.

    Args:
        file: the report's; links are relative to where it lies.
    """
    disk, room = Disk(), ALL_EMBEDDED
    for job, path, marked in _marked(planned.jobs):
        stamp = disk.stat(path)
        if stamp is None:
            continue
        size = stamp.size
        caption, category = (_filled(text, job.wildcards) for text in (marked.caption, marked.category))
        kind, content = "link", b""
        if stamp.kind == "f" and size <= min(EMBEDDED, room):
            kind = _kind(path)
            if kind != "link":
                try:
                    content = disk.read(path, EMBEDDED)
                except OSError:
                    kind = "link"
        room -= len(content)
        yield _result(path, caption, category, kind, size, content, os.path.dirname(os.path.abspath(file)))


def _marked(jobs: Iterable[Job]) -> Iterator[tuple[Job, str, Marked]]:
    for job in jobs:
        for output, path in zip(job.rule.outputs, job.outputs, strict=True):
            if output.flags.report is not None:
                yield job, path, output.flags.report


def _filled(text: str, wildcards: Mapping[str, str]) -> str:
    for name, value in wildcards.items():
        text = text.replace("{" + name + "}", value)
    return text


def _kind(path: str) -> str:
    end = os.path.splitext(path)[1].lower()
    if end in _IMAGES:
        return "image"
    if end in _PAGES:
        return "page"
    if end == ".pdf":
        return "pdf"
    if end in _TABLES:
        return "table"
    return "text" if end in _TEXTS else "link"


def _result(path: str, caption: str, category: str, kind: str, size: int, content: bytes, beside: str) -> Shown:
    end = os.path.splitext(path)[1].lower()
    text, address, table = "", "", None
    if kind == "link":
        address = quote(os.path.relpath(path, beside))
    elif kind in ("image", "page", "pdf"):
        media = {**_IMAGES, **_PAGES, ".pdf": "application/pdf"}[end]
        address = f"data:{media};base64,{base64.b64encode(content).decode('ascii')}"
    else:
        text = content.decode("utf-8", "backslashreplace")
        if kind == "table" and (table := _table(path, text, _TABLES[end])) is not None:
            text = ""
        else:
            kind, lines = "text", text.splitlines()
            more = f"\n… {counted(len(lines) - ROWS, 'more line')}" if len(lines) > ROWS else ""
            text = "\n".join(lines[:ROWS]) + more
    return Shown(path, caption, category, kind, size, address, text, table)


def _table(path: str, text: str, delimiter: str) -> Table | None:
    """A table of delimited text; None where it is none."""
    try:
        rows: list[list[str]] = [row for row in csv.reader(io.StringIO(text), delimiter=delimiter) if row]
    except csv.Error:
        return None
    if not rows or len({len(row) for row in rows}) > 1 or len(rows[0]) > 64:
        return None
    head, body = rows[0], rows[1:]
    columns = [Column(name, _column_kind([row[at] for row in body])) for at, name in enumerate(head)]
    note = f"the first {ROWS} of {len(body):,} rows" if len(body) > ROWS else ""
    return Table(os.path.basename(path), columns, body[:ROWS], note)


def _column_kind(values: Sequence[Any]) -> str:
    try:
        for value in values:
            float(value or 0)
    except ValueError:
        return "text"
    return "number"
