"""Calls in blocks: warm interpreters on a node, by a real agent."""

import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from execute_rig import Rig

from flowrules.execute import child
from flowrules.execute.actions import Scratch
from flowrules.execute.agents import Agents
from flowrules.execute.calls import call_launch
from flowrules.model.agent import TaskEnded
from flowrules.model.order import Order
from flowrules.model.rule import CallAction
from flowrules.span import Source, Span

HEAD = """
import os, signal, subprocess, sys, time
with open("imports", "a") as file:
    file.write(f"{os.getpid()} {os.environ.get('CUDA_VISIBLE_DEVICES')}\\n")
calls = 0

def hang(job):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    subprocess.Popen(["sleep", "1000"])
    subprocess.Popen(["sleep", "1000"], start_new_session=True)
    if os.fork() == 0:
        time.sleep(1000)
    open("up", "w").write(f"{os.getpid()}")
    time.sleep(1000)
"""


class Calls:
    """Calls of functions of one module, as tasks of an agent on this machine."""

    def __init__(self, rig: Rig, text: str = "", **settings) -> None:
        self.rig = rig
        self.write(text)
        self.agents: Agents = rig.open(**settings)
        self.count = 0
        self.clients: dict[str, str] = {}

    def write(self, text: str) -> None:
        (self.rig.folder / "lib.py").write_text(HEAD + text)

    def start(self, function: str, n: object = 0, fresh: bool = False, **more) -> str:
        """Begin a call; the name of its task, and of its log."""
        self.count += 1
        action = CallAction(path="lib.py", module=None, function=function, span=Span(Source("Flowfile", ""), 0, 0))
        empty = {name: {"items": [], "names": {}} for name in ("input", "output", "log")}
        document = {"rule": "r", **empty, "params": {"items": [n], "names": {"n": [0, 1]}}, "wildcards": {}}
        document |= {"threads": 1, "resources": {}, "config": {}, "attempt": 1}
        order = Order(self.count, 1, "r", action, document=document, fresh=fresh)
        launch = call_launch(order, action, sys.executable, Scratch(str(self.rig.folder)))
        return self.run(launch.argv, **more)

    def run(self, argv, gpus: str | None = None, cpus: Sequence[int] = (), **env: str) -> str:
        """Begin any task."""
        task = f"1J{self.count}.{len(self.clients)}"
        self.clients[task] = argv[-1]
        if gpus is not None:
            env |= {"CUDA_VISIBLE_DEVICES": gpus, "FLOWRULES_GPUS": gpus}
        self.agents.run(self.rig.nodes[0], task, argv, env, f"{task}.log", cpus)
        return task

    def call(self, function: str, n: object = 0, **more) -> TaskEnded:
        """A call from its start to its end."""
        task = self.start(function, n, **more)
        return self.rig.ends(self.agents)[task]

    def said(self, end: TaskEnded) -> str:
        path = self.rig.folder / f"{end.task}.log"
        return path.read_text()

    @property
    def imports(self) -> list[list[str]]:
        """Process and GPU of each import of the module."""
        return [line.split() for line in (self.rig.folder / "imports").read_text().splitlines()]

    def pool(self) -> list[str]:
        """What there is where clients and workers meet."""
        (agent,) = {self._environ(pid).get("FLOWRULES_WARM") for pid in self.rig.called("--warm")}
        return sorted(os.listdir(str(agent)))

    def client(self, task: str) -> int:
        """The process that waits for a call."""
        (pid,) = [pid for pid in self.rig.called("warmcall.py") if self.rig.called(self.clients[task]).count(pid)]
        return pid

    def _environ(self, pid: int) -> dict[str, str]:
        fields = Path(f"/proc/{pid}/environ").read_text().split("\0")
        return dict(field.split("=", 1) for field in fields if "=" in field)

    def gone(self, pid: int) -> Callable[[], bool]:
        return lambda: not Path(f"/proc/{pid}").exists()


def test_one_import_for_calls_one_after_another(rig: Rig) -> None:
    calls = Calls(rig, "def work(job):\n    global calls\n    calls += 1\n    print(calls, job.params.n)\n")
    ends = [calls.call("work", n) for n in "abc"]
    assert [calls.said(end) for end in ends] == ["1 a\n", "2 b\n", "3 c\n"]
    assert len(calls.imports) == 1
    assert [(end.exit, end.error) for end in ends] == [(0, "")] * 3
    assert calls.agents.close(1.0)
    rig.come(lambda: not rig.alive())


def test_where_interpreters_are_met_may_have_a_longer_name_than_a_socket(local: Rig) -> None:
    """As the TMPDIR of PALS has: a socket is known by 107 bytes at most."""
    place = local.folder / ("t" * 120)
    place.mkdir(mode=0o700)
    calls = Calls(local, "def work(job):\n    print(os.getpid())\n")
    ends = [calls.call("work", FLOWRULES_WARM=str(place), TMPDIR=str(place)) for _ in range(2)]
    assert len({calls.said(end) for end in ends}) == 1 and len(calls.imports) == 1
    assert [name for name in os.listdir(place) if "@" in name], "it is met there"


