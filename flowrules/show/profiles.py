"""Profiles for people and programs: the list, one with the origin of each value, and what a check of one found."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Final, Literal, NamedTuple, TypeAlias

from flowrules.model.profile import Profile
from flowrules.model.quantity import Quantity
from flowrules.show.grid import Column, grid
from flowrules.show.text import cells, escape, json_line, paint

_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9 ./=_-]*[A-Za-z0-9]|[A-Za-z]")
"""Text that YAML takes for itself without quotes, in a flow mapping too."""

_WORDS: Final = frozenset({"true", "false", "null"})


class Listed(NamedTuple):
    """A profile in the list; ``hint`` is what its file says at its beginning."""

    name: str
    whose: str
    hint: str
    folder: str


class Finding(NamedTuple):
    """One thing that was looked at.

    Attributes:
        state: `ok`; `wrong`: it will not work so; `note`: it could not be looked at, or is only worth knowing.
    """

    state: Literal["ok", "wrong", "note"]
    what: str
    said: str


_LIST: Final = (Column("profile"), Column("whose"), Column("what it is for", cut="end"))
_STYLES: Final = {"ok": "good", "wrong": "error", "note": "may"}
_FOUND: Final = (Column("", styles=_STYLES), Column("looked at"), Column("found"))

Tree: TypeAlias = "dict[str, Tree | str]"
"""Sections, and values as YAML text."""


def render_profiles(profiles: Sequence[Listed], form: str, color: bool = False, width: int | None = None) -> str:
    """Every profile a name finds."""
    if form == "json":
        return "\n".join(json_line(dict(zip(("name", "whose", "about", "folder"), p, strict=True))) for p in profiles)
    rows = [[profile.name, profile.whose, profile.hint] for profile in profiles]
    return "\n".join(grid(_LIST, rows, color=color, width=width))


def render_findings(findings: Iterable[Finding], form: str, color: bool = False, width: int | None = None) -> str:
    """What a check found."""
    if form == "json":
        return "\n".join(json_line(finding._asdict()) for finding in findings)
    return "\n".join(grid(_FOUND, [list(finding) for finding in findings], color=color, width=width))


def render_profile(profile: Profile, form: str, color: bool = False) -> str:
    """The whole profile as it is in force, with the origin of each value.

    As text it is a profile again: what is printed may be saved as `profile.yaml`. As JSON, amounts are bytes and
    seconds, ranges are pairs whose second part may be null, `origins` has the origin of each dotted key.
    """
    if form == "json":
        return json_line(_object(profile))
    head = [f"profile {profile.name}", f"folder   {profile.folder}"]
    head += [f"template {profile.template}"] if profile.template else []
    lines = [paint(f"# {escape(line)}", "dim", color) for line in head]
    rows = list(_rows(profile_tree(profile), "", 0))
    margin = min(max((cells(text) for text, key in rows if key in profile.origins), default=0), 60)
    for text, key in rows:
        origin = profile.origins.get(key, "")
        gap = " " * max(margin - cells(text), 0)
        lines.append(f"{text}{gap}  {paint(f'# {escape(origin)}', 'dim', color)}" if origin else text)
    return "\n".join(lines)


def profile_tree(profile: Profile) -> Tree:
    """A profile as it would be written: sections, and values as YAML text; what is not limited or not there is left
    out, and so is the node of a profile without batch system that counts it when a run starts."""
    tree: Tree = {"scheduler": profile.scheduler, "launcher": profile.launcher}
    if profile.scheduler != "none" or profile.origins.get("node.cpus", "default") != "default":
        tree["node"] = _node(profile)
    if profile.scheduler != "none":
        blocks = profile.blocks
        tree["blocks"] = {
            "nodes": str(blocks.nodes),
            "walltime": _time(blocks.walltime),
            "init": str(blocks.init),
            "min": str(blocks.min),
            "max": str(blocks.max),
            "idle": _time(blocks.idle),
        }
        tree["queue"] = _text(profile.queue)
        if profile.queues:
            tree["queues"] = _queues(profile)
        tree[profile.scheduler] = {key: _value(value) for key, value in profile.options.items()}
    if profile.worker_init:
        tree["worker_init"] = profile.worker_init
    tree["latency_wait"] = _time(profile.latency_wait)
    return tree


def _node(profile: Profile) -> Tree:
    node = profile.node
    tree: Tree = {"cpus": str(node.cpus)}
    if node.mem is not None:
        tree["mem"] = str(Quantity(node.mem, "bytes"))
    if node.gpus:
        slots = [f"{{id: {json.dumps(gpu.id)}, cpus: {_threads(gpu.cpus)}}}" for gpu in node.gpus]
        tree["gpus"] = {"env": _text(node.gpu_variable), "slots": "\n".join(slots)}
    if node.reserved:
        tree["reserved"] = _threads(node.reserved)
    if node.resources:
        tree["resources"] = {name: f"{amount:g}" for name, amount in node.resources.items()}
    return tree


def _queues(profile: Profile) -> Tree:
    queues: Tree = {}
    for queue in profile.queues:
        tree: Tree = {"nodes": _counts(queue.nodes), "walltime": _times(queue.walltime)}
        for name in ("jobs_per_user", "jobs_per_project", "queued_per_project"):
            limit = getattr(queue, name)
            if limit is not None:
                tree[name] = str(limit)
        if queue.rerunnable:
            tree["rerunnable"] = "true"
        if queue.routes:
            tree["routes"] = {
                route.name: {"nodes": _counts(route.nodes), "walltime": _times(route.walltime)}
                for route in queue.routes
            }
        queues[queue.name] = tree
    return queues


def _rows(tree: Mapping[str, Tree | str], path: str, depth: int) -> Iterable[tuple[str, str]]:
    """Lines of YAML, each with the dotted key whose origin belongs to it; "" for none."""
    indent = "  " * depth
    for key, value in tree.items():
        here = f"{path}.{key}" if path else key
        name = key if _PLAIN.fullmatch(key) and key not in _WORDS else json.dumps(key)
        if isinstance(value, dict):
            yield f"{indent}{name}:", ""
            yield from _rows(value, here, depth + 1)
        elif here == "node.gpus.slots":
            yield f"{indent}{name}:", here
            yield from ((f"{indent}  - {line}", "") for line in value.splitlines())
        elif here == "worker_init":
            yield from _script(value, here)
        else:
            yield f"{indent}{name}: {value}", here


def _script(text: str, key: str) -> Iterable[tuple[str, str]]:
    """Shell text as a block, or in quotes where a block would not bring it back as it is."""
    lines = text[:-1].split("\n") if text.endswith("\n") else []
    if lines and all(line.isprintable() for line in lines) and lines[0][:1].strip() and lines[-1].strip():
        yield f"{key}: |", key
        yield from ((f"  {line}".rstrip() if not line else f"  {line}", "") for line in lines)
    else:
        yield f"{key}: {json.dumps(text)}", key


def _object(profile: Profile) -> dict[str, object]:
    found = asdict(profile)
    found["options"] = dict(profile.options)
    return found


def _value(value: object) -> str:
    if isinstance(value, str):
        return _text(value)
    return json.dumps(value)


def _text(text: str) -> str:
    return text if _PLAIN.fullmatch(text) and text not in _WORDS else json.dumps(text)


def _time(seconds: float) -> str:
    return str(Quantity(seconds, "seconds"))


def _counts(limits: tuple[int, int | None]) -> str:
    least, most = limits
    return f"{least}-{'' if most is None else most}"


def _times(limits: tuple[float, float | None]) -> str:
    least, most = limits
    return f"{_time(least)}-{'' if most is None else _time(most)}"


def _threads(cpus: Sequence[int]) -> str:
    """Hardware threads as a list of ranges, in quotes: `"24-31,56-63"`."""
    parts: list[list[int]] = []
    for cpu in cpus:
        if parts and parts[-1][1] == cpu - 1:
            parts[-1][1] = cpu
        else:
            parts.append([cpu, cpu])
    return json.dumps(",".join(str(a) if a == b else f"{a}-{b}" for a, b in parts))
