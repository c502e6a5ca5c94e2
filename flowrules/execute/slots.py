"""Warm shells: short commands run in subshells of a bash that waits for them, which saves starting one for each.

A process of its own gives exact figures of memory and CPU, and a subshell differs from it in corners (`$$`, `$PPID`).
So a slot is used where it pays and cannot be told from a fresh shell: for the default shell, for rules whose attempts
so far were short, and for plain text.

A slot reads requests on descriptor 3: a number and three lengths of 8, 4 and 4 characters (of the rest; of the log's
name and of the job's mark, with which the rest begins), then log, mark, and command. It writes the number and the
process group of the job on descriptor 4, and on 3 the exit status and the time; before that the word `log` where the
log could not be opened.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flowrules.execute.processes import ATTEMPT
from flowrules.execute.warm import LONGEST_REQUEST, Kind, Warm
from flowrules.model.order import Order

STRICT_BASH = ("bash", "-euo", "pipefail")

NO_LOG = b"log"
"""What a slot says of a job whose log could not be opened."""

# one line, so that messages of bash count the lines of a command as those of a fresh shell do
_LOOP = (
    f"set -m; export {ATTEMPT}; "
    "while IFS= read -r -u 3 -N 24 __flowrules_n && IFS= read -r -u 3 -N ${__flowrules_n:8:8} __flowrules_t; do "
    "( echo ${__flowrules_n:0:8} $BASHPID >&4; "
    'exec >>"${__flowrules_t:0:${__flowrules_n:16:4}}" 2>&1 3>&- 4>&- || { echo log >&3; exit 1; }; '
    f"{ATTEMPT}=${{__flowrules_t:${{__flowrules_n:16:4}}:${{__flowrules_n:20}}}}; set +m -euo pipefail; "
    'eval "${__flowrules_t:${__flowrules_n:16:4}+${__flowrules_n:20}}" ); '
    "echo $? $EPOCHREALTIME >&3; done"
)

_TELLING = re.compile(
    r"\$[$_-]|\$\{[!$_-]|PPID|BASH|SECONDS|RANDOM|__flowrules|"
    r"\bset\s+-\w*x|xtrace|\b(?:set|declare|typeset)\s*(?:[;|&)>\n]|$)|\b(?:declare|typeset|local|readonly)\s+-\w*p|"
    r"\b(?:jobs|fg|bg|disown|coproc|times|caller|history|suspend|logout|compgen)\b"
)
"""Text by which a command might notice where it runs."""

_SHORT = 0.25
"""Mean seconds of a rule's attempts up to which starting a shell counts."""

_KNOWN = 16
"""Attempts of a rule after which it is taken to go on as it was."""

_MEASURED = 50
"""Every so many attempts of a rule one runs in a process of its own, so that its memory is known."""

_MANY = 1_000
"""Attempts of a rule after which they are measured a tenth as often."""


@dataclass(slots=True)
class _Habit:
    """What is known of a rule: its attempts, the running mean of their seconds, and the kind of slot asked for last."""

    attempts: int = 0
    mean: float = 0.0
    env: Mapping[str, str] | None = None
    directory: str = ""
    kind: Kind | None = None


class Slots:
    """Decides which commands run in warm shells, and speaks to those.

    Args:
        environ: the environment of all jobs.
    """

    def __init__(self, environ: Mapping[bytes, bytes]) -> None:
        self._usable = b"BASH_ENV" not in environ and os.path.isdir("/proc/self")
        self._habits: dict[str, _Habit] = {}
        self._asked: set[tuple[object, ...]] = set()

    def learn(self, order: Order, seconds: float) -> None:
        """An attempt took so long."""
        habit = self._habits.get(order.rule)
        if habit is None:
            habit = self._habits[order.rule] = _Habit()
        habit.mean = seconds if not habit.attempts else 0.7 * habit.mean + 0.3 * seconds
        habit.attempts += 1

    def suits(self, order: Order) -> bool:
        """Whether a command is better run in a slot."""
        habit = self._habits.get(order.rule)
        if habit is None or habit.mean > _SHORT or order.shell != STRICT_BASH or not self._usable:
            return False
        every = _MEASURED if habit.attempts <= _MANY else 10 * _MEASURED
        command = order.command
        if not habit.attempts % every or len(command) > LONGEST_REQUEST // 2 or not command.isascii():
            return False
        return "\0" not in command and _TELLING.search(command) is None

    def kind(self, order: Order, find: Callable[[], str]) -> Kind | None:
        """The slot a command needs: one with its variables; None where nobody asked for such a one before.

        One job's own variables are not worth a slot. Orders of a rule mostly share one mapping of variables.

        Args:
            find: where bash is.
        """
        habit = self._habits.setdefault(order.rule, _Habit())
        if habit.env is order.env and habit.directory == order.directory and habit.kind is not None:
            return habit.kind
        bash = find()
        key = ("slot", bash, order.directory, *sorted(order.env.items()))
        if key not in self._asked:
            self._asked.add(key)
            return None
        argv = (bash, "--noprofile", "--norc", "-c", _LOOP, bash)
        kind = habit.kind = Kind(key, argv, order.env, order.directory, side=True)
        habit.env, habit.directory = order.env, order.directory
        return kind

    def request(self, order: Order, attempt: str, number: int) -> bytes | None:
        """What to send; None where it cannot be said in plain text.

        Args:
            attempt: the mark of the job's processes.
            number: below a hundred million.
        """
        log = order.log or os.devnull
        text = f"{log}{attempt}{order.command}"
        if len(text) >= LONGEST_REQUEST or len(log) > 9999 or "\0" in log or not text.isascii():
            return None
        return f"{number:8d}{len(text):8d}{len(log):4d}{len(attempt):4d}{text}".encode("ascii")

    def job_group(self, slot: Warm, number: int) -> int:
        """The process group of the job of a request; 0 where it has not begun."""
        try:
            said = os.read(slot.side, 1 << 16).split()
        except OSError:
            said = []
        for at in range(0, len(said), 2):
            slot.said[int(said[at])] = int(said[at + 1])
        return slot.said.get(number, 0)

    def cpu(self, slot: Warm) -> float:
        """CPU seconds of the job that a slot just told the end of.

        The kernel tells hundredths, of all its jobs so far; those whose ends are heard of at once share evenly.
        """
        if slot.heard:
            try:
                if slot.accounts < 0:
                    slot.accounts = os.open(f"/proc/{slot.pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
                fields = os.pread(slot.accounts, 1024, 0).rpartition(b")")[2].split(None, 15)
                now = (int(fields[13]) + int(fields[14])) / _TICKS
            except (OSError, IndexError):
                return 0.0
            slot.share = round((now - slot.spent) / slot.heard, 6)
            slot.spent, slot.heard = now, 0
        return slot.share

    def quick(self, rule: str) -> float:
        """Mean seconds of a rule whose attempts were all short so far; 0 where too little is known of it."""
        habit = self._habits.get(rule)
        return habit.mean if habit is not None and habit.attempts >= _KNOWN and habit.mean <= _SHORT else 0.0


_TICKS = os.sysconf("SC_CLK_TCK")