def test_what_a_call_used_is_told(local: Rig) -> None:
    work = "def work(job):\n    x = bytearray(50_000_000)\n    end = time.process_time() + 0.2\n"
    calls = Calls(local, work + "    while time.process_time() < end: pass\ndef rest(job):\n    pass\n")
    first, second, third = calls.call("rest"), calls.call("work"), calls.call("rest")
    assert second.cpu > 0.2 > third.cpu
    assert second.memory > first.memory + 40e6 and second.memory > third.memory + 40e6


def test_a_call_has_what_its_task_was_given_and_the_next_one_has_not(local: Rig) -> None:
    show = """
def work(job):
    names = ("A", "B", "FLOWRULES_ATTEMPT", "CHANGED")
    print([os.environ.get(name) for name in names], os.getcwd(), sorted(os.sched_getaffinity(0)))
    print(subprocess.run("echo $A", shell=True, capture_output=True).stdout, file=sys.stderr)
    os.environ["CHANGED"] = "1"
    os.chdir("/")
    os.umask(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.stdout = None
"""
    calls = Calls(local, show)
    cpus = sorted(os.sched_getaffinity(0))
    first, second = calls.call("work", A="1"), calls.call("work", B="2", cpus=cpus[-1:])
    assert calls.said(first) == f"['1', None, '{first.task}', None] {local.folder} {cpus}\nb'1\\n'\n"
    assert calls.said(second) == f"[None, '2', '{second.task}', None] {local.folder} {cpus[-1:]}\nb'\\n'\n"
    assert len(calls.imports) == 1


def test_a_module_that_changed_is_imported_anew(local: Rig) -> None:
    calls = Calls(local, "def work(job):\n    print('old')\n")
    old = calls.call("work")
    calls.write("def work(job):\n    print('this is new')\n")
    assert [calls.said(old), calls.said(calls.call("work"))] == ["old\n", "this is new\n"]
    assert len(calls.imports) == 2


def test_a_fresh_interpreter(local: Rig) -> None:
    calls = Calls(local, "def work(job):\n    print(sys.flags.isolated, FLOWRULES)\nFLOWRULES = 1\n")
    ends = [calls.call("work", fresh=True) for _ in range(2)]
    assert [calls.said(end) for end in ends] == ["0 1\n"] * 2
    assert len(calls.imports) == 2 and not local.called("--warm")


@pytest.mark.parametrize(
    ("text", "exit", "said"),
    [
        ("raise ValueError('no')", 1, "ValueError: no"),
        ("sys.exit(7)", 7, ""),
        ("sys.exit('words')", 1, "words\n"),
        ("os._exit(5)", 5, ""),
        ("os._exit(0)", 0, ""),
        ("os.kill(os.getpid(), signal.SIGSEGV)", -signal.SIGSEGV, ""),
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL, ""),
    ],
)
def test_how_a_call_can_end(local: Rig, text: str, exit: int, said: str) -> None:
    calls = Calls(local, f"def work(job):\n    {text}\ndef rest(job):\n    print('well')\n")
    calls.call("rest")
    end = calls.call("work")
    assert (end.exit, end.error) == (exit, "")
    assert said in calls.said(end) and "flowrules" not in calls.said(end)
    end = calls.call("rest")
    assert (end.exit, end.error, calls.said(end)) == (0, "", "well\n")


def test_a_module_that_cannot_be_imported(local: Rig) -> None:
    calls = Calls(local, "import nonesuch\n")
    end = calls.call("work")
    assert end.exit == 1 and "No module named 'nonesuch'" in calls.said(end)


def test_what_a_call_leaves_is_ended_and_told(local: Rig) -> None:
    calls = Calls(local, "def work(job):\n    subprocess.Popen(['sleep', '1000'])\n")
    end = calls.call("work")
    assert (end.exit, end.error) == (0, "processes it had left in the background were killed")
    assert local.alive(end.task) == []


def test_helpers_of_multiprocessing_end_with_their_call(local: Rig) -> None:
    calls = Calls(
        local, "import multiprocessing\ndef work(job):\n    multiprocessing.get_context('spawn').Semaphore()\n"
    )
    ends = [calls.call("work") for _ in range(2)]
    assert [(end.exit, end.error, calls.said(end)) for end in ends] == [(0, "", "")] * 2
    assert len(calls.imports) == 2


@pytest.mark.parametrize("first", [True, False], ids=["first call", "later call"])
def test_a_call_that_is_killed_dies_with_its_children(local: Rig, first: bool) -> None:
    calls = Calls(local, "def rest(job):\n    pass\n", gpus=True)
    if not first:
        calls.call("rest", gpus="0")
    task = calls.start("hang", gpus="0")
    local.come(lambda: (local.folder / "up").exists() and local.log("up"))
    worker = int(local.log("up"))
    calls.agents.kill(task)
    end = local.ends(calls.agents)[task]
    assert end.killed and end.exit == -signal.SIGKILL
    assert local.alive(task) == [] and not local.called("sleep\0001000")
    local.come(calls.gone(worker))
    assert calls.call("rest", gpus="0").exit == 0


