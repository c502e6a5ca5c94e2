"""A small cluster on this machine: hosts with sshd in network namespaces, and in front of them the commands of PBS.

`qsub` starts the job script on the first host as soon as it is handed in, and gives it all hosts. Everything after that
is what happens on any cluster: flowrules' own processes, ssh or mpiexec, agents on hosts that share only the files.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from real_hosts import Hosts
from real_hosts import missing as missing  # for those who ask what hosts need

_QSUB = """\
#!/bin/bash
# qsub … -N NAME <script
site={site} n=1
while ! mkdir "$site/jobs/$n" 2>/dev/null; do n=$((n + 1)); done
job=$site/jobs/$n
cat >"$job/script"
printf '%s\\n' "${{@: -1}}" >"$job/name"
start="echo \\$\\$ >$job/pid; export PATH='$site/bin:$PATH' PBS_JOBID=$n.site PBS_NODEFILE=$site/nodes"
start+="; exec bash $job/script"
(
  setsid "$site/bin/ssh" {first} "$start" >"$job/output" 2>&1 </dev/null
  echo $? >"$job/status"
) >/dev/null 2>&1 </dev/null &
echo "$n.site"
"""

_QSTAT = """\
#!/bin/bash
# qstat … ID...
said=
for id in "$@"; do
  job={site}/jobs/${{id%.site}}
  [[ $id == *.site && -d $job ]] || continue
  echo "$id" >>{site}/asked
  said+="${{said:+,}}\\"$id\\":{{\\"job_state\\":\\"$([[ -e $job/status ]] && echo F || echo R)\\"}}"
done
echo "{{\\"Jobs\\":{{$said}}}}"
"""

_QSELECT = """\
#!/bin/bash
# qselect … -N NAME
for job in {site}/jobs/*/; do
  [[ -e $job/name && $(<"$job/name") == "${{@: -1}}" ]] && echo "$(basename "$job").site"
done
exit 0
"""

_QDEL = """\
#!/bin/bash
# qdel ID
exec {site}/bin/ssh {first} kill -TERM "$(<"{site}/jobs/${{1%.site}}/pid")"
"""

_PROFILE = """\
scheduler: pbs
launcher: ssh
node:
  cpus: {slots}
  gpus:
    env: CUDA_VISIBLE_DEVICES
    slots: [{gpus}]
blocks: {{nodes: {nodes}, walltime: 12h, init: 1, min: 0, max: 1}}
pbs: {{select: "ncpus={slots}"}}
"""


class Cluster:
    """Hosts, and commands that make a cluster of them for whoever has `environ`.

    Args:
        folder: an empty one.
        count: hosts.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self.folder = folder
        self.hosts = Hosts(folder, count)
        (folder / "bin").mkdir()
        (folder / "jobs").mkdir()
        (folder / "nodes").write_text("".join(f"{name}\n" for name in self.hosts.names))
        filled = {"site": folder, "first": self.hosts.names[0]}
        for name, text in (("qsub", _QSUB), ("qstat", _QSTAT), ("qselect", _QSELECT), ("qdel", _QDEL)):
            self._command(name, text.format(**filled))
        self._command("ssh", f'#!/bin/sh\nexec {shutil.which("ssh")} -F {self.hosts.config} "$@"\n')
        mpiexec = shutil.which("mpiexec")
        if mpiexec is not None:  # as a site's would be that knows its hosts
            options = f"-launcher ssh -launcher-exec {folder}/bin/ssh -localhost $(uname -n)"
            told = f'case $1 in --version) exec {mpiexec} "$@" ;; esac'
            self._command("mpiexec", f'#!/bin/sh\n{told}\nexec {mpiexec} {options} "$@"\n')

    @property
    def environ(self) -> dict[str, str]:
        """The environment of a user of this cluster."""
        return {**os.environ, "PATH": f"{self.folder}/bin:{os.environ['PATH']}"}

    @property
    def queries(self) -> int:
        """How often the batch system was asked for a batch job's state."""
        asked = self.folder / "asked"
        return len(asked.read_text().splitlines()) if asked.exists() else 0

    def close(self) -> None:
        """Switch the hosts off."""
        self.hosts.close()

    def _command(self, name: str, text: str) -> None:
        path = self.folder / "bin" / name
        path.write_text(text)
        path.chmod(0o755)


def write_profile(folder: Path, nodes: int, slots: int) -> Path:
    """A profile of nodes with so many GPUs, each with one hardware thread; returns its folder."""
    folder.mkdir()
    gpus = ", ".join(f'{{id: "{n}", cpus: "{n}"}}' for n in range(slots))
    (folder / "profile.yaml").write_text(_PROFILE.format(nodes=nodes, slots=slots, gpus=gpus))
    return folder


def lacking(launcher: str) -> str:
    """What a launcher needs that is not installed here; empty if nothing is."""
    if launcher == "mpiexec" and shutil.which("mpiexec") is None:
        return "mpich"
    if launcher == "parallel" and shutil.which("parallel") is None:
        return "parallel"
    return ""


def load() -> str:
    """The load of this machine, for those who read figures."""
    return "load " + " ".join(f"{value:.1f}" for value in os.getloadavg())


def wait_for_quiet(seconds: float, below: float) -> None:
    """Wait a while for the machine to have less to do, so that figures are not those of other programs."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and _busy() > below:
        pass


def _busy() -> float:
    """Cores in use, measured over a second."""
    before = _jiffies()
    time.sleep(1.0)
    total, idle = (now - then for now, then in zip(_jiffies(), before, strict=True))
    return (1 - idle / max(1, total)) * (os.cpu_count() or 1)


def _jiffies() -> tuple[int, int]:
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return sum(fields), fields[3] + fields[4]
