"""Where a workflow runs: on this machine, in blocks of the sandbox, or in blocks on hosts that ssh or mpiexec reaches."""

from __future__ import annotations

import os
import random
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
for folder in (HERE.parent, HERE.parents[1] / "benchmarks"):
    if str(folder) not in sys.path:
        sys.path.append(str(folder))

PROGRAM = HERE / "program.py"

_MACHINE = """
scheduler: pbs
launcher: ssh
node:
  cpus: 8
  mem: 16GB
  gpus:
    env: CUDA_VISIBLE_DEVICES
    slots:
      - {{id: "0", cpus: "0-3"}}
      - {{id: "1", cpus: "4-7"}}
blocks: {{nodes: {nodes}, walltime: 20min, min: 0, max: {most}, idle: 10s}}
"""

_PYTHON = """\
#!/bin/sh
# the interpreter of blocks: their runners are to be as hasty as the driver
if [ "$1 $2" = "-m flowrules" ]; then shift 2; exec {python} {program} {folder} "$@"; fi
exec {python} "$@"
"""

CALLS = {
    "submit": ("fail", "lose", "full", "hang", "twice"),
    "status": ("fail", "hang", "half", "held"),
    "find": ("fail", "hang"),
    "cancel": ("fail", "lose", "hang"),
}
"""Calls of the sandbox and what may become of them."""

COMMANDS = {
    "qsub": ("fail", "lose", "hang", "twice"),
    "qstat": ("fail", "hang", "half", "twice"),
    "qselect": ("fail", "hang"),
    "qdel": ("fail", "lose", "hang"),
}
"""The same of the commands of the cluster."""

_COMMAND = """\
#!/bin/bash
# {name}, as long as the list of its faults has nothing for this call
list={site}/faults/{name} fault=
if [[ -s $list ]]; then
  {{ read -r fault; rest=$(cat); }} <"$list"
  printf '%s' "${{rest:+$rest$'\\n'}}" >"$list"
fi
case $fault in '' | none) exec {site}/real/{name} "$@" ;; esac
echo "{name} $fault" >>{site}/faults/happened
case $fault in
  fail) echo "cannot connect to server" >&2; exit 1 ;;
  hang) exec sleep 20 ;;
  lose) {site}/real/{name} "$@" >/dev/null; echo "connection reset" >&2; exit 1 ;;
  half) out=$({site}/real/{name} "$@"); printf '%s' "${{out:0:${{#out}}/2}}" ;;
  twice) given=$(mktemp) && cat >"$given" && {site}/real/{name} "$@" <"$given" && {site}/real/{name} "$@" <"$given" ;;
esac
"""


