"""Commands in warm shells: the same as in fresh ones, only sooner."""

import os
import re
import signal

import pytest
from execute_box import Box, boxes

from flowrules.execute.slots import Slots
from flowrules.model.order import Order
from flowrules.model.rule import ShellAction

COMMANDS = [
    "echo out; echo err >&2; exit 7",
    "false; echo not reached",
    "echo $no_such_name; echo not reached",
    "false | true; echo not reached",
    "(exit 3)",
    "exit 300",
    "! true; echo $?",
    "true && false || echo so",
    "",
    "# nothing",
    "\n\n  echo later\n",
    "no-such-command",
    "\necho 1\nno-such-command 2\n",
    "echo fine\nif broken\n",
    "if broken\n",
    "echo 'open",
    "cat <<EOF\nhome $HOME\nEOF\necho after",
    "cat <<'EOF'\n$HOME `x` \\\nEOF",
    "f() { echo in $1; local x=5; }; f it; echo ${x-unset}",
    "x=1; (x=2); echo $x; x=3 env | grep ^x=",
    "cd /; pwd",
    "cd no-such-folder; echo not reached",
    "wc -c; read line || echo end of file",
    'echo "$#" "$@" end',
    "echo 'a'\\''b' \"c\\\"d\" e\\ f $'\\t'.",
    "a=(1 'b c'); echo ${a[1]} ${#a[@]}; for i in {1..3}; do echo $i; done",
    "awk 'BEGIN { print 1 }'; printf '%s\\n' '%s' '$x'",
    "umask; test -t 0 || echo no terminal",
    "env | grep -c ^FLOWRULES_ATTEMPT=J; env | grep __flow || echo clean; env | grep ^K=",
    "echo $((1 + 1)); echo * | head -c 3; true > made; ls made",
    "echo text > >(sleep 0.05; cat > copy)",
    "sleep 600 &",
    "echo a & wait; wc -c",
    "yes | head -n1",
    "(yes || true) | head -n1",
    "python3 -c 'import os; os.abort()'; echo not reached",
    "echo $0 ${0##*/} ${1-none} $#; set -- a b; echo $2; awk '{ print $1 }' <<< 'x y'",
    "trap 'echo bye' EXIT; echo hello; false",
    "trap 'echo got it; exit 4' TERM; sleep 600 & kill -TERM 0; wait",
    "trap '' TERM; bash -c 'kill -TERM 0'; echo still here",
    "exec 5> five; echo x >&5; exec 5>&-; cat five; exec echo last",
    "exec > >(sed s/a/b/); echo aaa",
    "set +e; false; set -a; X=1; env | grep ^X=",
    "set +u; echo $unset_name; set +o pipefail; false | true; shopt -s extglob; echo so",
    "sleep 0.01 & echo $(( $! > 0 )); wait $!; (exit 5) & wait $! || echo $?",
    "echo 'echo from file $0; return 3' > file; . ./file || echo $?; source file",
    "ulimit -c; ulimit -n 100; ulimit -n; kill -0 $(echo 1) 2> /dev/null || true; echo $SHLVL $LINENO",
    "kill -9 0",
    "sleep 0.01 & disowned=1; wait; type -t f g || echo $FUNCNAME none",
    "echo " + "word " * 2000 + "| wc -w",
]


def warmed(box: Box) -> Box:
    """A box whose rule is known to be short, however long its attempts take here."""
    for _ in range(3):
        assert box.run(box.shell("true", env={"K": "v"}, log="warm.log")).exit == 0
    box.executor._warm.slots._habits["a job"].mean = 0.01
    box.executor._warm.slots.learn = lambda order, seconds: None
    return box


def start_in_slot(box: Box, command: str, **fields: object) -> Order:
    order = box.shell(command, env={"K": "v"}, **fields)
    box.executor.start(order)
    assert box.executor._running[order.job].in_slot
    return order


