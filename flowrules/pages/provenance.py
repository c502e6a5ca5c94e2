"""How each output of a campaign was made, packed so that a page unpacks it when somebody looks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

from flowrules.model.record import Record
from flowrules.show.params import recorded_params
from flowrules.show.tables import clock_text, record_label
from flowrules.show.text import escape
from flowrules.show.units import human_size, human_time

OUTPUTS: Final = 50_000
"""Outputs whose provenance a report holds."""

CHUNK: Final = 1_000
"""Outputs that are packed together: the page unpacks them when somebody looks."""

INPUTS: Final = 200
"""Inputs of an attempt that are listed."""


def provenance(attempts: Sequence[Record], commands: Mapping[str, str]) -> dict[str, object]:
    """Of each output its path, and in chunks all that is recorded of the attempt that made it last.

    Args:
        commands: texts by their digests.
    """
    last = {made.path: record for record in attempts if record.status == "done" for made in record.outputs}
    paths = sorted(last)[:OUTPUTS]
    texts: dict[str, int] = {}
    data: dict[str, object] = {}
    for start in range(0, len(paths), CHUNK):
        some = paths[start : start + CHUNK]
        data[f"made-{start // CHUNK}"] = [_made(path, last[path], commands, texts) for path in some]
    data["outputs"] = {
        "paths": [escape(path) for path in paths],
        "rules": [escape(last[path].rule) for path in paths],
        "left_out": len(last) - len(paths),
        "commands": [_command(commands.get(digest, "")) for digest in texts],
    }
    return data


def _made(path: str, record: Record, commands: Mapping[str, str], texts: dict[str, int]) -> dict[str, object]:
    file = next(made for made in record.outputs if made.path == path)
    facts = [
        ("job", record_label(record)),
        ("made", f"{clock_text(record.ended)} in {human_time(record.elapsed)}"),
        ("where", record.host),
        ("GPU", ", ".join(record.gpus)),
        ("threads", str(record.threads)),
        ("CPU time", human_time(record.cpu) if record.cpu else ""),
        ("memory", human_size(record.memory) if record.memory else ""),
        ("size", human_size(file.size)),
        ("content", file.digest),
        ("because of", record.reason),
        ("params", _params(record.params)),
        ("resources", ", ".join(f"{name}={value}" for name, value in record.resources.items())),
        ("environment", record.environment),
        ("log", record.log),
    ]
    return {
        "facts": [[name, escape(value)] for name, value in facts if value],
        "command": texts.setdefault(record.code, len(texts)) if record.code in commands else -1,
        "inputs": [[escape(f.path), human_size(f.size), f.digest] for f in record.inputs[:INPUTS]],
        "more": max(0, len(record.inputs) - INPUTS),
    }


def _params(text: str) -> str:
    """Recorded params as `name=value, …`."""
    values = [(name, json.dumps(value, ensure_ascii=False)) for name, value in recorded_params(text)]
    return ", ".join(f"{name}={value}" if name else value for name, value in values)


def _command(text: str) -> str:
    kind, _, rest = text.partition("\n")
    return f"{kind}:\n" + "\n".join([escape(line.expandtabs(4)) for line in rest[:20_000].split("\n")])
