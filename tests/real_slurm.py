"""A real Slurm on this machine: one controller and two nodes, on free ports, in a folder of its own."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

CONF = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
SlurmdUser=root
MailProg=/bin/true
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/pgid
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_min_interval=10000,batch_sched_delay=0,bf_interval=5
ReturnToService=2
KillWait=2
GresTypes=gpu
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
NodeName=n1 NodeHostname=localhost NodeAddr=127.0.0.1 Port={ports[1]} CPUs=8 RealMemory=1000 Gres=gpu:4
NodeName=n2 NodeHostname=localhost NodeAddr=127.0.0.1 Port={ports[2]} CPUs=8 RealMemory=1000 Gres=gpu:4
PartitionName=debug Nodes=n1,n2 Default=YES DefaultTime=00:10:00 MaxTime=01:00:00 State=UP
"""
DAEMONS = ("munged", "slurmctld", "slurmd", "sbatch")


def missing() -> str:
    """Why no Slurm can be started here, "" where one can."""
    path = f"{os.environ['PATH']}:/usr/sbin"
    lacks = [name for name in DAEMONS if not shutil.which(name, path=path)]
    if lacks:
        return f"not installed: {', '.join(lacks)} (packages slurm-wlm, munge)"
    return "" if os.getuid() == 0 else "only root can start a Slurm"


def slurm(folder: Path) -> Iterator[Path]:
    """Starts one and gives its configuration file, ends it afterwards."""
    path = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    conf = folder / "slurm.conf"
    conf.write_text(CONF.format(folder=folder, host=socket.gethostname().partition(".")[0], ports=free_ports(3)))
    (folder / "gres.conf").write_text("NodeName=n[1-2] Name=gpu File=/dev/tty[1-4]\n")
    (folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
    for name in ("state", "spool.n1", "spool.n2", "munge"):
        (folder / name).mkdir(mode=0o711)
    key = folder / "munge/key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)
    munge = [f"--{n}={folder / 'munge' / n}" for n in ("socket", "key-file", "pid-file", "log-file", "seed-file")]
    munge[1] = f"--key-file={key}"
    env = {**path, "SLURM_CONF": str(conf)}
    started: list[subprocess.Popen] = []

    def start(*argv: str) -> None:
        with open(folder / f"{argv[0]}{len(started)}.out", "wb") as log:
            started.append(subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log))

    try:
        start("munged", "--foreground", "--force", *munge)
        wait(lambda: (folder / "munge/socket").exists(), folder)
        start("slurmctld", "-D", "-f", str(conf))
        start("slurmd", "-D", "-N", "n1", "-f", str(conf))
        start("slurmd", "-D", "-N", "n2", "-f", str(conf))
        wait(lambda: idle(env) == ["idle", "idle"], folder)
        yield conf
        subprocess.run(["scancel", "--user=root"], env=env, capture_output=True, timeout=120)
        wait(lambda: not run(env, "squeue", "--noheader"), folder)
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def run(env: dict[str, str], *argv: str) -> str:
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=120).stdout.strip()


def idle(env: dict[str, str]) -> list[str]:
    return run(env, "sinfo", "--noheader", "--Node", "--format=%T").split()


def wait(true, folder: Path, limit: float = 120.0) -> None:
    end = time.monotonic() + limit
    while not true():
        said = "".join(f"{p.name}: {p.read_text(errors='replace')[-800:]}\n" for p in folder.glob("*.out"))
        assert time.monotonic() < end, f"the Slurm in {folder} does not come up:\n{said}"
        time.sleep(0.1)


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]
    finally:
        for s in sockets:
            s.close()
