"""The text of a profile, with what is set beside it, as a checked `Profile`; every independent mistake at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any, Final, cast

from flowrules.errors import FlowfileError
from flowrules.expr.yaml12 import Node, compose_yaml
from flowrules.load.config import kind_of
from flowrules.load.problems import Enough, Problems
from flowrules.load.profile_checks import check
from flowrules.load.profile_keys import KEYS, below, general
from flowrules.load.profile_settings import Overrides, origin, override
from flowrules.load.profile_values import Values, read
from flowrules.model.profile import BlockShape, GpuSlot, NodeShape, Profile, Queue, Route
from flowrules.span import Source, Span

DEFAULT: Final = "default"
"""The origin of a value that nobody set."""

NOTHING: Final = Overrides()


def load_profile(source: Source, name: str, overrides: Overrides = NOTHING, template: str = "") -> Profile:
    """The profile in a text.

    Args:
        source: of `profile.yaml`; its folder is the profile's.
        name: by which the user calls it.
        overrides: what is set beside it; goes before the file: environment, then `--set`, then `--launcher`.
        template: path of the job script's template.

    Raises:
        FlowfileError: with everything that is wrong with it.
    """
    problems = Problems()
    root = compose_yaml(source).root
    if root.value is None:
        root = Node({}, Span(source, 0, 0))
    if not isinstance(root.value, dict):
        problems.error("F802", f"a profile holds `key: value` lines, this one is {kind_of(root.value)}", root.span)
        raise FlowfileError(problems.all())
    try:
        root = override(root, overrides, problems)
        profile = _Reader(problems).profile(root, source, name, template)
        if not problems:
            check(profile, root, problems)
    except Enough as enough:
        problems_now = problems.all([source.name])
        raise FlowfileError((*problems_now, *enough.diagnostics)) from None
    if problems:
        raise FlowfileError(problems.all([source.name]))
    return profile


class _Reader:
    """Reads the sections of a profile."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._values = Values(problems)

    def profile(self, root: Node, source: Source, name: str, template: str) -> Profile:
        """The profile; a value with a mistake has its default, and the mistake is kept."""
        top = self._values.mapping(root, "")
        simple = self._section(root, "")
        options = {key: self._options(top.get(key), key) for key in ("pbs", "slurm")}
        scheduler = cast(Any, simple.get("scheduler", "none"))
        others = {"pbs", "slurm"} - {scheduler}
        before = len(self._problems)
        node = self._node(top.get("node"))
        node_is_right = len(self._problems) == before
        profile = Profile(
            name=name,
            folder=source.folder,
            scheduler=scheduler,
            launcher=cast(Any, simple.get("launcher", "local")),
            node=node,
            blocks=BlockShape(**self._section(top.get("blocks"), "blocks")),
            queue=cast(str, simple.get("queue", "auto")),
            queues=self._queues(top.get("queues")),
            options=options.get(scheduler, {}),
            worker_init=cast(str, simple.get("worker_init", "")),
            template=template,
            latency_wait=cast(float, simple.get("latency_wait", _default("latency_wait"))),
            origins={key: text for key, text in _origins(root) if key.partition(".")[0] not in others},
        )
        # a mistake in the section may be the reason why nothing is found in it
        if scheduler != "none" and profile.origins["node.cpus"] == DEFAULT and node_is_right:
            span = root.keys["node"] if "node" in root.keys else Span(source, 0, 0)
            hint = "write `node: {cpus: 64}`, the hardware threads of one node"
            self._problems.error("F805", f"with `scheduler: {scheduler}` a profile says `node.cpus`", span, hint)
        return profile

    def _section(self, node: Node | None, path: str) -> dict[str, Any]:
        """Values of a section's keys that are no sections themselves."""
        found = {}
        for key, child in self._values.mapping(node, path).items():
            inside = f"{path}.{key}" if path else key
            if KEYS[general(inside) or ""].kind not in ("section", "names", "gpus"):
                value = read(self._values, child, inside)
                if value is not None:
                    found[key] = value
        return found

    def _node(self, node: Node | None) -> NodeShape:
        simple = self._section(node, "node")
        parts = self._values.mapping(node, "node") if node is not None else {}
        resources = self._section(parts.get("resources"), "node.resources")
        gpus = parts.get("gpus")
        slots = self._values.mapping(gpus, "node.gpus").get("slots")
        return NodeShape(
            cpus=simple.get("cpus", 1),
            mem=simple.get("mem"),
            gpus=self._slots(slots) if slots is not None else (),
            gpu_variable=self._section(gpus, "node.gpus").get("env", ""),
            reserved=simple.get("reserved", ()),
            resources=resources,
        )

    def _slots(self, node: Node) -> tuple[GpuSlot, ...]:
        path = "node.gpus.slots"
        if not isinstance(node.value, list):
            self._values.wrong(node, path, "a list of GPUs", 'write `slots: [{id: "0", cpus: "0-7"}]`')
            return ()
        slots = [self._slot(child, f"{path}.{i}") for i, child in enumerate(node.children.values())]
        return tuple(slot for slot in slots if slot is not None)

    def _slot(self, node: Node, path: str) -> GpuSlot | None:
        """A GPU; one that has no name is a mistake."""
        if not isinstance(node.value, dict):
            self._values.wrong(node, path, 'a GPU such as `{id: "0", cpus: "0-7"}`')
            return None
        for key in node.keys:
            if key not in ("id", "cpus"):
                self._values.unknown(key, path, node.keys[key], ("id", "cpus"))
        id_node, cpus_node = node.children.get("id"), node.children.get("cpus")
        if id_node is None or id_node.value is None:
            self._problems.error("F805", f"`{path}` has no `id`", node.span, 'write `{id: "0", …}`')
            return None
        name = self._values.word(id_node, f"{path}.id")
        if name is None:
            return None
        if not name or not all(c.isascii() and (c.isalnum() or c in "._:/-") for c in name):
            message = f"`{path}.id` is the name of a GPU, not `{name}`"
            hint = "names are made of letters, digits and `._:/-`, as the node's variable wants them"
            self._problems.error("F802", message, id_node.span, hint)
            return None
        cpus = None
        if cpus_node is not None and cpus_node.value is not None:
            cpus = self._values.threads(cpus_node, f"{path}.cpus")
        return GpuSlot(name, cpus or ())

    def _queues(self, node: Node | None) -> tuple[Queue, ...]:
        found = []
        for name, child in self._values.mapping(node, "queues").items():
            path = f"queues.{name}"
            assert node is not None
            if self._is_name(name, "queue", node.keys[name]):
                routes = self._values.mapping(child, path).get("routes") if isinstance(child.value, dict) else None
                found.append(Queue(name, **self._section(child, path), routes=self._routes(routes, path)))
        return tuple(found)

    def _routes(self, node: Node | None, path: str) -> tuple[Route, ...]:
        return tuple(
            Route(name, **self._section(child, f"{path}.routes.{name}"))
            for name, child in self._values.mapping(node, f"{path}.routes").items()
        )

    def _is_name(self, name: str, what: str, span: Span) -> bool:
        good = bool(name) and all(c.isascii() and (c.isalnum() or c in "_-@") for c in name) and name[0] != "-"
        if not good or name == "auto":
            hint = "names are made of letters, digits and `_-@`; `auto` lets the program choose"
            self._problems.error("F802", f"`{name}` is no name of a {what}", span, hint)
        return good and name != "auto"

    def _options(self, node: Node | None, section: str) -> Mapping[str, object]:
        """The section of a batch system, with every key it may have."""
        given = self._section(node, section)
        empty: dict[str, object] = {
            key: () if KEYS[f"{section}.{key}"].kind == "lines" else None for key in below(section)
        }
        for i, key in enumerate(given.get("required", ())):
            if key not in empty:
                assert node is not None
                where = node.children["required"].children[i].span
                self._values.unknown(key, section, where, below(section))
        return {**empty, **given}


def _origins(root: Node) -> Iterator[tuple[str, str]]:
    """For each key that is no section where its value came from."""
    for path in _leaves(root, ""):
        node: Node | None = root
        for step in path.split("."):
            node = node.children.get(step) if node is not None else None
        yield path, origin(node) if node is not None and node.value is not None else DEFAULT


def _leaves(node: Node | None, path: str) -> Iterator[str]:
    inside = f"{path}." if path else ""
    keys = below(path)
    if not keys and node is not None and isinstance(node.value, dict):
        keys = tuple(key for key in node.children if isinstance(key, str) and node.children[key].value is not None)
    for key in keys:
        known = general(inside + key)
        if known is None:  # a mistake, which is told
            continue
        if KEYS[known].kind in ("section", "names"):
            yield from _leaves(node.children.get(key) if node is not None else None, inside + key)
        else:
            yield inside + key


def _default(name: str) -> object:
    return next(field.default for field in fields(Profile) if field.name == name)
