"""The params of a record by name, and what differs between two records."""

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


def changed_params(old: str, new: str) -> list[tuple[str, str | None, str | None]]:
    """Name, value before and value now, as JSON, of each param that differs; None where it was not there."""
    before, after = _flat(old), _flat(new)
    both = [(name, before.get(name), after.get(name)) for name in sorted({*before, *after})]
    return [(name, then, now) for name, then, now in both if then != now]


def param_changes(old: str, new: str) -> list[str]:
    """`n: 3 → 4` for each param that differs, `n: 3, no more` and `n: new, 4` for those that went and came."""
    lines = []
    for name, then, now in changed_params(old, new):
        if now is None:
            lines.append(f"{name}: {then}, no more")
        else:
            lines.append(f"{name}: new, {now}" if then is None else f"{name}: {then} → {now}")
    return lines


def _flat(text: str) -> dict[str, str]:
    """The values of params by dotted names, those without a name by number."""
    found: dict[str, str] = {}

    def walk(name: str, value: object) -> None:
        if isinstance(value, dict) and value:
            for key, inner in value.items():
                walk(f"{name}.{key}", inner)
        elif isinstance(value, list) and value and len(value) <= 64:
            for at, inner in enumerate(value):
                walk(f"{name}[{at}]", inner)
        else:
            found[name] = json.dumps(value, ensure_ascii=False)

    for at, (name, value) in enumerate(recorded_params(text)):
        walk(name or f"params[{at}]", value)
    return found
