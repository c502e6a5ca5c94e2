"""Fake commands of batch systems on a private PATH: each replays what files say, for answers no healthy one gives."""

import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

from flowrules.execute.batch.patience import finish

FAKE = """#!/bin/sh
cmd=${0##*/} here=${0%/bin/*}
echo "$cmd $*" >> "$here/calls"
n=$(grep -c "^$cmd " "$here/calls")
for said in "$here/$cmd.$n" "$here/$cmd"; do
    [ -e "$said.status" ] || continue
    [ -e "$said.reads" ] && cat > "$here/$cmd.read"
    [ -e "$said.hangs" ] && exec sleep 1000
    cat "$said.out"
    cat "$said.err" >&2
    read -r status < "$said.status"
    exit "$status"
done
echo "$cmd: nothing was prepared" >&2
exit 99
"""


class Commands:
    """Prepares answers and knows what was asked."""

    def __init__(self, folder: Path, monkeypatch) -> None:
        self.folder = folder
        (folder / "bin").mkdir()
        for tool in ("cat", "grep", "sleep"):
            (folder / "bin" / tool).symlink_to(shutil.which(tool))
        monkeypatch.setenv("PATH", str(folder / "bin"))

    def says(
        self,
        command: str,
        out: str | bytes = "",
        err: str = "",
        status: int = 0,
        call: int | None = None,
        hangs: bool = False,
        reads: bool = False,
    ) -> None:
        """What a command says, at each call or at the given one (from 1)."""
        path = self.folder / "bin" / command
        if not path.exists():
            path.write_text(FAKE)
            path.chmod(0o755)
        stem = command if call is None else f"{command}.{call}"
        (self.folder / f"{stem}.out").write_bytes(out if isinstance(out, bytes) else out.encode())
        (self.folder / f"{stem}.err").write_text(err)
        (self.folder / f"{stem}.status").write_text(f"{status}\n")
        for name, wanted in (("hangs", hangs), ("reads", reads)):
            if wanted:
                (self.folder / f"{stem}.{name}").touch()

    @property
    def calls(self) -> list[str]:
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def running(self) -> list[int]:
        """Processes of commands that hang."""
        found = []
        for entry in Path("/proc").iterdir():
            with suppress(OSError):
                if entry.name.isdigit() and f"PATH={self.folder}/bin".encode() in (entry / "environ").read_bytes():
                    found += [int(entry.name)] if b"sleep" in (entry / "cmdline").read_bytes() else []
        return found

    def read(self, command: str) -> str:
        """What a command was given to read."""
        return (self.folder / f"{command}.read").read_text()


def has_command(name: str) -> bool:
    return any(os.access(os.path.join(folder, name), os.X_OK) for folder in os.environ["PATH"].split(os.pathsep))


class Prompt:
    """A batch system whose calls are run to their end."""

    def __init__(self, system, sleep=time.sleep) -> None:
        self.system = system
        self.sleep = sleep

    def __getattr__(self, name: str):
        found = getattr(self.system, name)
        return (lambda *args, **more: finish(found(*args, **more), self.sleep)) if callable(found) else found
