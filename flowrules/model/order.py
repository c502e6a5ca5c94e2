"""What an executor is handed to start one attempt, and what it hands back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from flowrules.model.rule import CallAction, RunAction, ScriptAction, ShellAction, TemplateAction

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
"""Variables by which numerical libraries learn how many threads they may start."""


@dataclass(slots=True)  # not frozen, though nobody changes them: that makes them four times as slow to make
class Order:
    """One attempt of a job, complete: an executor needs nothing else.

    Attributes:
        job, attempt: which one.
        rule: name of its rule.
        action: what to do; for `shell` the text is ``command``.
        command: rendered shell text; "" for other actions.
        shell: the interpreter with its options, such as ``("bash", "-euo", "pipefail")``.
        document: what scripts, run blocks, functions and templates see of the job: rule, input, output, params,
            wildcards, log, threads, resources, config, attempt; JSON values only. `input`, `output`, `params` and `log`
            are `{"items": [...], "names": {name: [start, stop]}}`.
        directory: the working directory.
        env: variables set for the job, on top of the environment of flowrules.
        log: file that receives output and error, relative to ``directory``; its folder exists.
        fresh: a `call` wants an interpreter of its own.
        cores: of its slot.
    """

    job: int
    attempt: int
    rule: str
    action: ShellAction | ScriptAction | RunAction | CallAction | TemplateAction
    command: str = ""
    shell: tuple[str, ...] = ("bash", "-euo", "pipefail")
    document: Mapping[str, object] = field(default_factory=dict)
    directory: str = "."
    env: Mapping[str, str] = field(default_factory=dict)
    log: str = ""
    fresh: bool = False
    cores: int = 1


@dataclass(slots=True)
class Outcome:
    """How an attempt ended.

    Attributes:
        exit: exit status; negative signal number where a signal ended it.
        error: what the executor knows beyond the exit status ("the command could not be started: …"), else "".
        started, ended: seconds since the epoch.
        cpu: CPU seconds of all its processes; memory: peak resident bytes (0 where unknown).
    """

    job: int
    attempt: int
    exit: int
    error: str = ""
    started: float = 0.0
    ended: float = 0.0
    cpu: float = 0.0
    memory: int = 0
