"""The sandbox with real processes: queues, walltimes, and what happens when any of its processes is killed."""

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from batch_box import Prompt

from flowrules.errors import BatchError, BatchFull
from flowrules.execute.batch.sandbox import Sandbox
from flowrules.execute.processes import find
from flowrules.model.batch import BatchState
from flowrules.model.profile import BlockShape, GpuSlot, NodeShape, Profile, Queue

NODE = NodeShape(8, gpus=(GpuSlot("0"), GpuSlot("1")))
QUEUES = (
    Queue("small", nodes=(1, 2), walltime=(1.0, 3600.0)),
    Queue("single", jobs_per_user=1),
    Queue("calm", jobs_per_project=1),
    Queue("large", nodes=(3, None), walltime=(60.0, None)),
)
PROFILE = Profile("test", "/", scheduler="pbs", node=NODE, blocks=BlockShape(1, 60.0), queues=QUEUES)


def until(true, what: str, limit: float = 90.0):
    end = time.monotonic() + limit
    while not (answer := true()):
        assert time.monotonic() < end, f"{what} did not happen in {limit}s"
        time.sleep(0.01)
    return answer


class Bed:
    """A sandbox and what tests ask of it."""

    def __init__(self, tmp_path: Path, profile: Profile = PROFILE, nodes: int = 2, grace: float = 0.5) -> None:
        self.path = tmp_path / "box"
        self.home = tmp_path
        self.profile = profile
        self.box = Prompt(Sandbox(str(self.path), profile, nodes=nodes, grace=grace, directory=str(tmp_path)))
        self.ids: list[str] = []

    def submit(self, text: str, name: str = "b", options: str = "") -> str:
        head = f"#PBS {options}\n" if options else ""
        self.ids.append(self.box.submit(f"#!/bin/bash\n{head}cd {self.home}\n{text}\n", name))
        return self.ids[-1]

    def state(self, id: str) -> BatchState | None:
        found = self.box.status([id]).get(id)
        return found and found.state

    def ended(self, id: str):
        until(lambda: self.state(id) is BatchState.ENDED, f"end of {id}")
        return self.box.status([id])[id]

    def runs(self, id: str) -> None:
        until(lambda: self.state(id) is BatchState.RUNNING, f"start of {id}")

    def file(self, name: str) -> str:
        """Content of a file as soon as there is a whole line."""
        path = self.home / name
        return until(lambda: path.exists() and path.read_text().endswith("\n") and path.read_text(), f"file {name}")

    def pid(self, lock: str) -> int:
        return int((self.path / lock).read_text())

    def warden(self, id: str) -> int:
        return self.pid(f"jobs/{id.split('.')[0]}/lock")

    def mark(self, id: str) -> str:
        return self.box._folder.job(int(id.split(".")[0])).mark

    def server_lives(self) -> bool:
        if not self.path.exists():
            return False
        with self.box._folder.gate():
            return self.box._folder.server_lives()


@pytest.fixture
def bed(tmp_path):
    bed = Bed(tmp_path)
    yield bed
    for id in bed.ids:
        bed.box.cancel(id)
    for id in bed.ids:
        bed.ended(id)
    until(lambda: not bed.server_lives(), "end of the server")
    assert not [pid for id in bed.ids for pid in find(bed.mark(id))]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_batch_job_runs_and_its_end_is_known(bed):
    id = bed.submit("echo out; echo err >&2; exit 3", "block-1", f"-j oe -l select=2,walltime=1:00 -o {bed.home}/")
    end = bed.ended(id)
    assert (end.exit, end.detail) == (3, "its script ended with status 3")
    assert (bed.home / f"{id}.OU").read_text() == "out\nerr\n"


def test_what_a_batch_job_sees(bed):
    id = bed.submit("env > env.part; cat $PBS_NODEFILE > nodes; mv env.part env", "block-1", "-q small -l select=2")
    assert bed.ended(id).exit == 0
    env = dict(line.split("=", 1) for line in (bed.home / "env").read_text().splitlines() if "=" in line)
    assert env["FLOWRULES_BATCH_ID"] == env["PBS_JOBID"] == id
    assert (env["PBS_JOBNAME"], env["PBS_QUEUE"], env["PBS_ENVIRONMENT"]) == ("block-1", "small", "PBS_BATCH")
    assert env["PBS_O_WORKDIR"] == str(bed.home)
    assert env["FLOWRULES_NODES"].split(",") == (bed.home / "nodes").read_text().split() == ["node1", "node2"]


