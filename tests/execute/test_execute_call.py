"""Functions in warm Python processes."""

import os
import signal

import pytest
from execute_box import Box, items


def write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def pids(box: Box) -> list[str]:
    """The process ids that calls of `show` logged."""
    return [line.split()[1] for line in box.log().splitlines() if line.startswith("pid ")]


SHOW = "import os\ndef show(job):\n    print('pid', os.getpid())\n"


def test_a_function_gets_its_job(any_box: Box):
    write("m.py", "def f(job):\n    print(job.rule, job.input.x, job.threads)\n    open(job.output, 'w').close()\n")
    document = {"rule": "r", "input": items(x="a"), "output": items("out"), "threads": 3}
    outcome = any_box.run(any_box.call("m.py:f", document=document))
    assert (outcome.exit, outcome.error) == (0, "")
    assert any_box.log() == "r a 3\n"
    assert os.path.exists("out")
    assert outcome.started <= outcome.ended
    assert outcome.memory > 1 << 20


def test_the_module_is_imported_once(box: Box):
    write("m.py", "print('import')\n" + SHOW)
    for _ in range(3):
        assert box.run(box.call("m.py:show")).exit == 0
    assert box.log().count("import\n") == 1
    assert len(set(pids(box))) == 1


def test_a_module_of_the_working_directory(box: Box):
    os.mkdir("pkg")
    write("pkg/__init__.py", "")
    write("pkg/near.py", "X = 5\n")
    write("pkg/mod.py", "from pkg.near import X\ndef f(job):\n    print(X)\n")
    assert box.run(box.call("pkg.mod:f")).exit == 0
    assert box.log() == "5\n"


def test_a_module_with_the_name_of_a_standard_one(box: Box):
    write("json.py", "def f(job):\n    import json\n    print(json.__name__)\n")
    assert box.run(box.call("json.py:f")).exit == 0


def test_the_job_can_be_imported_too_and_is_the_present_one(box: Box):
    write("m.py", "from flowrules import job\ndef f(own):\n    print(job.rule, own.rule)\n")
    for rule in "ab":
        assert box.run(box.call("m.py:f", document={"rule": rule})).exit == 0
    assert box.log() == "a a\nb b\n"


@pytest.mark.parametrize(
    ("body", "exit", "log"),
    [
        ("raise ValueError('bad')", 1, "line 2, in f\n    raise ValueError('bad')\nValueError: bad\n"),
        ("import sys; sys.exit(7)", 7, ""),
        ("import sys; sys.exit('words')", 1, "words\n"),
        ("raise SystemExit", 0, ""),
        ("raise KeyboardInterrupt", 1, "KeyboardInterrupt\n"),
        ("return 5", 0, ""),
    ],
)
def test_how_a_function_ends(box: Box, body: str, exit: int, log: str):
    write("m.py", f"def f(job):\n    {body}\n")
    outcome = box.run(box.call("m.py:f"))
    assert (outcome.exit, outcome.error) == (exit, "")
    assert box.log().endswith(log)
    assert "worker.py" not in box.log()


def test_a_module_that_cannot_be_imported(box: Box):
    write("m.py", "import no_such_module\n")
    assert box.run(box.call("m.py:f")).exit == 1
    assert box.log().startswith('Traceback (most recent call last):\n  File "')
    assert "worker.py" not in box.log()
    write("m.py", "def f(job): pass\n")
    assert box.run(box.call("m.py:f")).exit == 0
    assert box.run(box.call("gone.py:f", log="log2")).exit == 1
    assert "FileNotFoundError" in box.log("log2")
    assert box.run(box.call("no.such.module:f", log="log3")).exit == 1
    assert box.log("log3").endswith("ModuleNotFoundError: No module named 'no'\n")


def test_a_function_that_is_not_there(box: Box):
    write("m.py", "def relax(job): pass\n")
    assert box.run(box.call("m.py:relaxx")).exit == 1
    assert box.log() == "AttributeError: `m.py` has no function `relaxx`; did you mean `relax`?\n"


LEAVES = """\
import os, signal, sys, time
def mess(job):
    os.environ["LEFT"] = "1"
    del os.environ["HOME"]
    os.environ["GIVEN"] = "changed"
    os.mkdir("elsewhere")
    os.chdir("elsewhere")
    os.umask(0o077)
    sys.argv.append("left")
    sys.path.insert(0, "left")
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, lambda *a: None)
    signal.signal(signal.SIGUSR1, lambda *a: None)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
    signal.alarm(1)
    print("before", end="")
    CLOSE
def look(job):
    print("LEFT" in os.environ, "HOME" in os.environ, os.environ.get("GIVEN"), os.environ["FLOWRULES_ATTEMPT"])
    print(os.path.basename(os.getcwd()) == "elsewhere", os.umask(0o022) == 0o077, sys.argv, "left" in sys.path)
    print(signal.getsignal(signal.SIGTERM).name, signal.getsignal(signal.SIGINT).__name__)
    print(signal.getsignal(signal.SIGUSR1).name, len(signal.pthread_sigmask(signal.SIG_BLOCK, ())))
    print(repr(sys.stdin.read()), sys.stdout.writable(), signal.alarm(0), os.readlink('/proc/self/fd/0'))
    os.write(2, b"direct\\n")
    print("to err", file=sys.stderr)
"""


