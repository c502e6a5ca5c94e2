"""Reads what a job script asks for in its `#PBS` or `#SBATCH` lines, as far as the sandbox cares."""

from __future__ import annotations

import getopt
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace

from flowrules.errors import BatchError

_QSUB_OPTIONS = "a:A:c:C:e:fhIj:J:k:l:m:M:N:o:p:P:q:r:R:S:u:W:v:VXz"
_SBATCH_LETTERS = {
    "N": "nodes",
    "t": "time",
    "q": "qos",
    "p": "partition",
    "o": "output",
    "e": "error",
    "c": "cpus-per-task",
    "G": "gpus",
}


@dataclass(frozen=True, slots=True)
class Request:
    """What a job script asks for; None or "" where it does not say.

    Attributes:
        queues: names that may be its queue: PBS's queue, or Slurm's QOS and partition.
        walltime: seconds.
        cpus, gpus: hardware threads and GPUs of each node.
        output, error: files or folders as written.
        joined: errors go to the output.
        after: ids of batch jobs that have to have ended, well or not.
    """

    queues: tuple[str, ...] = ()
    nodes: int | None = None
    walltime: float | None = None
    cpus: int | None = None
    gpus: int | None = None
    output: str = ""
    error: str = ""
    joined: bool = False
    after: tuple[str, ...] = ()


def read_request(script: str) -> Request:
    """What the directives of a job script ask for; they end at its first command, as for PBS and Slurm.

    Raises:
        BatchError: they cannot be understood; final.
    """
    request = Request()
    for line in _comments(script):
        if line.startswith("#PBS "):
            request = _pbs(request, _words(line[5:]))
        elif line.startswith("#SBATCH "):
            request = _slurm(request, _words(line[8:]))
    return request


def pbs_seconds(text: str) -> float:
    """Seconds of a PBS walltime, `[[HH:]MM:]SS`.

    Raises:
        ValueError: it is none.
    """
    if not re.fullmatch(r"(\d+:){0,2}\d+(\.\d+)?", text):
        raise ValueError(text)
    seconds = 0.0
    for part in text.split(":"):
        seconds = seconds * 60 + float(part)
    return seconds


def slurm_seconds(text: str) -> float:
    """Seconds of a Slurm time limit: `M`, `M:S`, `H:M:S`, `D-H`, `D-H:M` or `D-H:M:S`.

    Raises:
        ValueError: it is none.
    """
    if not re.fullmatch(r"\d+(:\d+){0,2}|\d+-\d+(:\d+){0,2}", text):
        raise ValueError(text)
    days, dash, clock = text.rpartition("-")
    parts = [int(p) for p in clock.split(":")]
    if dash:
        hours, minutes, seconds = (*parts, 0, 0)[:3]
    elif len(parts) == 3:
        hours, minutes, seconds = parts
    else:
        hours, (minutes, seconds) = 0, (*parts, 0)[:2]
    return float(int(days or 0) * 86400 + hours * 3600 + minutes * 60 + seconds)


def _comments(script: str) -> Iterator[str]:
    for line in script.splitlines():
        if line.startswith("#"):
            yield line
        elif line.strip():
            return


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text, comments=True)
    except ValueError as error:
        raise _refusal(text.strip(), str(error)) from None


def _pbs(request: Request, words: list[str]) -> Request:
    try:
        options, _ = getopt.getopt(words, _QSUB_OPTIONS)
    except getopt.GetoptError as error:
        raise _refusal(shlex.join(words), str(error)) from None
    for option, value in options:
        match option:
            case "-q":
                request = replace(request, queues=(value.partition("@")[0],))
            case "-o":
                request = replace(request, output=value)
            case "-e":
                request = replace(request, error=value)
            case "-j":
                request = replace(request, joined=value in ("oe", "eo"))
            case "-l":
                request = _pbs_resources(request, value)
            case "-W" if value.startswith("depend="):
                request = replace(request, after=_after(value.removeprefix("depend=")))
    return request


def _pbs_resources(request: Request, text: str) -> Request:
    for part in text.split(","):
        name, _, value = part.partition("=")
        try:
            if name == "walltime":
                request = replace(request, walltime=pbs_seconds(value))
            elif name == "select":
                request = _select(request, value)
        except ValueError:
            raise _refusal(part, f"no {name} as PBS writes it") from None
    return request


def _select(request: Request, text: str) -> Request:
    nodes, most = 0, {"ncpus": request.cpus, "ngpus": request.gpus}
    for chunk in text.split("+"):
        first, *rest = chunk.split(":")
        nodes += int(first) if "=" not in first else 1
        for pair in [first, *rest]:
            name, _, value = pair.partition("=")
            if name in most:
                most[name] = max(most[name] or 0, int(value))
    return replace(request, nodes=nodes, cpus=most["ncpus"], gpus=most["ngpus"])


def _after(text: str) -> tuple[str, ...]:
    """The batch jobs of a dependency; the sandbox knows the one kind that blocks use."""
    kind, *ids = text.split(":")
    if kind != "afterany" or not ids or not all(ids):
        raise _refusal(text, "the sandbox knows `afterany:ID:…` only")
    return tuple(ids)


def _slurm(request: Request, words: list[str]) -> Request:
    for name, value in _slurm_options(words):
        try:
            match name:
                case "qos" | "partition":
                    request = replace(request, queues=(*request.queues, value))
                case "nodes":
                    request = replace(request, nodes=int(value.partition("-")[0]))
                case "time":
                    request = replace(request, walltime=slurm_seconds(value))
                case "gpus-per-node":
                    request = replace(request, gpus=int(value.rpartition(":")[2]))
                case "output":
                    request = replace(request, output=value)
                case "error":
                    request = replace(request, error=value)
                case "dependency":
                    request = replace(request, after=_after(value))
        except ValueError:
            raise _refusal(f"--{name}={value}", f"no {name} as Slurm writes it") from None
    # without an error file of its own Slurm writes errors to the output
    return replace(request, joined=not request.error)


def _slurm_options(words: list[str]) -> Iterator[tuple[str, str]]:
    """Options with their values; of those without one the value is ""."""
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            if not equals and rest and not rest[0].startswith("-"):
                value = rest.pop(0)
            yield name, value
        elif word.startswith("-") and len(word) > 1:
            value = word[2:].removeprefix("=")
            if not value and rest and not rest[0].startswith("-"):
                value = rest.pop(0)
            yield _SBATCH_LETTERS.get(word[1], word[1]), value


def _refusal(text: str, why: str) -> BatchError:
    return BatchError(f"the job script asks for `{text}`, which cannot be understood: {why}", final=True)
