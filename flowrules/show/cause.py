"""What most likely made a job fail, told from how it ended and from the last lines that it wrote."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from flowrules.model.record import Record


class Cause(NamedTuple):
    """What happened and what to do about it, as sentences in the program's style; empty where nothing is known.

    ``kind``: one word a program can compare: `memory`, `gpu-memory`, `walltime`, `disk`, `output`, `command`, …
    """

    kind: str
    what: str
    advice: str = ""


class _Sign(NamedTuple):
    """A pattern in a line that a job wrote, and what it means; the groups of the match are put into both texts."""

    pattern: re.Pattern[str]
    kind: str
    what: str
    advice: str


def _sign(pattern: str, kind: str, what: str, advice: str) -> _Sign:
    return _Sign(re.compile(pattern, re.ASCII), kind, what, advice)


_MEMORY: Final = "raise `mem` of rule `{rule}`, so that fewer of its jobs share a node, or let it grow with `attempt`"

_SIGNS: Final = (
    _sign(
        r"CUDA out of memory|OutOfMemoryError: (?:CUDA|HIP|XPU)|CUDA_ERROR_OUT_OF_MEMORY|hipErrorOutOfMemory",
        "gpu-memory",
        "the memory of the GPU was not enough",
        "give each job of rule `{rule}` a larger share of a GPU, or less work at a time",
    ),
    _sign(
        r"\bMemoryError\b|std::bad_alloc|[Cc]annot allocate memory|[Oo]ut of memory|\boom[-_]kill|OutOfMemory",
        "memory",
        "the memory was not enough",
        _MEMORY,
    ),
    _sign(
        r"No space left on device|ENOSPC",
        "disk",
        "a file system is full",
        "make room where the job writes (`df -h`), its temporary folder included",
    ),
    _sign(r"[Dd]isk quota exceeded|EDQUOT", "disk", "a disk quota is used up", "make room, or ask for more"),
    _sign(
        r"(?:^|: )(?:line \d+: )?([^\s:]+): (?:command )?not found$",
        "command",
        "the command `{1}` was not found",
        "install it, or load it in `worker_init` of the profile, where jobs run in blocks",
    ),
    _sign(
        r"ModuleNotFoundError: No module named '([^']+)'",
        "package",
        "Python has no module `{1}` there",
        "install it for the Python that runs the job, or activate its environment in `worker_init` of the profile",
    ),
    _sign(
        r"error while loading shared libraries: ([^:\s]+)",
        "library",
        "the shared library `{1}` was not found",
        "load its module in `worker_init` of the profile, or set `LD_LIBRARY_PATH` there",
    ),
    _sign(
        r"Read-only file system",
        "permission",
        "a file system cannot be written there",
        "write below the working directory or into the temporary folder",
    ),
    _sign(
        r"Permission denied|PermissionError",
        "permission",
        "permission was denied",
        "look at the owner and mode of what the log names",
    ),
    _sign(
        r"Too many open files|EMFILE",
        "limits",
        "too many files were open",
        "raise `ulimit -n`, or open fewer at a time",
    ),
    _sign(
        r"[Rr]esource temporarily unavailable|fork: retry|can't start new thread",
        "limits",
        "no more processes or threads could be started",
        "lower the number of threads (`OMP_NUM_THREADS`), or raise `ulimit -u`",
    ),
    _sign(
        r"(?:^|[\s:'\"`])([^\s:'\"`]+)['\"`]?: No such file or directory$|No such file or directory: '([^']+)'",
        "file",
        "`{1}` is not there",
        "make it an input of rule `{rule}`, if another rule makes it",
    ),
    _sign(r"No such file or directory", "file", "a file is not there", "make it an input, if another rule makes it"),
)

_TOLD: Final = (
    (
        re.compile(r"it was stopped after its walltime of ([\d.]+)s"),
        "walltime",
        "it took longer than its walltime of {1}s",
        "raise `walltime` of rule `{rule}`",
    ),
    (
        re.compile(r"it was cut off (\d+) times"),
        "walltime",
        "its block ended before it did, {1} times",
        "give blocks more time: `--set blocks.walltime=…`",
    ),
    (
        re.compile(r"the output `(.+?)` was not made"),
        "output",
        "it ended well but did not make `{1}`",
        "compare the command with `output` of rule `{rule}`; a slow file system: raise `latency_wait`",
    ),
    (
        re.compile(r"the protected file `(.+?)` would be overwritten"),
        "protected",
        "its output `{1}` is protected",
        "delete it, or make it writable, if it is to be made anew",
    ),
)

_SIGNALS: Final = {
    signal.SIGSEGV: ("crash", "it crashed: an access to memory that is not its own", "run it by hand under a debugger"),
    signal.SIGBUS: (
        "crash",
        "it crashed on a memory access: often a file that was cut short, or a full `/dev/shm`",
        "look at `df -h /dev/shm` on the node",
    ),
    signal.SIGFPE: ("crash", "it crashed: an arithmetic error, such as a division by zero", ""),
    signal.SIGILL: (
        "crash",
        "it crashed: an instruction that the processor of the node does not know",
        "build the program for the nodes, not for the login node",
    ),
    signal.SIGABRT: ("crash", "it ended itself by `abort()`, mostly after a failed check", "its log says which"),
    signal.SIGXCPU: ("limits", "its limit of CPU time was reached", "raise `ulimit -t`"),
    signal.SIGXFSZ: ("limits", "a file reached its largest size allowed", "raise `ulimit -f`"),
    signal.SIGPIPE: ("pipe", "it wrote into a pipe that nobody read any more", "mostly a `… | head`: read all of it"),
    signal.SIGTERM: ("killed", "it was asked to end from outside", "the batch system, or somebody with `kill`"),
    signal.SIGINT: ("killed", "it was interrupted from outside", ""),
}

_EXCEPTION: Final = re.compile(r"^(?:[A-Za-z_]\w*\.)*([A-Z]\w*(?:Error|Exception|Exit|Interrupt|Warning))\b")


def cause_of(record: Record, lines: Sequence[str]) -> Cause:
    """What most likely happened.

    Args:
        record: an attempt that failed.
        lines: the last lines it wrote, oldest first.
    """
    fill = _filler(record.rule)
    for pattern, kind, what, advice in _TOLD:
        if found := pattern.search(record.error):
            return Cause(kind, fill(what, found), fill(advice, found))
    for line in reversed(lines):
        for sign in _SIGNS:
            if found := sign.pattern.search(line.rstrip()):
                return Cause(sign.kind, fill(sign.what, found), fill(sign.advice, found))
    return _by_status(record, lines, fill)


_Fill = Callable[[str, "re.Match[str] | None"], str]


def _filler(rule: str) -> _Fill:
    def fill(text: str, found: re.Match[str] | None) -> str:
        word = next((group for group in found.groups() if group), "") if found else ""
        return text.replace("{rule}", rule).replace("{1}", word)

    return fill


def _by_status(record: Record, lines: Sequence[str], fill: _Fill) -> Cause:
    if record.exit == -signal.SIGKILL:
        what = "it was killed from outside; with no other word that is mostly for want of memory"
        return Cause("memory", what, fill(_MEMORY, None))
    if record.exit < 0:
        try:
            return Cause(*_SIGNALS[signal.Signals(-record.exit)])
        except (ValueError, KeyError):
            return Cause("killed", "a signal ended it")
    if record.exit == 127:
        return Cause("command", "a command was not found", "its log names it")
    if record.exit == 126:
        return Cause("command", "a command cannot be executed", "look at its mode and its first line")
    for line in reversed(lines):
        if found := _EXCEPTION.match(line):
            return Cause("exception", f"its program ended by {found[1]}", "the lines above it say where")
    if record.error:
        return Cause("refused", record.error)
    if not lines:
        return Cause("status", "it said nothing and ended with a status that is not 0", "run its command by hand")
    return Cause("status", "")