@pytest.mark.parametrize(
    "close",
    [
        "pass",
        "sys.stdout.close()",
        "os.close(0); os.close(1); os.close(2)",
        "sys.stdout = sys.stderr = sys.stdin = None",
        "raise OSError",
    ],
)
def test_nothing_but_the_module_is_shared(box: Box, close: str):
    write("m.py", LEAVES.replace("CLOSE", close))
    first = box.call("m.py:mess", env={"GIVEN": "x"}, log="first")
    box.run(first)
    second = box.call("m.py:look", log="second")
    assert box.run(second).exit == 0
    assert box.log("second") == (
        f"False True None J{second.job}.1\n"
        "False False ['m.py'] False\n"
        "SIG_DFL default_int_handler\n"
        "SIG_DFL 0\n"
        "'' True 0 /dev/null\n"
        "direct\n"
        "to err\n"
    )
    if "os.close" not in close:
        assert box.log("first").startswith("before")


def test_each_call_has_its_variables(box: Box):
    write("m.py", "import os\ndef f(job):\n    print(os.environ.get('A'), os.environ.get('B'), os.getpid())\n")
    for env in ({"A": "1"}, {"B": "2"}, {}):
        assert box.run(box.call("m.py:f", env=env)).exit == 0
    values, workers = zip(*(line.rsplit(" ", 1) for line in box.log().splitlines()), strict=True)
    assert values == ("1 None", "None 2", "None None")
    assert len(set(workers)) == 1


def test_a_worker_keeps_its_gpu(box: Box):
    write("m.py", "import os\nSEEN = os.environ['CUDA_VISIBLE_DEVICES']\ndef f(job):\n    print(SEEN, os.getpid())\n")
    for gpu in "0101":
        assert box.run(box.call("m.py:f", env={"CUDA_VISIBLE_DEVICES": gpu})).exit == 0
    lines = box.log().split("\n")[:-1]
    assert [line[0] for line in lines] == ["0", "1", "0", "1"]
    assert (lines[0], lines[1]) == (lines[2], lines[3])
    assert lines[0] != lines[1]


def test_calls_at_once_get_a_worker_each(box: Box):
    write(
        "m.py",
        SHOW + "import time\ndef slow(job):\n    show(job)\n    while not os.path.exists('go'): time.sleep(0.01)\n",
    )
    for _ in range(3):
        box.executor.start(box.call("m.py:slow"))
    box.until(lambda: len(pids(box)) == 3 if os.path.exists("log") else False)
    write("go", "")
    assert {outcome.exit for outcome in box.outcomes(3)} == {0}
    assert len(set(pids(box))) == 3


def test_a_fresh_interpreter(box: Box):
    write("m.py", SHOW)
    for fresh in (False, True, True, False):
        assert box.run(box.call("m.py:show", fresh=fresh)).exit == 0
    first, second, third, fourth = pids(box)
    assert first == fourth
    assert len({first, second, third}) == 3


def test_a_module_that_changed_is_imported_anew(box: Box):
    write("near.py", "X = 1\n")
    write("m.py", "import near\ndef f(job):\n    print('m1', near.X)\n")
    assert box.run(box.call("m.py:f")).exit == 0
    write("m.py", "import near\ndef f(job):\n    print('m2 ', near.X)\n")
    assert box.run(box.call("m.py:f")).exit == 0
    write("near.py", "X = 22\n")
    assert box.run(box.call("m.py:f")).exit == 0
    assert box.log() == "m1 1\nm2  1\nm2  22\n"


@pytest.mark.parametrize(
    ("body", "exit", "error"),
    [
        ("os._exit(3)", 3, "the Python process ended before the function did (exit status 3)"),
        ("os._exit(0)", 1, "the Python process ended before the function did (exit status 0)"),
        ("os.kill(os.getpid(), 9)", -9, "the Python process ended before the function did (signal 9)"),
        ("os.closerange(3, 1000)", 1, "the Python process ended before the function did (exit status 1)"),
    ],
)
def test_a_worker_that_dies_fails_its_job_only(any_box: Box, body: str, exit: int, error: str):
    write("m.py", f"import os\ndef f(job):\n    {body}\ndef g(job): pass\n")
    outcome = any_box.run(any_box.call("m.py:f"))
    assert (outcome.exit, outcome.error) == (exit, error)
    assert any_box.run(any_box.call("m.py:g")).exit == 0


