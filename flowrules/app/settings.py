"""What a call asks for, as frozen values grouped by concern."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flowrules.plan.policy import DEFAULT, NO_SETTINGS, CommandSettings, Policy
from flowrules.ports import UNSEEN

if TYPE_CHECKING:
    from flowrules.ports import Stages


@dataclass(frozen=True, slots=True)
class Source:
    """Which workflow, and how it is read.

    Attributes:
        flowfile: path of the Flowfile; None for `Flowfile`, then `workflow/Flowfile`.
        config: ``KEY=VALUE`` texts of the call.
        configfiles: further config files; they win over those of the Flowfile.
        stages: shows what takes long before anything runs.
        no_python: `import` is refused. untrusted: reading is confined to the workflow's folders, `env` is refused too.
    """

    flowfile: str | None = None
    config: tuple[str, ...] = ()
    configfiles: tuple[str, ...] = ()
    no_python: bool = False
    untrusted: bool = False
    stages: Stages = field(default=UNSEEN, compare=False)


@dataclass(frozen=True, slots=True)
class RunSettings:
    """How jobs are run on this machine.

    Attributes:
        cores: how many cores jobs may occupy together; None for all this process may use.
        limits: named resources of the call: numbers (bytes for `mem`, seconds for times).
        keep_going: go on with jobs that do not depend on a failed one.
        retries: for rules that do not say.
        latency_wait: seconds an output may take to appear.
        keep_incomplete: partial outputs of failed jobs are kept beside their place.
        touch: accept outputs as they are instead of running.
        print_commands: show each command.
        grace: seconds between asking a job to end and killing it.
    """

    cores: int | None = None
    limits: Mapping[str, float] = field(default_factory=dict)
    keep_going: bool = False
    retries: int = 0
    latency_wait: float = 5.0
    keep_incomplete: bool = False
    touch: bool = False
    print_commands: bool = False
    grace: float = 10.0


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """Where blocks are asked for.

    Attributes:
        profile: name or path; sets: ``KEY=VALUE`` texts; launcher: in place of the profile's.
        sandbox: the batch system and its nodes are emulated on this machine.
        submit: leave everything to blocks, and no driver.
        max_jobs: most jobs at once in all blocks; None for as many as fit.
        local_cores: most jobs at once beside the driver.
        alone: what is handed over is left to itself, by `submit` or as scripts that are only written.
    """

    profile: str
    sets: tuple[str, ...] = ()
    launcher: str | None = None
    sandbox: bool = False
    max_jobs: int | None = None
    local_cores: int | None = None
    submit: bool = False
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """A whole call: targets, policy and settings; ``batch`` where a profile is named."""

    targets: tuple[str, ...] = ()
    policy: Policy = DEFAULT
    commands: CommandSettings = NO_SETTINGS
    run: RunSettings = field(default_factory=RunSettings)
    batch: BatchSettings | None = None