def _as_any_shell_tells(exit: int, log: str) -> tuple[int, str]:
    """Shells call syntax errors of `eval` by that name, tell process ids, and turn signals into statuses."""
    log = log.replace(": eval:", ": -c:")
    return 128 - exit if exit < 0 else exit, re.sub(r"(line \d+:) +\d+ ", r"\1 PID ", log)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_slot_is_like_a_fresh_shell(command: str, tmp_path, monkeypatch):
    seen = []
    for kind in ("fresh", "slot"):
        folder = tmp_path / kind
        folder.mkdir()
        for box in boxes(folder, monkeypatch):
            warmed(box)
            if kind == "fresh":
                box.executor._warm.slots._usable = False
                order = box.shell(command, env={"K": "v"})
                box.executor.start(order)
            else:
                order = start_in_slot(box, command)
            outcome = box.outcome(order)
            seen.append((*_as_any_shell_tells(outcome.exit, box.log()), outcome.error, sorted(os.listdir())))
    assert seen[0] == seen[1]


@pytest.mark.parametrize(
    "command",
    [
        "echo $$",
        "echo ${$}",
        "echo $PPID",
        "kill -9 $$",
        "echo $-",
        "echo $_",
        "echo ${!name}",
        "echo $BASHPID",
        "echo $RANDOM",
        "sleep 1 & jobs",
        "set -x; true",
        "set -eux",
        "echo caf\u00e9",
        "echo \0",
        "echo " + "x" * 40_000,
    ],
)
def test_commands_that_might_tell_are_run_in_a_fresh_shell(command: str):
    slots = Slots({})
    order = Order(1, 1, "a job", ShellAction(None, "", None), command)
    slots.learn(order, 0.01)
    assert not slots.suits(order)


def test_what_is_long_or_unknown_or_special_gets_a_process():
    slots = Slots({})
    action = ShellAction(None, "", None)
    order = Order(1, 1, "a job", action, "true")
    assert not slots.suits(order)
    slots.learn(order, 0.01)
    assert slots.suits(order)
    assert not slots.suits(Order(2, 1, "b job", action, "true"))
    assert not slots.suits(Order(4, 1, "a job", action, "true", shell=("zsh", "-e")))
    assert not Slots({b"BASH_ENV": b"file"}).suits(order)
    slots.learn(order, 60)
    assert not slots.suits(order)


def test_now_and_then_memory_is_measured():
    slots = Slots({})
    order = Order(1, 1, "a job", ShellAction(None, "", None), "true")
    chosen = []
    for _ in range(120):
        chosen.append(slots.suits(order))
        slots.learn(order, 0.01)
    assert chosen.count(False) == 3


def test_jobs_at_once_have_a_slot_each(any_box: Box):
    box = warmed(any_box)
    orders = [start_in_slot(box, f"while [ ! -e go ]; do sleep 0.01; done; echo {n} > out{n}") for n in range(3)]
    slots = {box.executor._running[order.job].warm.pid for order in orders}
    assert len(slots) == 3
    with open("go", "w"):
        pass
    assert {outcome.exit for outcome in box.outcomes(3)} == {0}
    assert sorted(name for name in os.listdir() if name.startswith("out")) == ["out0", "out1", "out2"]


def test_nothing_leaks_from_one_job_to_the_next(box: Box):
    warmed(box)
    os.mkdir("sub")
    box.outcome(start_in_slot(box, "cd sub; export A=1; B=2; umask 077; f() { :; }; ulimit_x=1; PATH=/nowhere"))
    order = start_in_slot(box, "pwd; echo ${A-} ${B-}; umask; type f || ls -d sub")
    assert box.outcome(order).exit == 0
    assert box.log().endswith("f: not found\nsub\n")
    assert f"{os.getcwd()}\n\n0022\n" in box.log()


def test_cpu_of_a_job_in_a_slot(box: Box):
    warmed(box)
    box.executor._warm.slots.suits = lambda order: True  # however long the first takes
    busy = box.outcome(start_in_slot(box, "for ((i = 0; i < 100000; i++)); do :; done"))
    idle = box.outcome(start_in_slot(box, "true"))
    assert busy.cpu > 0.05 > idle.cpu
    assert busy.memory == 0