def test_a_worker_that_died_while_idle_is_replaced(any_box: Box):
    write("m.py", SHOW)
    assert any_box.run(any_box.call("m.py:show")).exit == 0
    worker = int(pids(any_box)[0])
    os.kill(worker, signal.SIGKILL)
    os.waitid(os.P_PID, worker, os.WEXITED | os.WNOWAIT)
    outcome = any_box.run(any_box.call("m.py:show"))
    assert (outcome.exit, outcome.error) == (0, "")


def test_a_forked_child_that_comes_back_does_not_answer(box: Box):
    write(
        "m.py", "import os\ndef f(job):\n    if os.fork() == 0:\n        return\n    os.wait()\n    print('parent')\n"
    )
    for _ in range(2):
        assert box.run(box.call("m.py:f")).exit == 0
    assert box.log() == "parent\nparent\n"


def test_processes_that_a_function_leaves_are_killed(box: Box):
    write("m.py", "import subprocess\ndef f(job):\n    subprocess.Popen(['sleep', '600'])\n" + SHOW)
    outcome = box.run(box.call("m.py:f"))
    assert (outcome.exit, outcome.error) == (0, "processes it had left in the background were killed")
    assert box.living() == []


def test_a_pool_of_processes_in_a_function(box: Box):
    write(
        "m.py",
        "from multiprocessing import get_context\ndef sq(x):\n    return x * x\n"
        "def f(job):\n    with get_context('spawn').Pool(1) as pool:\n        print(pool.map(sq, [1, 2]))\n",
    )
    for _ in range(2):
        outcome = box.run(box.call("m.py:f"))
        assert (outcome.exit, outcome.error) == (0, "")
    assert box.log() == "[1, 4]\n[1, 4]\n"


def test_a_call_is_killed_with_what_it_started(any_box: Box):
    write(
        "m.py",
        "import subprocess\ndef f(job):\n    subprocess.run(['bash', '-c', 'setsid sleep 600 & touch ready; wait'])\n",
    )
    order = any_box.call("m.py:f")
    any_box.executor.start(order)
    any_box.until(lambda: os.path.exists("ready"))
    any_box.executor.kill(order.job)
    assert any_box.outcome(order).exit == -signal.SIGTERM
    assert any_box.living() == []


def test_a_stubborn_call_is_killed(any_box: Box):
    body = "    signal.signal(15, signal.SIG_IGN)\n    open('ready', 'w')\n    time.sleep(600)\n"
    write("m.py", "import signal, time\ndef f(job):\n" + body)
    order = any_box.call("m.py:f")
    any_box.executor.start(order)
    any_box.until(lambda: os.path.exists("ready"))
    any_box.executor.kill(order.job)
    assert any_box.outcome(order).exit == -signal.SIGKILL


def test_memory_is_that_of_the_call(box: Box):
    write("m.py", "def big(job):\n    x = bytearray(200 << 20)\ndef small(job): pass\n")
    big = box.run(box.call("m.py:big"))
    small = box.run(box.call("m.py:small"))
    assert big.memory > 200 << 20
    assert 1 << 20 < small.memory < 150 << 20


def test_cpu_is_that_of_the_call(box: Box):
    write("m.py", "def busy(job):\n    sum(range(3_000_000))\ndef idle(job): pass\n")
    assert box.run(box.call("m.py:busy")).cpu > box.run(box.call("m.py:idle")).cpu


def test_a_log_that_cannot_be_written(box: Box):
    write("m.py", SHOW)
    os.mkdir("folder")
    for _ in range(2):  # without and with a worker that waits
        outcome = box.run(box.call("m.py:show", log="folder"))
        assert outcome.exit != 0
        assert outcome.error == "the log cannot be written: Is a directory: folder"
        assert box.run(box.call("m.py:show")).exit == 0


def test_a_job_with_very_many_inputs(box: Box):
    write("m.py", "def f(job):\n    print(len(job.input))\n")
    names = [f"inputs/sample-{n:06d}.bam" for n in range(50_000)]
    assert box.run(box.call("m.py:f", document={"input": items(*names)})).exit == 0
    assert box.log() == "50000\n"
    assert os.listdir(box.executor._scratch.folder) == []


def test_idle_workers_are_few(box: Box):
    most = box.executor._pool._most_idle
    for number in range(most + 3):
        write(f"m{number}.py", SHOW)
        assert box.run(box.call(f"m{number}.py:show")).exit == 0
    assert len(box.executor._pool._idle) == most


def test_no_descriptor_is_lost(any_box: Box):
    write("m.py", "import os\ndef f(job): pass\ndef die(job): os._exit(1)\n")
    any_box.run(any_box.call("m.py:f"))
    before = len(os.listdir("/proc/self/fd"))
    for number in range(200):
        any_box.run(any_box.call("m.py:die" if number % 50 == 0 else "m.py:f"))
    assert len(os.listdir("/proc/self/fd")) == before