def test_variables_of_slurm(tmp_path):
    bed = Bed(tmp_path, Profile("test", "/", scheduler="slurm", node=NODE))
    script = (
        "#!/bin/bash\n#SBATCH -N 2 --time=1:00\n#SBATCH -o out-%x-%j\necho $SLURM_JOB_ID $SLURM_JOB_NODELIST $PWD\n"
    )
    id = bed.box.submit(script, "b7")
    assert bed.ended(id).exit == 0
    assert (tmp_path / "out-b7-1").read_text() == f"1 node1,node2 {tmp_path}\n"


def test_a_batch_job_waits_for_nodes_and_none_passes_it(bed):
    first = bed.submit("while [ ! -e go ]; do sleep 0.02; done")
    bed.runs(first)
    second = bed.submit("true", options="-l select=2")
    third = bed.submit("true")
    until(lambda: bed.box.status([second])[second].detail == "waits for 2 nodes, 1 are free", "a reason")
    assert bed.state(third) is BatchState.QUEUED
    (bed.home / "go").touch()
    assert bed.ended(second).exit == bed.ended(third).exit == 0


def test_a_batch_job_waits_for_others_to_end_and_lets_others_pass(bed):
    first = bed.submit("while [ ! -e go ]; do sleep 0.02; done; exit 3")
    second = bed.submit("true", options=f"-W depend=afterany:{first}")
    assert bed.ended(bed.submit("true")).exit == 0
    assert bed.box.status([second])[second].detail == f"waits for batch job {first.split('.')[0]} to end"
    (bed.home / "go").touch()
    assert bed.ended(second).exit == 0
    with pytest.raises(BatchError, match=r"it is to wait for `99\.sandbox`, which is no batch job"):
        bed.submit("true", options="-W depend=afterany:99.sandbox")


def test_a_queue_runs_so_many_at_once(bed):
    first = bed.submit("sleep 100", options="-q calm")
    bed.runs(first)
    second = bed.submit("true", options="-q calm")
    until(lambda: "runs at most 1 at once" in bed.box.status([second])[second].detail, "a reason")
    assert bed.ended(bed.submit("true")).exit == 0  # those of other queues pass
    assert bed.state(second) is BatchState.QUEUED
    bed.box.cancel(first)
    assert bed.ended(second).exit == 0


def test_walltime_ends_by_term_and_kill(bed):
    polite = bed.submit("trap 'echo bye > bye; exit 0' TERM; sleep 100 & wait", options="-l walltime=1")
    stubborn = bed.submit("trap '' TERM; echo on > on; while true; do sleep 1; done", options="-l walltime=1")
    for id in (polite, stubborn):
        end = bed.ended(id)
        assert (end.exit, end.detail) == (-29, "was ended at its walltime of 1s")
    assert bed.file("bye") == "bye\n"
    assert not find(bed.mark(stubborn))


def test_cancel(bed):
    first = bed.submit("trap 'echo bye > bye; exit 7' TERM; echo on > on; sleep 100 & wait", options="-l select=2")
    second = bed.submit("echo never > never")
    bed.file("on")
    bed.box.cancel(second)
    bed.box.cancel(first)
    assert bed.ended(first).exit == 271
    assert (bed.ended(second).exit, bed.ended(second).detail) == (None, "was cancelled before it started")
    assert not (bed.home / "never").exists()
    bed.box.cancel(first)  # once more, and one that never was, are no errors
    bed.box.cancel("99.sandbox")
    bed.box.cancel("nonsense")


def test_what_a_batch_job_leaves_behind_is_ended(bed):
    id = bed.submit("setsid sleep 1000 & disown; (setsid sleep 1000 &) ; sleep 1000 & echo $! > pid; exit 0")
    assert bed.ended(id).exit == 0
    assert not find(bed.mark(id))
    assert not alive(int(bed.file("pid")))


