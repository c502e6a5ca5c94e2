"""What is wrong with a profile whose values are each right: values that contradict each other."""

from __future__ import annotations

from flowrules.errors import Related, suggestion
from flowrules.expr.yaml12 import Node
from flowrules.load.problems import Problems
from flowrules.model.profile import Profile
from flowrules.schedule.queues import AUTO, fitting, no_queue, way_out
from flowrules.span import Span


def check(profile: Profile, root: Node, problems: Problems) -> None:
    """Keep every contradiction of a profile, with its place.

    Args:
        root: the nodes from which the profile was read.
    """
    checker = _Checker(profile, root, problems)
    checker.blocks()
    checker.node()
    checker.queues()


class _Checker:
    def __init__(self, profile: Profile, root: Node, problems: Problems) -> None:
        self._profile = profile
        self._root = root
        self._problems = problems

    def _span(self, *path: str | int) -> Span:
        """Where a value is set; where it is not, the section that lacks it."""
        node = self._root
        for step in path:
            if step not in node.children or node.children[step].value is None:
                break
            node = node.children[step]
        return node.span

    def _related(self, message: str, *path: str | int) -> tuple[Related, ...]:
        """A second place, where that is written anywhere."""
        node: Node | None = self._root
        for step in path:
            node = node.children.get(step) if node is not None else None
        return (Related(message, node.span),) if node is not None else ()

    def _set(self, *path: str) -> bool:
        node: Node | None = self._root
        for step in path:
            node = node.children.get(step) if node is not None else None
        return node is not None and node.value is not None

    def blocks(self) -> None:
        """Least, first and most numbers of blocks, the walltime, and a launcher that knows one node only."""
        blocks = self._profile.blocks
        for small, large in (("min", "max"), ("init", "max")):
            few, many = getattr(blocks, small), getattr(blocks, large)
            if few > many:
                place = small if self._set("blocks", small) else large
                message = f"`blocks.{small}` is {few}, more than `blocks.{large}`, which is {many}"
                other = self._related("this is the other", "blocks", large) if place == small else ()
                self._problems.error("F806", message, self._span("blocks", place), None, *other)
        if blocks.walltime <= 0:
            self._problems.error("F806", "`blocks.walltime` is no time to run in", self._span("blocks", "walltime"))
        if self._profile.scheduler != "none" and self._profile.launcher == "local" and blocks.nodes > 1:
            message = f"the launcher `local` starts jobs on one node, and blocks have {blocks.nodes}"
            hint = "choose another by `launcher`, or write `blocks: {nodes: 1}`"
            other = self._related("nodes of a block", "blocks", "nodes")
            self._problems.error("F806", message, self._span("launcher"), hint, *other)

    def node(self) -> None:
        """Hardware threads that are not there or are given away twice; GPUs with one name."""
        node = self._profile.node
        if self._profile.scheduler == "none" and not self._set("node", "cpus"):
            return
        reserved = set(node.reserved)
        self._threads_exist(node.reserved, "node.reserved", "node", "reserved")
        if sum(cpu < node.cpus for cpu in reserved) == node.cpus:
            message = f"`node.reserved` leaves jobs none of the {node.cpus} hardware threads"
            self._problems.error("F806", message, self._span("node", "reserved"))
        owner: dict[int, int] = {}
        names: dict[str, int] = {}
        for i, gpu in enumerate(node.gpus):
            here = ("node", "gpus", "slots", i)
            if gpu.id in names:
                first = self._related("first named here", *here[:3], names[gpu.id])
                self._problems.error("F811", f"two GPUs are named `{gpu.id}`", self._span(*here, "id"), None, *first)
            names.setdefault(gpu.id, i)
            self._threads_exist(gpu.cpus, f"GPU `{gpu.id}`", *here, "cpus")
            shared = [cpu for cpu in gpu.cpus if cpu in owner]
            if shared:
                other = node.gpus[owner[shared[0]]]
                message = f"the hardware thread {shared[0]} is beside GPU `{gpu.id}` and GPU `{other.id}`"
                first = self._related("first given away here", *here[:3], owner[shared[0]], "cpus")
                self._problems.error("F810", message, self._span(*here, "cpus"), None, *first)
            kept = sorted(reserved & set(gpu.cpus))
            if kept:
                message = f"the hardware thread {kept[0]} is beside GPU `{gpu.id}`, and reserved"
                first = self._related("reserved here", "node", "reserved")
                self._problems.error("F810", message, self._span(*here, "cpus"), None, *first)
            for cpu in gpu.cpus:
                owner.setdefault(cpu, i)
        if node.gpus and not node.gpu_variable:
            message = "`node.gpus` does not say by which variable a process is told its GPUs"
            hint = "write `env: CUDA_VISIBLE_DEVICES`, or what this machine has"
            self._problems.error("F805", message, self._span("node", "gpus", "slots"), hint)

    def _threads_exist(self, threads: tuple[int, ...], what: str, *path: str | int) -> None:
        """A node has the threads from 0 on."""
        cpus = self._profile.node.cpus
        beyond = [cpu for cpu in threads if cpu >= cpus]
        if beyond:
            message = f"{what}: there is no hardware thread {beyond[0]}, a node has 0 to {cpus - 1}"
            other = self._related("as this says", "node", "cpus")
            self._problems.error("F809", message, self._span(*path), None, *other)

    def queues(self) -> None:
        """Routes beyond their queue, a queue that is not there, and blocks that fit none."""
        profile = self._profile
        before = len(self._problems)
        for queue in profile.queues:
            for route in queue.routes:
                most = queue.nodes[1]
                if route.nodes[0] < queue.nodes[0] or (most is not None and (route.nodes[1] or most + 1) > most):
                    message = f"`{route.name}` has numbers of nodes that `{queue.name}` refuses"
                    where = self._span("queues", queue.name, "routes", route.name, "nodes")
                    other = self._related("the queue's own", "queues", queue.name, "nodes")
                    self._problems.error("F806", message, where, None, *other)
        if not profile.queues or len(self._problems) > before:
            return
        names = [queue.name for queue in profile.queues]
        if profile.queue != AUTO and profile.queue not in names:
            hint = suggestion(profile.queue, [*names, AUTO])
            listed = ", ".join(f"`{name}`" for name in names)
            message = f"there is no queue `{profile.queue}` among `queues`"
            self._problems.error("F808", message, self._span("queue"), hint or f"there are {listed}, or write `auto`")
            return
        queues = [queue for queue in profile.queues if profile.queue in (AUTO, queue.name)]
        nodes, walltime = profile.blocks.nodes, profile.blocks.walltime
        if not fitting(queues, nodes, walltime):
            place = "nodes" if self._set("blocks", "nodes") else "walltime"
            message = no_queue(queues, nodes, walltime)
            self._problems.error("F807", message, self._span("blocks", place), way_out(queues, nodes, walltime))
