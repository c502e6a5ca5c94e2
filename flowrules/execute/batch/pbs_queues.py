"""Understands what `qstat -Q -f` says of queues, as JSON or as text. Functions of text alone."""

from __future__ import annotations

import getpass
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from flowrules.model.batch import QueueToday

_CLOCK = re.compile(r"(?:(\d{1,12}):)?(?:(\d{1,12}):)?(\d{1,12})(?:\.\d+)?")  # no time is longer, whoever writes more
_LIMIT = re.compile(r"\[\s*([uop]):([^=\]]+)=(\d{1,15})\s*\]")
_DIGITS = 16
"""More of them are no count: Python refuses to read thousands."""

_SECTIONS = ("resources_max", "resources_min")


def read_queues(text: str) -> dict[str, QueueToday]:
    """Queues by name; empty where the text is not whole."""
    found = _of_json(text) or _of_text(text)
    return {name: _queue(name, said) for name, said in found.items()}


def _of_json(text: str) -> dict[str, Mapping[str, Any]]:
    try:
        said = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return {}
    queues = said.get("Queue") if isinstance(said, dict) else None
    if not isinstance(queues, dict):
        return {}
    return {name: attributes for name, attributes in queues.items() if isinstance(attributes, dict)}


def _of_text(text: str) -> dict[str, Mapping[str, Any]]:
    """An empty line ends each queue; one whose text is not complete makes all of it worthless."""
    found: dict[str, Mapping[str, Any]] = {}
    for part in text.split("\n\n")[:-1]:
        lines = part.strip("\n").replace("\n\t", "").splitlines()
        if not lines or not lines[0].startswith("Queue: "):
            return {}
        attributes: dict[str, Any] = {}
        for line in lines[1:]:
            key, _, value = line.strip().partition(" = ")
            section, _, name = key.partition(".")
            if section in _SECTIONS:
                attributes.setdefault(section, {})[name] = value
            else:
                attributes[key] = value
        found[lines[0].removeprefix("Queue: ").strip()] = attributes
    return {} if text.rpartition("\n\n")[2].strip() else found


def _queue(name: str, said: Mapping[str, Any]) -> QueueToday:
    most, least = (_section(said, name) for name in _SECTIONS)
    user, project = _limits(said)
    return QueueToday(
        name,
        enabled=_is_true(said.get("enabled")),
        started=_is_true(said.get("started")),
        direct=not _is_true(said.get("from_route_only", "False")),
        nodes=(_whole(least.get("nodect")) or 1, _whole(most.get("nodect"))),
        walltime=(_seconds(least.get("walltime")) or 0.0, _seconds(most.get("walltime"))),
        jobs_per_user=user,
        jobs_per_project=project,
        leads_to=tuple(filter(None, (to.partition("@")[0].strip() for to in _destinations(said)))),
    )


def _section(said: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = said.get(name)
    return section if isinstance(section, dict) else {}


def _destinations(said: Mapping[str, Any]) -> Iterator[str]:
    if str(said.get("queue_type")).startswith("R"):
        yield from str(said.get("route_destinations", "")).split(",")


def _limits(said: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """Most batch jobs of this user, and of any project, that a queue holds; `max_queued` counts those that run, too."""
    users, projects = [], []
    for kind, whom, limit in _LIMIT.findall(str(said.get("max_queued", ""))):
        whom = whom.strip().strip('"')
        if kind == "p" and whom == "PBS_GENERIC":
            projects.append(int(limit))
        elif kind == "u" and whom in ("PBS_GENERIC", _me()):
            users.append((whom == "PBS_GENERIC", int(limit)))
    return (min(users)[1] if users else None), min(projects, default=None)


def _me() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


def _is_true(value: object) -> bool:
    """What is not said is no obstacle."""
    return str(value).lower() not in ("false", "f", "n", "no", "0")


def _whole(value: object) -> int | None:
    text = str(value).strip()
    return int(text) if text.isdecimal() and len(text) < _DIGITS else None


def _seconds(value: object) -> float | None:
    """Of `HH:MM:SS`, `MM:SS` or seconds."""
    found = _CLOCK.fullmatch(str(value).strip())
    if found is None:
        return None
    seconds = 0.0
    for part in filter(None, found.groups()):
        seconds = 60 * seconds + int(part)
    return seconds