def test_another_working_directory(box: Box):
    warmed(box)
    os.mkdir("sub")
    for _ in range(2):
        order = box.shell("pwd; touch here", directory="sub", log="a log")
        assert box.run(order).exit == 0
    assert box.log("sub/a log") == f"{os.getcwd()}/sub\n" * 2
    assert os.path.exists("sub/here")


def test_a_log_that_cannot_be_written(box: Box):
    warmed(box)
    os.mkdir("log")
    outcome = box.run(box.shell("touch ran", env={"K": "v"}))
    assert (outcome.exit, outcome.error) == (126, "the log cannot be written: Is a directory: log")
    assert not os.path.exists("ran")


@pytest.mark.parametrize(
    ("command", "exit"),
    [
        ("touch ready; sleep 600", -signal.SIGTERM),
        ("bash -c \"trap '' TERM; touch ready; sleep 600; sleep 600\"", -signal.SIGTERM),
        ("setsid sleep 600 & touch ready; sleep 600", -signal.SIGTERM),
        ("(setsid bash stubborn &); touch ready; sleep 600", -signal.SIGTERM),
        ("sleep 600 | touch ready; sleep 600", -signal.SIGTERM),
    ],
)
def test_kill_reaches_everything(any_box: Box, command: str, exit: int):
    box = warmed(any_box)
    with open("stubborn", "w") as file:
        file.write("trap '' TERM; sleep 600; sleep 600")
    box.executor._warm.slots.suits = lambda order: True  # also where the text is telling
    order = start_in_slot(box, command)
    box.until(lambda: os.path.exists("ready"))
    other = start_in_slot(box, "while [ ! -e go ]; do sleep 0.01; done", log="other")
    box.executor.kill(order.job)
    assert box.outcome(order).exit == exit
    with open("go", "w"):
        pass
    assert box.outcome(other).exit == 0
    box.executor.start(box.shell("true", env={"K": "v"}))
    box.outcomes(1)
    assert set(box.living()) == set(box.executor._pool._all)


def test_a_job_killed_at_once(any_box: Box):
    box = warmed(any_box)
    for _ in range(20):
        order = start_in_slot(box, "sleep 600")
        box.executor.kill(order.job)
        assert box.outcome(order).exit == -signal.SIGTERM


def test_a_job_that_kills_its_slot_fails_and_the_slot_is_replaced(any_box: Box):
    box = warmed(any_box)
    with open("evil", "w") as file:
        file.write("kill -9 $(ps -o ppid= $PPID); sleep 600")
    outcome = box.outcome(start_in_slot(box, "sh evil; true"))
    assert (outcome.exit, outcome.error) == (-9, "the shell that ran it ended before it did (signal 9)")
    assert box.living() == []
    assert box.outcome(start_in_slot(box, "echo fine")).exit == 0


def test_a_job_that_stops_itself_fails(box: Box):
    warmed(box)
    with open("evil", "w") as file:
        file.write("kill -STOP 0")
    assert box.outcome(start_in_slot(box, "sh evil; true")).exit > 128


def test_a_job_cannot_speak_for_its_slot(box: Box):
    warmed(box)
    outcome = box.outcome(start_in_slot(box, "(echo 0 >&3) 2> /dev/null || echo closed; (echo 1 >&4) || false"))
    assert outcome.exit == 1
    assert box.log().startswith("closed\n")


def test_variables_that_differ_from_job_to_job(box: Box):
    warmed(box)
    for value in ("a", "b", "a b'c"):
        for _ in range(3):
            assert box.run(box.shell('test "$V" = "$(cat value)"; echo "$V"', env={"V": value}, log=value)).exit == 1
            with open("value", "w") as file:
                file.write(value)
            assert box.run(box.shell('test "$V" = "$(cat value)"', env={"V": value})).exit == 0
            os.unlink("value")


def test_no_descriptor_is_lost(any_box: Box):
    box = warmed(any_box)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(200):
        box.run(box.shell("true", env={"K": "v"}))
    assert len(os.listdir("/proc/self/fd")) == before