def test_a_script_ended_by_a_signal(bed):
    assert bed.ended(bed.submit("kill -9 $$")).exit == 256 + 9


def test_a_script_without_interpreter(bed):
    bed.ids.append(bed.box.submit("#!/no/such/shell\n", "b"))
    end = bed.ended(bed.ids[-1])
    assert end.exit == 254
    assert "could not be started" in end.detail


def test_other_processes_find_and_follow_it(bed):
    id = bed.submit("while [ ! -e go ]; do sleep 0.02; done", "block-9")
    other = Prompt(Sandbox(str(bed.path), PROFILE))
    assert other.find("block-9") == [id]
    assert other.find("block-8") == []
    bed.runs(id)
    assert other.status([id, "77.sandbox", "1.elsewhere", "x"]).keys() == {id}
    (bed.home / "go").touch()
    bed.ended(id)
    assert other.find("block-9") == [id]


SUBMITTER = """
import sys, time
from flowrules.execute.batch.sandbox import Sandbox
from flowrules.execute.batch.patience import finish
from flowrules.model.profile import Profile
box = Sandbox(sys.argv[1], Profile("test", "/", scheduler="pbs"), nodes=4)
ids = [finish(box.submit("#!/bin/sh\\n" + sys.argv[2], sys.argv[3])) for _ in range(int(sys.argv[4]))]
print(*ids, flush=True)
time.sleep(float(sys.argv[5]))
"""


def submitter(bed: Bed, text: str, name: str, count: int, linger: float) -> subprocess.Popen:
    args = [sys.executable, "-c", SUBMITTER, str(bed.path), text, name, str(count), str(linger)]
    return subprocess.Popen(args, stdout=subprocess.PIPE, text=True, start_new_session=True)


def test_batch_jobs_outlive_a_killed_submitter(bed):
    with submitter(
        bed, f"echo on > {bed.home}/on; while [ ! -e {bed.home}/go ]; do sleep 0.02; done", "b", 1, 100
    ) as driver:
        id = driver.stdout.readline().strip()
        bed.ids.append(id)
        bed.file("on")
        os.killpg(driver.pid, signal.SIGKILL)
    assert bed.state(id) is BatchState.RUNNING
    (bed.home / "go").touch()
    assert bed.ended(id).exit == 0


def test_many_submit_at_once(bed):
    drivers = [submitter(bed, "exit 5", f"d{n}", 3, 0) for n in range(4)]
    ids = []
    for driver in drivers:
        with driver:
            ids += driver.stdout.read().split()
    bed.ids += ids
    assert len(set(ids)) == 12
    assert all(len(bed.box.find(f"d{n}")) == 3 for n in range(4))
    assert [bed.ended(id).exit for id in ids] == [5] * 12


def test_a_killed_server_is_replaced_and_its_batch_jobs_are_adopted(bed):
    first = bed.submit("echo x >> starts; while [ ! -e go ]; do sleep 0.02; done; exit 4", options="-l select=2")
    second = bed.submit("exit 5")
    bed.file("starts")
    server = bed.pid("server.lock")
    os.kill(server, signal.SIGKILL)
    until(lambda: not alive(server), "death of the server")
    assert bed.state(first) is BatchState.RUNNING
    assert bed.state(second) is BatchState.QUEUED
    assert bed.pid("server.lock") != server
    (bed.home / "go").touch()
    assert (bed.ended(first).exit, bed.ended(second).exit) == (4, 5)
    assert (bed.home / "starts").read_text() == "x\n"


def test_a_batch_job_ends_with_its_status_while_there_is_no_server(bed):
    id = bed.submit("echo on > on; while [ ! -e go ]; do sleep 0.02; done; exit 4")
    bed.file("on")
    os.kill(bed.pid("server.lock"), signal.SIGKILL)
    (bed.home / "go").touch()
    until(lambda: bed.box._folder.end(1), "an end")
    assert bed.ended(id).exit == 4


