"""flowrules: rules with input and output files, run on a laptop or packed onto a supercomputer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowrules.version import __version__

if TYPE_CHECKING:
    from flowrules.api import Outcome, PlannedWorkflow, Workflow
    from flowrules.errors import Diagnostic, FlowfileError, FlowrulesError
    from flowrules.jobdoc import JobView

    job: JobView

__all__ = [
    "Diagnostic",
    "FlowfileError",
    "FlowrulesError",
    "Outcome",
    "PlannedWorkflow",
    "Workflow",
    "__version__",
    "job",
]

_HOMES = {
    "Diagnostic": "flowrules.errors",
    "FlowfileError": "flowrules.errors",
    "FlowrulesError": "flowrules.errors",
    "Outcome": "flowrules.api",
    "PlannedWorkflow": "flowrules.api",
    "Workflow": "flowrules.api",
}


def __getattr__(name: str) -> object:
    """Public names are imported when first used: a script that only wants `job` loads nothing else."""
    if name == "job":
        from flowrules.jobdoc import load_job

        return load_job()
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'flowrules' has no attribute {name!r}")
