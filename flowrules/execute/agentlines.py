"""Reads what agents write: on their stdout, and into the log of their node."""

from __future__ import annotations

from collections.abc import Sequence

from flowrules.execute.launchers import numbers
from flowrules.model.agent import NodeNote, NodeReady, TaskEnded

_ERRORS = {
    "-": "",
    "killed": "",
    "left": "processes it had left in the background were killed",
    "log": "its log could not be opened",
    "words": "the file with its command did not appear on the node",
    "lane": "its node takes no more files in its folder for such (/dev/shm, $TMPDIR or /tmp)",
    "gone": "the process that watched it was killed",
    # of plain scripts, which look at outputs themselves
    "limit": "",
    "refused": "it could not be started, see its log",
    "beside": "its log or benchmark file could not be written",
    "missing": "the output `{}` was not made",
    "file": "the output `{}` is a file, but it is declared as `directory()`",
    "folder": 'the output `{}` is a folder: declare it `directory("…")`',
    "odd": "the output `{}` is neither a file nor a folder",
    "empty": "the output `{}` is empty, but `ensure(…, non_empty=true)` asks for content",
    "sum": "the output `{}` has not the SHA-256 that `ensure(…, sha256=…)` asks for",
}


def ended(node: str, words: list[str], outputs: Sequence[str] = ()) -> TaskEnded | None:
    """The end of an attempt from the words after `end`; None where they are not whole.

    Args:
        outputs: its outputs, where the words may name one by its number.
    """
    try:
        task, status, started, ended_at, cpu, memory, flag = words
        flag, _, output = flag.partition(".")
        if flag not in _ERRORS:
            return None
        error = _ERRORS[flag].format(outputs[int(output)]) if output else _ERRORS[flag]
        code = int(status)
        return TaskEnded(
            task,
            node,
            128 - code if 128 < code <= 128 + 64 else code,
            error,
            int(started) / 1e6,
            int(ended_at) / 1e6,
            int(cpu) / 1e6,
            int(memory) * 1024,
            flag == "killed",
        )
    except (ValueError, IndexError):
        return None


def ready(node: str, words: list[str]) -> NodeReady | None:
    """The node from the words after `ready`; None where they are not whole."""
    try:
        host, boot, cpus, memory = words
        return NodeReady(node, host, boot, numbers(cpus), int(memory) * 1024)
    except ValueError:
        return None


def why_gone(launcher: str, status: int, said: str, *, was_ready: bool) -> str:
    """Why a node is lost whose launcher ended, in words.

    Args:
        status: the launcher's; said: its last line, "" for none.
        was_ready: its agent had begun.
    """
    why = "its agent is gone" if was_ready else "its agent could not be started"
    why += f", `{launcher}` ended with status {status}"
    why += f": {said}" if said else ""
    if not was_ready and launcher in ("ssh", "parallel") and "Permission denied" in said:
        why += " (nodes let each other in by a key in `~/.ssh/authorized_keys`, with `$HOME` and `~/.ssh` of mode 700)"
    return why


def note(node: str, words: list[str]) -> NodeNote:
    """A remark from the words after `note`."""
    if words[:1] == ["unbound"]:
        return NodeNote(node, f"jobs are not bound to cores: `taskset` cannot bind to {' '.join(words[1:])} there")
    return NodeNote(node, " ".join(words))


def node_log(data: bytes, node: str, nonce: str) -> list[TaskEnded]:
    """The attempts that ended on a node, from the content of its log.

    A last line that is not whole is not there; lines of others (without the nonce) are passed over.
    """
    found = []
    for line in data.split(b"\n")[:-1]:
        words = line.decode("ascii", "replace").split(" ")
        if words[:2] == [nonce, "end"] and (end := ended(node, words[2:])) is not None:
            found.append(end)
    return found
