"""What is kept beside the outputs of a job: its log, in its own place and where the rule says, and its benchmark."""

from __future__ import annotations

import os
import shutil

from flowrules.model.record import Record
from flowrules.model.values import NO_FLAGS
from flowrules.record.disk import Disk
from flowrules.record.outputs import make_folder, remove_old

TAIL_BYTES = 16 << 10


def tail_of(path: str, lines: int) -> str:
    """The last lines of a text file, "" where there is none; what is no UTF-8 is escaped."""
    try:
        with open(path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL_BYTES))
            text = file.read().decode("utf-8", "backslashreplace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def remove_if_empty(path: str) -> bool:
    """Removes a file of no bytes; True where it did."""
    try:
        if os.stat(path).st_size:
            return False
        os.unlink(path)
    except OSError:
        return False
    return True


class OwnLogs:
    """The folders of the logs that attempts of a run write: each is looked at once, not once for each attempt."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._old: dict[str, set[str]] = {}

    def make_room(self, path: str) -> None:
        """Before an attempt writes its log: the folder is there, and what an earlier run left under the name is not.

        Raises:
            FlowrulesError: it cannot be done.
        """
        folder, _, name = path.rpartition("/")
        old = self._old.get(folder)
        if old is None:
            make_folder(self._disk, path)
            old = self._old[folder] = set(os.listdir(self._disk.locate(folder)))
        if name in old:
            remove_old(self._disk, path, NO_FLAGS)
            old.discard(name)


def leave_log(own: str, wanted: str) -> None:
    """Puts what a job said where the rule wants its log, unless the job wrote that file itself.

    Raises:
        OSError: it cannot be written.
    """
    if os.path.lexists(wanted):
        return
    try:
        shutil.copyfile(own, wanted)
    except FileNotFoundError as error:
        if error.filename != own:
            raise
        with open(wanted, "wb"):
            pass


def write_benchmark(path: str, record: Record) -> None:
    """What a job took, as a table of one row: the columns are named as Snakemake names them.

    Seconds of wall time (`s`, and as text `h:m:s`), peak resident memory in MiB (`max_rss`), CPU seconds (`cpu_time`),
    and the mean share of one core in percent (`mean_load`).

    Raises:
        OSError: it cannot be written.
    """
    seconds = record.elapsed
    minutes, rest = divmod(int(seconds), 60)
    load = 100 * record.cpu / seconds if seconds > 0 else 0.0
    row = (
        f"{seconds:.4f}",
        f"{minutes // 60}:{minutes % 60:02}:{rest:02}",
        f"{record.memory / (1 << 20):.2f}" if record.memory else "NA",
        f"{record.cpu:.2f}",
        f"{load:.2f}",
    )
    with open(path, "w", encoding="ascii") as file:
        file.write("s\th:m:s\tmax_rss\tcpu_time\tmean_load\n" + "\t".join(row) + "\n")
