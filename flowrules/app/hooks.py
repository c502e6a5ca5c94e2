"""`on start`, `on success` and `on error`: shell text that the driver runs once."""

from __future__ import annotations

import subprocess

from flowrules.model.workflow import Workflow
from flowrules.ports import Observer


def run_hooks(workflow: Workflow, event: str, observer: Observer) -> None:
    """Runs what the workflow says for an event; a failure is told and changes nothing else."""
    for hook in workflow.hooks:
        if hook.event != event:
            continue
        text = hook.text.render({"config": workflow.config})
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", text], stdin=subprocess.DEVNULL, check=False)
        if done.returncode:
            observer.message(f"`on {event}` ended with status {done.returncode}")
