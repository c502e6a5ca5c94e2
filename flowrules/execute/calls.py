"""What a warm Python process is asked for a `call`, and what its answer means."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from flowrules.execute import machine, warmcall
from flowrules.execute.actions import Launch, Scratch, as_json, child_argv
from flowrules.execute.warm import LONGEST_REQUEST, Kind
from flowrules.model.order import Order, Outcome
from flowrules.model.rule import CallAction

_READ_AT_IMPORT = (*machine.GPU_VARIABLES, "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""Variables that libraries look at once; a worker is only given jobs with the values it was started with."""


def call_kind(order: Order, action: CallAction, python: str) -> Kind:
    """The process that a call needs: one for its module and its GPUs."""
    sticky = {name: order.env[name] for name in _READ_AT_IMPORT if name in order.env}
    key = ("call", action.path, action.module, order.directory, *sticky.items())
    return Kind(key, child_argv(python), sticky, order.directory)


def call_request(
    order: Order, action: CallAction, marks: Mapping[str, str], folder: str, scratch: Scratch
) -> tuple[bytes, tuple[str, ...]]:
    """A request (see `worker`), and the private files it needs.

    Args:
        marks: variables by which the job's processes are known.
        folder: what ``order.directory`` is relative to.

    Raises:
        CannotStart: a private file cannot be written.
    """
    request = as_json(
        {
            "path": action.path,
            "module": action.module,
            "function": action.function,
            "document": order.document,
            "directory": folder if order.directory in (".", "") else os.path.join(folder, order.directory),
            "log": order.log,
            "env": {**order.env, **marks},
        }
    )
    files: tuple[str, ...] = ()
    if len(request) >= LONGEST_REQUEST:
        files = (scratch.write(f"J{order.job}.{order.attempt}.call", request),)
        request = as_json({"file": files[0]})
    return b"%8d%b" % (len(request), request), files


def call_launch(order: Order, action: CallAction, python: str, scratch: Scratch) -> Launch:
    """What a block starts for a call: something that finds a warm process on its node, or an interpreter of its own.

    Raises:
        CannotStart: a private file cannot be written.
    """
    request = {"kind": "call", "path": action.path, "module": action.module, "function": action.function}
    data = as_json({**request, "document": order.document})
    path = scratch.write(f"J{order.job}.{order.attempt}.request", data)
    if order.fresh:
        return Launch((*child_argv(python), path), files=(path,))
    # neither site-packages nor variables change how it starts: it imports next to nothing, and thus starts in no time
    return Launch((python, "-I", "-S", warmcall.__file__, action.path or action.module or "", path), files=(path,))


class CallAnswer:
    """A worker's answer.

    Attributes:
        stale: the module changed, so the call was not made.
        retire: the worker is of no more use.
        children: the call left processes behind.
    """

    def __init__(self, line: bytes) -> None:
        self._parts = json.loads(line)
        self.stale: bool = "stale" in self._parts
        self.retire: bool = "retire" in self._parts
        self.children: bool = "children" in self._parts

    def outcome(self, order: Order) -> Outcome:
        """How the call ended."""
        parts = self._parts
        return Outcome(
            order.job,
            order.attempt,
            parts["exit"],
            parts.get("error", ""),
            parts["started"],
            parts["ended"],
            parts.get("cpu", 0.0),
            parts.get("memory", 0),
        )
