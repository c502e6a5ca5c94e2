"""Records as JSON: arrays of their fields, written and read in a microsecond or two."""

from __future__ import annotations

import json
from operator import attrgetter
from typing import Any

import msgspec

from flowrules.model.files import FileRecord


class Payload(msgspec.Struct, array_like=True, gc=False):
    """A record as it stands in the journal: fields are only ever added, at the end, with a default."""

    rule: str
    wildcards: dict[str, str]
    outputs: list[FileRecord]
    inputs: list[FileRecord] | str
    code: str = ""
    params: str = ""
    environment: str = ""
    status: str = "done"
    exit: int = 0
    reason: str = ""
    error: str = ""
    attempt: int = 1
    started: float = 0.0
    ended: float = 0.0
    cpu: float = 0.0
    memory: int = 0
    threads: int = 1
    resources: dict[str, str] = {}
    gpus: list[str] = []
    host: str = ""
    log: str = ""
    run: str = ""
    command: str = ""


class Took(msgspec.Struct, array_like=True, gc=False):
    """Of a record what it takes to tell how long a job ran; the fields between are passed over."""

    rule: str
    wildcards: msgspec.Raw
    outputs: msgspec.Raw
    inputs: msgspec.Raw
    code: msgspec.Raw
    params: msgspec.Raw
    environment: msgspec.Raw
    status: str
    exit: int
    reason: msgspec.Raw
    error: msgspec.Raw
    attempt: int
    started: float
    ended: float


FIELDS = Payload.__struct_fields__
INPUTS = FIELDS.index("inputs")
fields_of = attrgetter(*FIELDS)
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Payload)
_took_decoder = msgspec.json.Decoder(Took)


def encode(value: object) -> bytes:
    """A value as JSON in one line."""
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:  # a path that is no UTF-8: msgspec does not write half surrogate pairs, json does
        return json.dumps(value).encode()


def decode(payload: bytes) -> Any:  # noqa: ANN401 - whatever JSON holds
    """The value that `encode` wrote.

    Raises:
        ValueError: it is no JSON.
    """
    try:
        return msgspec.json.decode(payload)
    except msgspec.DecodeError:
        return json.loads(payload)


def decode_record(payload: bytes) -> Payload:
    """The record of a line.

    Raises:
        ValueError: it is no record.
    """
    try:
        return _decoder.decode(payload)
    except msgspec.DecodeError:
        return msgspec.convert(json.loads(payload), Payload)


def decode_took(payload: bytes) -> Took | Payload:
    """How long the job of a line ran.

    Raises:
        ValueError: it is no record.
    """
    try:
        return _took_decoder.decode(payload)
    except msgspec.DecodeError:
        return decode_record(payload)
