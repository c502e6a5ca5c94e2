"""The params of a record, by name."""

from __future__ import annotations

import json


def recorded_params(text: str) -> list[tuple[str, object]]:
    """Names and values of recorded params (canonical JSON, as `flowrules.plan.fingerprint` writes it), in their order.

    Params without a name have the name "". Text that is none of this is one value without a name.
    """
    try:
        document = json.loads(text) if text else {}
    except ValueError:
        return [("", text)]
    if not isinstance(document, dict) or set(document) != {"items", "names"}:
        return [("", document)] if document else []
    names = {span[0]: name for name, span in document["names"].items()}
    return [(names.get(at, ""), value) for at, value in enumerate(document["items"])]