def test_batch_jobs_of_killed_wardens_are_ended(bed):
    id = bed.submit("setsid sleep 1000 & echo on > on; sleep 1000")
    bed.file("on")
    os.kill(bed.pid("server.lock"), signal.SIGKILL)
    os.kill(bed.warden(id), signal.SIGKILL)
    assert find(bed.mark(id))
    end = bed.ended(id)
    assert (end.exit, end.detail) == (None, "the process that looked after it was killed")
    assert not find(bed.mark(id))


def test_the_server_ends_when_nothing_is_left_and_comes_back(bed):
    bed.ended(bed.submit("true"))
    until(lambda: not bed.server_lives(), "end of the server")
    assert bed.ended(bed.submit("exit 2")).exit == 2


def test_a_half_submitted_batch_job_is_not_there(bed):
    folder = bed.box._folder
    folder.make()
    number = folder.new_number()
    folder.put(number, "script", "exit 1\n")
    assert bed.box.status([f"{number}.sandbox"]) == {}
    assert bed.submit("true") == "2.sandbox"


@pytest.mark.parametrize(
    "options, message",
    [
        ("-q smal", "unknown queue `smal`"),
        ("-q small -l select=3", "queue `small` takes 1 to 2 nodes, the batch job asks for 3"),
        ("-q large -l select=1", "queue `large` takes at least 3 nodes, the batch job asks for 1"),
        ("-q small -l walltime=2:00:00", "queue `small` takes walltimes of 1s to 3600s, the batch job asks for 7200s"),
        (
            "-q large -l select=3 -l walltime=1",
            "queue `large` takes walltimes of at least 60s, the batch job asks for 1s",
        ),
        ("-q calm -l select=3", "the sandbox has 2 nodes, the batch job asks for 3"),
        ("-l select=1:ncpus=9", "a node has 8 hardware threads and 2 GPUs, the batch job asks for 9 and 0"),
        ("-l select=1:ngpus=4", "a node has 8 hardware threads and 2 GPUs, the batch job asks for 0 and 4"),
        ("-l walltime=soon", "asks for `walltime=soon`, which cannot be understood: no walltime as PBS writes it"),
        ("--nosuch", "cannot be understood"),
    ],
)
def test_refusals(bed, options, message):
    with pytest.raises(BatchError, match=re.escape(message)) as error:
        bed.submit("true", options=options)
    assert error.value.final
    assert not (bed.path / "server.lock").exists()


def test_a_user_has_so_many_batch_jobs(bed):
    first = bed.submit("sleep 100", options="-q single")
    with pytest.raises(BatchFull, match="takes at most 1 batch jobs"):
        bed.submit("true", options="-q single")
    bed.box.cancel(first)
    bed.ended(first)
    assert bed.ended(bed.submit("true", options="-q single")).exit == 0


def test_nodes_are_as_many_as_blocks_need(tmp_path):
    def nodes(**shape):
        return Sandbox(str(tmp_path), Profile("p", "/", blocks=BlockShape(**shape))).nodes

    assert (nodes(), nodes(nodes=2, max=4), nodes(nodes=4, max=100), nodes(nodes=20)) == (1, 8, 16, 20)


def test_the_folder_is_private(bed):
    bed.submit("true")
    assert os.stat(bed.path).st_mode & 0o777 == 0o700


def test_a_folder_that_cannot_be_used_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(BatchError, match="does not answer") as error:
        Prompt(Sandbox(str(tmp_path / "file" / "box"), PROFILE)).submit("true", "b")
    assert not error.value.final


def test_what_is_submitted_while_the_server_ends_keeps_the_gate_from_nobody(bed):
    first = bed.submit("until [ -e go ]; do sleep 0.02; done")
    bed.runs(first)
    folder = bed.box._folder
    with folder.gate():
        (bed.home / "go").touch()
        until(lambda: folder.end(1) is not None, "end of the first")
        time.sleep(0.2)  # the server found nothing left, and waits for the gate to end
        number = folder.new_number()
        argv = ("/bin/sleep", "1000")
        late = replace(folder.job(1), number=number, id=f"{number}.sandbox", mark="sandbox.late", argv=argv)
        folder.put(number, "job.json", late)
    bed.ids.append(f"{number}.sandbox")
    bed.runs(bed.ids[-1])
    with folder.gate(5.0):
        assert folder.server_lives()