def test_a_call_may_end_in_its_own_way_when_asked_to(local: Rig) -> None:
    polite = "def work(job):\n    signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))\n    print('up', flush=True)\n"
    calls = Calls(local, polite + "    time.sleep(1000)\n")
    task = calls.start("work")
    local.come(lambda: (local.folder / f"{task}.log").exists() and "up" in local.log(f"{task}.log"))
    calls.agents.kill(task)
    end = local.ends(calls.agents)[task]
    assert end.killed and end.exit == 9


def test_kill_9_of_the_client(local: Rig) -> None:
    calls = Calls(local, "def rest(job):\n    pass\n", gpus=True)
    calls.call("rest", gpus="0")
    task = calls.start("hang", gpus="0")
    local.come(lambda: (local.folder / "up").exists() and local.log("up"))
    os.kill(calls.client(task), signal.SIGKILL)
    end = local.ends(calls.agents)[task]
    assert end.exit == -signal.SIGKILL and not end.killed
    assert local.alive(task) == [] and not local.called("sleep\0001000")
    local.come(calls.gone(int(local.log("up"))))


def test_each_gpu_has_an_interpreter_that_sees_it_alone(local: Rig) -> None:
    calls = Calls(local, "def work(job):\n    print(os.environ['CUDA_VISIBLE_DEVICES'])\n", gpus=True)
    for _ in range(3):
        tasks = {calls.start("work", gpus=gpu): gpu for gpu in "0123"}
        for task, end in local.ends(calls.agents, 4).items():
            assert (end.exit, end.error, calls.said(end)) == (0, "", tasks[task] + "\n")
    assert sorted(gpu for _, gpu in calls.imports) == ["0", "1", "2", "3"]
    assert len(calls.pool()) >= 4


def test_idle_interpreters_leave_a_gpu_to_jobs_of_another_kind(local: Rig) -> None:
    calls = Calls(local, "def work(job):\n    pass\n", gpus=True)
    for gpu in ("0", "1", "2", "3"):
        calls.call("work", gpus=gpu)
    pids = {gpu: int(pid) for pid, gpu in calls.imports}
    calls.run(["true"], gpus="0")
    local.ends(calls.agents)
    assert calls.gone(pids["0"])() and not calls.gone(pids["1"])()
    calls.call("work", gpus="1", OMP_NUM_THREADS="3")
    assert calls.gone(pids["1"])() and not calls.gone(pids["2"])()
    calls.call("work", gpus="2,3")
    assert calls.gone(pids["2"])() and calls.gone(pids["3"])()


def test_variables_that_are_read_at_import_are_not_shared(local: Rig) -> None:
    calls = Calls(local, "def work(job):\n    pass\n")
    for threads in ("1", "2", "1", "2"):
        calls.call("work", OMP_NUM_THREADS=threads, OTHER=threads)
    assert len(calls.imports) == 2


@pytest.mark.slow
def test_interpreters_that_nobody_needs_are_not_hoarded(local: Rig) -> None:
    calls = Calls(local, "def work(job):\n    pass\n")
    most = max(16, os.cpu_count() or 1)
    for n in range(most + 3):
        calls.call("work", OMP_NUM_THREADS=str(n))
    assert len([name for name in calls.pool() if "@" in name]) == most


def test_an_interpreter_ends_when_nobody_came_for_a_while(local: Rig) -> None:
    calls = Calls(
        local, "import atexit\natexit.register(print, 'bye', file=open('left', 'w'))\ndef work(job):\n    pass\n"
    )
    code = (
        "import sys; from flowrules.execute import warmserve as w; w.serve(int(sys.argv[1]), *sys.argv[2:], idle=0.1)"
    )
    stand_in = local.folder / "child.py"
    stand_in.write_text(
        f"import sys\nsys.path.insert(0, {str(Path(child.__file__).parents[2])!r})\ndel sys.argv[1]\n{code}\n"
    )
    (local.folder / "warmcall.py").write_text((Path(child.__file__).parent / "warmcall.py").read_text())
    calls.start("work")
    local.ends(calls.agents)
    argv = [sys.executable, "-I", "-S", str(local.folder / "warmcall.py"), "lib.py", str(local.folder / "J1.1.request")]
    calls.run(argv, OMP_NUM_THREADS="9")
    local.ends(calls.agents)
    local.come(lambda: (local.folder / "left").exists() and local.log("left") == "bye\n")
    local.come(lambda: len(local.called("--warm")) == 2)


def test_without_a_place_to_meet_a_call_is_made_by_its_own_process(local: Rig) -> None:
    calls = Calls(local, "def work(job):\n    print('done')\n")
    for folder in ("", str(local.folder / "none")):
        assert calls.said(calls.call("work", FLOWRULES_WARM=folder)) == "done\n"
    assert calls.said(calls.call("work", gpus="GPU@/0")) == "done\n"
    assert not local.called("--warm")


def test_nothing_is_left_when_an_agent_dies(local: Rig) -> None:
    calls = Calls(local, "def work(job):\n    pass\n")
    calls.call("work")
    assert len(local.called("--warm")) == 2
    os.kill(local.agent(), signal.SIGKILL)
    local.come(lambda: not local.called("--warm"))
