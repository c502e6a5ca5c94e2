"""`on start`, `on success` and `on error`: shell text that the driver runs once."""

from __future__ import annotations

import subprocess
from tempfile import TemporaryFile

from flowrules.model.workflow import Workflow
from flowrules.ports import Observer

_LONGEST = 64 << 10
"""Bytes of what a hook says that are shown."""


def run_hooks(workflow: Workflow, event: str, observer: Observer) -> None:
    """Runs what the workflow says for an event, and tells what it said; a failure changes nothing else."""
    for hook in workflow.hooks:
        if hook.event != event:
            continue
        text = hook.text.render({"config": workflow.config})
        with TemporaryFile() as said:  # a pipe would have to be read until all that holds it has ended
            argv = ["bash", "-euo", "pipefail", "-c", text]
            done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT, check=False)
            said.seek(0)
            for line in said.read(_LONGEST).decode("utf-8", "backslashreplace").splitlines():
                observer.message(line)
        if done.returncode:
            observer.warn(f"`on {event}` ended with status {done.returncode}")
