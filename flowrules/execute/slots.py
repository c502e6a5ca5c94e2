"""Warm shells: short commands run in subshells of a bash that waits for them, which saves starting one for each.

A process of its own gives exact figures of memory and CPU, and a subshell differs from it in corners (`$$`, `$PPID`).
So a slot is used where it pays and cannot be told from a fresh shell: for the default shell, for rules whose attempts
so far were short, and for plain text.

A slot reads requests on descriptor 3: 8 digits, the number of characters that follow; 4 digits, the length of the
prologue; the prologue, the command. It writes the process group of the job on descriptor 4, and the exit status on 3.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from shlex import quote

from flowrules.execute.processes import ATTEMPT
from flowrules.execute.warm import LONGEST_REQUEST, Kind, Warm
from flowrules.model.order import Order

STRICT_BASH = ("bash", "-euo", "pipefail")

# one line, so that messages of bash count the lines of a command as those of a fresh shell do
_LOOP = (
    "set -m; "
    'while IFS= read -r -u 3 -N 8 __flowrules_n && IFS= read -r -u 3 -N "$__flowrules_n" __flowrules_t; do '
    '( eval "${__flowrules_t:4:${__flowrules_t:0:4}}"; eval "${__flowrules_t:4+${__flowrules_t:0:4}}" ); '
    "echo $? >&3; done"
)

_TELLING = re.compile(
    r"\$[$_-]|\$\{[!$_-]|PPID|BASH|SECONDS|RANDOM|__flowrules|"
    r"\bset\s+-\w*x|xtrace|\b(?:jobs|fg|bg|disown|coproc|times|caller|history|suspend|logout)\b"
)
"""Text by which a command might notice where it runs."""

_SHORT = 0.25
"""Mean seconds of a rule's attempts up to which starting a shell counts."""

_MEASURED = 50
"""Every so many attempts of a rule one runs in a process of its own, so that its memory is known."""


class Slots:
    """Decides which commands run in warm shells, and speaks to those.

    Args:
        environ: the environment of all jobs.
    """

    def __init__(self, environ: Mapping[bytes, bytes]) -> None:
        self._usable = b"BASH_ENV" not in environ and os.path.isdir("/proc/self")
        self._attempts: dict[str, int] = {}
        self._mean: dict[str, float] = {}
        self._asked: set[tuple[object, ...]] = set()

    def learn(self, order: Order, seconds: float) -> None:
        """An attempt of a shell command took so long."""
        rule = _rule_of(order)
        self._attempts[rule] = self._attempts.get(rule, 0) + 1
        mean = self._mean.get(rule)
        self._mean[rule] = seconds if mean is None else 0.7 * mean + 0.3 * seconds

    def suits(self, order: Order) -> bool:
        """Whether a command is better run in a slot."""
        if not self._usable or order.shell != STRICT_BASH:
            return False
        rule = _rule_of(order)
        mean = self._mean.get(rule)
        if mean is None or mean > _SHORT or self._attempts[rule] % _MEASURED == 0:
            return False
        command = order.command
        if len(command) > LONGEST_REQUEST // 2 or not command.isascii() or _TELLING.search(command):
            return False
        return "\0" not in command

    def kind(self, order: Order, bash: str) -> Kind:
        """The slot a command needs: one with its variables."""
        key = ("slot", bash, order.directory, *sorted(order.env.items()))
        argv = (bash, "--noprofile", "--norc", "-c", _LOOP, bash)
        return Kind(key, argv, order.env, order.directory, side=True)

    def worth_a_slot(self, kind: Kind) -> bool:
        """Whether a kind of slot was asked for before: one job's own variables are not worth starting one."""
        if kind.key in self._asked:
            return True
        self._asked.add(kind.key)
        return False

    def request(self, order: Order, attempt: str) -> bytes | None:
        """What to send; None where it cannot be said in plain text.

        Args:
            attempt: the mark of the job's processes.
        """
        prologue = (
            f"echo $BASHPID >&4; exec 3>&- 4>&- >>{quote(order.log or os.devnull)} 2>&1; "
            f"export {ATTEMPT}={quote(attempt)}; set +m -euo pipefail"
        )
        text = f"{len(prologue):4d}{prologue}{order.command}"
        if len(text) >= LONGEST_REQUEST or not prologue.isascii():
            return None
        return f"{len(text):08d}{text}".encode("ascii")

    def job_group(self, slot: Warm) -> int:
        """The process group of the job a slot was given last; 0 where it has not begun, or was asked for before."""
        try:
            lines = os.read(slot.side, 1 << 16).split()
        except OSError:
            return 0
        return int(lines[-1]) if lines else 0

    def cpu(self, slot: Warm) -> float:
        """CPU seconds of a slot's jobs since this was asked last; the kernel tells hundredths."""
        try:
            with open(f"/proc/{slot.pid}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
        except OSError:
            return 0.0
        now = (int(fields[13]) + int(fields[14])) / _TICKS
        before, slot.spent = slot.spent, now
        return round(now - before, 6)


_TICKS = os.sysconf("SC_CLK_TCK")


def _rule_of(order: Order) -> str:
    rule = order.document.get("rule")
    return rule if isinstance(rule, str) else order.label.partition(" ")[0]
