"""What most likely made a job fail."""

from __future__ import annotations

import pytest

from flowrules.model.record import Record
from flowrules.show.cause import cause_of


@pytest.mark.parametrize(
    ("exit", "error", "line", "kind", "what"),
    [
        (-9, "", "", "memory", "it was killed from outside; with no other word that is mostly for want of memory"),
        (1, "", "MemoryError", "memory", "the memory was not enough"),
        (
            1,
            "",
            "terminate called after throwing an instance of 'std::bad_alloc'",
            "memory",
            "the memory was not enough",
        ),
        (1, "", "RuntimeError: CUDA out of memory. Tried to allocate 2 GiB", "gpu-memory", None),
        (-15, "it was stopped after its walltime of 600s", "step 7", "walltime", None),
        (
            1,
            "it was cut off 2 times, after more than half of a block's walltime: it needs longer blocks",
            "",
            "walltime",
            None,
        ),
        (0, "the output `a b.txt` was not made", "", "output", "it ended well but did not make `a b.txt`"),
        (127, "", "/usr/bin/bash: line 1: xtb: command not found", "command", "the command `xtb` was not found"),
        (127, "", "sh: 1: xtb: not found", "command", "the command `xtb` was not found"),
        (127, "", "", "command", "a command was not found"),
        (126, "", "x.sh: something", "command", "a command cannot be executed"),
        (1, "", "ModuleNotFoundError: No module named 'ase.io'", "package", "Python has no module `ase.io` there"),
        (127, "", "a.out: error while loading shared libraries: libmpi.so.12: cannot open", "library", None),
        (1, "", "cat: data/x.csv: No such file or directory", "file", "`data/x.csv` is not there"),
        (1, "", "FileNotFoundError: [Errno 2] No such file or directory: 'a b'", "file", "`a b` is not there"),
        (1, "", "OSError: [Errno 28] No space left on device", "disk", "a file system is full"),
        (1, "", "cp: error writing 'x': Disk quota exceeded", "disk", "a disk quota is used up"),
        (1, "", "PermissionError: [Errno 13] Permission denied: 'x'", "permission", "permission was denied"),
        (1, "", "OSError: [Errno 24] Too many open files: 'x'", "limits", "too many files were open"),
        (1, "", "RuntimeError: can't start new thread", "limits", None),
        (-11, "", "", "crash", "it crashed: an access to memory that is not its own"),
        (-4, "", "", "crash", "it crashed: an instruction that the processor of the node does not know"),
        (-40, "", "", "killed", "a signal ended it"),
        (1, "", "numpy.linalg.LinAlgError: Singular matrix", "exception", "its program ended by LinAlgError"),
        (1, "", "", "status", "it said nothing and ended with a status that is not 0"),
        (3, "", "aborting", "status", ""),
    ],
)
def test_cause(exit: int, error: str, line: str, kind: str, what: str | None) -> None:
    cause = cause_of(Record("relax", {}, [], status="failed", exit=exit, error=error), [line] if line else [])
    assert cause.kind == kind
    assert what is None or cause.what == what
    assert "{" not in cause.what + cause.advice


def test_the_line_that_says_most_may_not_be_the_last() -> None:
    lines = ["slurmstepd: error: Detected 1 oom_kill event", "srun: task 0: exited", "giving up"]
    assert cause_of(Record("r", {}, [], exit=1), lines).kind == "memory"


def test_advice_names_the_rule() -> None:
    cause = cause_of(Record("relax", {}, [], exit=-15, error="it was stopped after its walltime of 60s"), [])
    assert cause.advice == "raise `walltime` of rule `relax`"