class Place:
    """This machine, with a driver that starts jobs itself.

    Attributes:
        patience: seconds after which a driver that does not end hangs.
        batch: jobs run in blocks.
    """

    name = "local"
    patience = 90.0
    batch = False

    def lacks(self) -> str:
        """Why there can be no such place here; "" if there can."""
        return ""

    def prepare(self, folder: Path, rng: random.Random) -> list[str]:
        """Write what a run needs beside its working directory; returns options of each of its calls."""
        options = ["-j", str(rng.randint(2, 5))]
        return [*options, "-k"] if rng.random() < 0.3 else options

    def command(self, folder: Path, *args: str) -> list[str]:
        """The program with arguments."""
        if (folder / "faults/apart").exists():
            return [sys.executable, str(PROGRAM), str(folder / "faults"), *args]
        return [sys.executable, "-m", "flowrules", *args]

    def environ(self, folder: Path) -> dict[str, str]:
        """The environment of a user."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("FLOWRULES_")}
        return {**clean, "CHAOS_FOLDER": str(folder), "COLUMNS": "160"}

    def happened(self, folder: Path) -> list[str]:
        """Faults of the scheduler that happened in a run."""
        return []

    def close(self) -> None:
        """Leave nothing behind."""


class SandboxPlace(Place):
    """Blocks of the sandbox."""

    name = "sandbox"
    patience = 180.0
    batch = True

    def prepare(self, folder: Path, rng: random.Random) -> list[str]:
        """See `Place`."""
        machine = folder / "machine"
        machine.mkdir()
        (machine / "profile.yaml").write_text(_MACHINE.format(nodes=rng.randint(1, 2), most=rng.randint(1, 2)))
        self._write_python(folder)
        (folder / "faults").mkdir(exist_ok=True)
        for call, words in CALLS.items():
            (folder / "faults" / call).write_text("".join(f"{word}\n" for word in _fates(rng, words)))
        return ["--profile", "../machine", "--sandbox", *super().prepare(folder, rng)]

    def command(self, folder: Path, *args: str) -> list[str]:
        """See `Place`."""
        return [sys.executable, str(PROGRAM), str(folder / "faults"), *args]

    def happened(self, folder: Path) -> list[str]:
        """See `Place`."""
        file = folder / "faults" / "happened"
        return file.read_text().splitlines() if file.exists() else []

    def _write_python(self, folder: Path) -> None:
        faults = folder / "faults"
        faults.mkdir(exist_ok=True)
        words = {"python": sys.executable, "program": str(PROGRAM), "folder": str(faults)}
        python = faults / "python"
        python.write_text(_PYTHON.format(**{name: shlex.quote(word) for name, word in words.items()}))
        python.chmod(0o755)


class SshPlace(SandboxPlace):
    """Blocks on hosts in network namespaces, behind commands that look like those of PBS."""

    name = "ssh"
    patience = 300.0

    def __init__(self, count: int = 3) -> None:
        self._count = count
        self._site: Path | None = None

    def lacks(self) -> str:
        """See `Place`."""
        from real_hosts import missing

        return missing()

    def prepare(self, folder: Path, rng: random.Random) -> list[str]:
        """See `Place`."""
        import cluster

        site = self.site
        cluster.write_profile(folder / "machine", self._count, rng.randint(2, 3))
        self._write_python(folder)
        shutil.rmtree(site / "faults", ignore_errors=True)
        (site / "faults").mkdir()
        for call, words in COMMANDS.items():
            (site / "faults" / call).write_text("".join(f"{word}\n" for word in _fates(rng, words)))
        launcher = rng.choice(["ssh", "mpiexec"])
        launcher = "ssh" if cluster.lacking(launcher) else launcher
        return ["--profile", "../machine", "--launcher", launcher, *Place.prepare(self, folder, rng)]

    def environ(self, folder: Path) -> dict[str, str]:
        """See `Place`."""
        return {**super().environ(folder), "PATH": f"{self.site}/bin:{os.environ['PATH']}"}

    def happened(self, folder: Path) -> list[str]:
        """See `Place`."""
        file = self.site / "faults" / "happened"
        return file.read_text().splitlines() if file.exists() else []

    @property
    def site(self) -> Path:
        """The folder of the cluster, which is switched on when it is first needed."""
        if self._site is None:
            import cluster

            self._site = Path(tempfile.mkdtemp(prefix="chaos-site-"))
            self.cluster = cluster.Cluster(self._site, self._count)
            (self._site / "real").mkdir()
            for name in COMMANDS:
                (self._site / "bin" / name).rename(self._site / "real" / name)
                command = self._site / "bin" / name
                command.write_text(_COMMAND.format(name=name, site=self._site))
                command.chmod(0o755)
        return self._site

    def power_off(self, name: str) -> None:
        """All processes of a host are gone at once; it comes up again right away."""
        self.cluster.hosts.power_off(name)
        self.cluster.hosts.start(name)

    def delete(self, id: str) -> None:
        """What an operator does to a batch job."""
        subprocess.run([str(self.site / "real/qdel"), id], capture_output=True, timeout=60)

    def close(self) -> None:
        """See `Place`."""
        if self._site is not None:
            self.cluster.close()
            shutil.rmtree(self._site, ignore_errors=True)


def _fates(rng: random.Random, words: tuple[str, ...]) -> list[str]:
    """What becomes of the first calls: mostly nothing."""
    return [rng.choice(words) if rng.random() < 0.25 else "none" for _ in range(8)]


PLACES = {"local": Place, "sandbox": SandboxPlace, "ssh": SshPlace}
