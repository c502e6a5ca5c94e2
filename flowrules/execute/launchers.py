"""How agents are started on the nodes of a block: only texts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

Flavour: TypeAlias = Literal["hydra", "pals", "slurm"]
"""Whose `mpiexec` or `srun` it is: MPICH's and Intel's Hydra, HPE Cray's PALS, Slurm."""

SHELL = ("bash", "--norc", "--noprofile", "-s")
"""What a launcher starts on a node; all else comes through its stdin, so a node needs nothing of ours."""

LINE_LIMIT = 2000
"""Bytes of a message to an agent; what is longer goes by file."""

_SSH = (
    *("ssh", "-T", "-o", "BatchMode=yes", "-o", "ServerAliveInterval=15", "-o", "ConnectTimeout=30"),
    *("-o", "ControlPath=none"),  # a shared connection takes ten sessions, and all would end with it
)
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLAIN = re.compile(rb"[A-Za-z0-9_./:=@%+,-]+")


def quoted(word: str | bytes) -> str:
    """A word for bash, in printable ASCII without newlines, whatever bytes are in it.

    Raises:
        ValueError: it holds a NUL character, which no argument can.
    """
    data = word if isinstance(word, bytes) else word.encode("utf-8", "surrogateescape")
    if b"\0" in data:
        raise ValueError("an argument or variable holds a NUL character")
    if _PLAIN.fullmatch(data):
        return data.decode("ascii")
    if all(32 <= byte < 127 for byte in data):
        return "'" + data.decode("ascii").replace("'", "'\\''") + "'"
    return "$'" + "".join(_escaped(byte) for byte in data) + "'"


def agent_command(launcher: str, host: str, *, flavour: Flavour = "hydra", options: Sequence[str] = ()) -> list[str]:
    """The command that starts `SHELL` on a host, with its stdin and stdout.

    Args:
        launcher: as in `flowrules.model.profile.LauncherName`; `parallel` reaches its nodes through ssh.
        flavour: of `mpiexec`.
        options: further options of ssh or mpiexec.

    Raises:
        ValueError: such a host or launcher there cannot be.
    """
    check_host(host)
    if launcher == "local":
        return list(SHELL)
    if launcher in ("ssh", "parallel"):
        return [*_SSH, *options, "--", host, "exec " + " ".join(SHELL)]
    if launcher == "srun" or (launcher == "mpiexec" and flavour == "slurm"):
        one = ["--nodes=1", "--ntasks=1", f"--nodelist={host}", "--input=0"]
        return ["srun", *options, *one, "--overlap", "--mem=0", "--cpu-bind=none", *SHELL]
    if launcher == "mpiexec" and flavour == "pals":
        one = ["-n", "1", "--ppn", "1", "--hosts", host]
        # the TMPDIR of PALS is a path too long for a socket
        return ["mpiexec", *options, *one, "--cpu-bind", "none", "--env", "TMPDIR=/tmp", *SHELL]
    if launcher == "mpiexec":
        return ["mpiexec", *options, "-n", "1", "-hosts", host, *SHELL]
    raise ValueError(f"unknown launcher `{launcher}`")


def bootstrap(text: str, arguments: Sequence[str], marks: Mapping[str, str], *, files: int | None = None) -> bytes:
    """The first line for a shell that a launcher started: it becomes the agent.

    Args:
        text: the agent's; arguments: those of `fr_main` in `agent.sh`.
        marks: environment variables by which the agent and its jobs are found.
        files: soft limit of open files to go back to, where this process raised its own.
    """
    marked = " ".join(f"{name}={quoted(value)}" for name, value in marks.items())
    limit = "" if files is None else f"ulimit -S -n {files} 2>/dev/null; "
    shell = " ".join(("bash", "--norc", "--noprofile", "-c", quoted(text), "flowrules-agent"))
    return f"{limit}export {marked}; exec {shell} {' '.join(map(quoted, arguments))}\n".encode("ascii")


def message(text: str) -> bytes:
    """What is sent to an agent, after its length: bash reads so many bytes at once, and a line byte by byte.

    Raises:
        ValueError: it has more than 9,999 characters.
    """
    if len(text) > 9999:
        raise ValueError("a message to an agent is too long")
    return f"{len(text):04d}{text}".encode("ascii")


def task_words(
    argv: Sequence[str], env: Mapping[str, str], log: str, cpus: Sequence[int] = (), *, sweep: bool = False
) -> str:
    """What an agent is told of an attempt, as shell words on one line.

    Args:
        log: file for output and error; "" discards them.
        sweep: look for processes that left its group after a good end too (it had a GPU).

    Raises:
        ValueError: a NUL character, or a variable that no shell can set.
    """
    bad = next((name for name in env if not _NAME.fullmatch(name)), None)
    if bad is not None:
        raise ValueError(f"`{bad}` is no name of an environment variable")
    words = [log or "/dev/null", ranges(cpus), "sweep" if sweep else "", str(len(env))]
    words += [f"{name}={value}" for name, value in env.items()]
    return " ".join(map(quoted, [*words, *argv]))


def flavour_of(version: str) -> Flavour | None:
    """Whose `mpiexec` says this of itself when it is asked for its version; None for one that is not known."""
    said = version.lower()
    if "pals" in said:
        return "pals"
    if "hydra" in said or "intel(r) mpi" in said:
        return "hydra"
    return "slurm" if re.match(r"\s*slurm", said) else None


def ranges(cpus: Sequence[int]) -> str:
    """Numbers as `taskset` and the kernel write them: `0-3,8`."""
    runs: list[list[int]] = []
    for cpu in sorted(set(cpus)):
        if runs and runs[-1][1] == cpu - 1:
            runs[-1][1] = cpu
        else:
            runs.append([cpu, cpu])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def numbers(text: str) -> tuple[int, ...]:
    """The opposite of `ranges`. Raises ValueError."""
    found: list[int] = []
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return tuple(found)


def check_host(host: str) -> None:
    """Raises ValueError for what is no name of a host, such as an option of ssh."""
    if not _HOST.fullmatch(host):
        raise ValueError(f"`{host}` is no name of a host")


def check_name(name: str) -> None:
    """Raises ValueError for a name of a campaign, block or task that is not made of letters, digits and `_.-`."""
    if not _PLAIN_NAME.fullmatch(name) or len(name) > 100:
        raise ValueError(f"`{name}` is not made of letters, digits and `_.-`")


def _escaped(byte: int) -> str:
    if 32 <= byte < 127 and byte not in b"'\\":
        return chr(byte)
    return f"\\{byte:03o}"
