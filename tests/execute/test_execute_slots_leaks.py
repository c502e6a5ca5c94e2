"""What a job does in a warm shell stays its own: the next job there finds all as a first one in a fresh shell does."""

import os
import signal
import time

import pytest
from execute_box import Box, boxes
from test_execute_slots import start_in_slot, warmed

PROBE = r"""
echo "args: $0 $#"; pwd; umask; ulimit -a; ulimit -H -a
echo "variables:"; compgen -v | grep -v '^__flowrules_[nt]$' | sort | tr '\n' ' '
echo; echo "exported:"; env | sed '/^FLOWRULES_\(ATTEMPT\|RUN\)=/d; /^_=/d; /^PYTEST/d' | sort
echo "options:"; set -o; shopt
echo "names:"; compgen -A function; alias; hash; enable -p; trap -p; dirs; type ls cat x 2>&1 || :
echo "signals:"; grep -E '^(SigBlk|SigIgn|SigCgt|NoNewPrivs|Cpus_allowed):' /proc/self/status
echo "files:"; ls /proc/$BASHPID/fd; readlink /proc/$BASHPID/fd/0 /proc/$BASHPID/fd/1 /proc/$BASHPID/fd/2
echo "children:"; cat /proc/$BASHPID/task/$BASHPID/children | wc -w
echo "rest: ${IFS@Q} $OPTIND $SHLVL $SHELLOPTS $BASHOPTS ${x-} ${y[*]-} ${REPLY-} ${HOME} $PATH ${K-}"
nice; read -t 0.1 line; echo "input: $? ${line-}"
"""

DIRT = [
    "true",
    "x=1; y=(1 2); export x; export K=other HOME=/nowhere PATH=/nowhere IFS=:",
    "readonly x=5 HOME; unset K",
    "f() { echo f; }; ls() { echo mine; }; export -f f",
    "alias x=ls; shopt -s expand_aliases extglob nullglob dotglob globstar lastpipe; hash -p /bin/true cat",
    "set +e +u; set +o pipefail; set -f -C -a -b -h -k -v",
    "enable -n echo; command -v printf",
    "umask 0777; cd /; pushd /tmp > pushed; OLDPWD=/x",
    "trap 'touch trapped' EXIT ERR DEBUG RETURN INT TERM HUP USR1; trap '' QUIT PIPE ALRM",
    "ulimit -S -n 20; ulimit -H -n 30; ulimit -c 0; ulimit -s 100000; ulimit -v 4000000",
    "exec 5> five 6< /dev/null 7>&1 8<> five; exec {big}> big",
    "exec > elsewhere 2>&1; exec < /dev/null",
    "exec 0<&- 1>&- 2>&-",
    "exec 3>&- 4>&- 10>&- 11>&-",
    "set -- a b c; shift; getopts ab o -a; OPTIND=7; REPLY=said",
    "renice 19 $(sh -c 'echo $PPID') > niced; taskset -p 1 $(sh -c 'echo $PPID') > bound",
    "(sleep 0.3; touch late) & sleep 0.3 &",
    "coproc_like() { :; }; mkfifo p; cat p & exec 9> p; echo into >&9",
    "exit 0; echo not reached",
    "set -e; (exit 3); echo not reached",
    "if true; then exit 9; fi",
    "for i in 1 2; do break 5; done; return 2> /dev/null || continue 2> /dev/null; false",
    "f() { return 4; }; f || exit $?",
    "kill -TERM 0",
    "kill -INT 0; sleep 5",
    "kill -9 0",
    "exec true",
    "exec /no/such/program",
    "exec -a other bash -c 'exit 6'",
    "eval 'exit 7'",
    "source /dev/stdin <<< 'exit 8'",
    "echo $((1 / 0))",
    "echo ${unset?message}",
    "if; then",
    "echo 'open",
    "cat <<EOF",
    "done",
    ")",
    "}; echo $?; {",
    "echo ) >&3; echo 0 >&4",
    "a=$(head -c 300000 /dev/zero | tr '\\0' x); export a",
    "bash -c 'kill -9 $PPID'; true",
    "python3 -c 'import os; os.kill(os.getppid(), 9)'",
    "python3 -c 'import os; os.setsid()'; setsid true",
    "mkdir -p gone; cd gone; rmdir ../gone",
    "stty sane; tput cols || true",
]


@pytest.fixture(scope="module")
def untouched(tmp_path_factory):
    """What the probe says in a fresh shell, where nothing ran before."""
    with pytest.MonkeyPatch.context() as patch:
        for box in boxes(tmp_path_factory.mktemp("fresh"), patch):
            _write_probe()
            box.executor._warm.slots._usable = False
            return _probe(box)


def _write_probe() -> None:
    with open("probe", "w") as file:
        file.write(PROBE)


def _probe(box: Box) -> str:
    assert box.outcome(_started(box, ". ./probe; true", log="probed")).exit == 0
    return box.log("probed").replace(os.getcwd(), "HERE")


def _started(box: Box, command: str, **fields: object):
    order = box.shell(f"set +e; {command}" if "probe" in command else command, env={"K": "v"}, **fields)
    box.executor.start(order)
    return order


@pytest.mark.parametrize("dirt", DIRT)
def test_the_next_job_finds_nothing_of_the_one_before(dirt: str, box: Box, untouched: str):
    warmed(box)
    _write_probe()
    box.executor._warm.slots.suits = lambda order: True  # also where the text is telling, and however long it takes
    first = start_in_slot(box, "true")
    slot = box.executor._running[first.job].warm
    assert box.outcome(first).exit == 0
    ended = box.outcome(start_in_slot(box, dirt, log="dirty"))
    assert _probe(box) == untouched
    one = box.executor._pool._all == {slot.pid: slot}  # it was one shell all the time; of SIGINT a shell dies too
    assert one == (ended.exit != -signal.SIGINT)
    assert not ended.error or "in the background" in ended.error


def test_a_slot_itself_is_never_seen(box: Box):
    """Its variables are there for who lists them all, nothing else: no descriptor, no child, no word in `ps`."""
    warmed(box)
    with open("look", "w") as file:
        file.write(
            "compgen -v | grep -c __flowrules; env | grep -c __flowrules; ls /proc/self/fd | wc -w; jobs; wait; true"
        )
    assert box.outcome(start_in_slot(box, "set +e; . ./look")).exit == 0
    assert box.log() == "2\n0\n4\n"


def test_gigabytes_of_output_are_the_logs_only(box: Box):
    warmed(box)
    before = _resident()
    outcome = box.outcome(start_in_slot(box, "head -c 300000000 /dev/zero; exit 3"))
    assert outcome.exit == 3
    assert os.path.getsize("log") == 300_000_000
    assert _resident() - before < 50_000_000
    assert box.outcome(start_in_slot(box, "echo fine", log="next")).exit == 0
    assert box.log("next") == "fine\n"


def test_a_daemon_does_not_hold_up_the_next_job(box: Box):
    warmed(box)
    left = box.outcome(start_in_slot(box, "setsid sleep 300 & sleep 0.01"))
    assert left.exit == 0
    assert box.outcome(start_in_slot(box, "echo fine")).exit == 0
    assert len(box.living()) == 2  # the daemon in a session of its own, until the run ends, and the slot


def test_background_output_goes_to_its_own_log(box: Box):
    warmed(box)
    box.executor.start(box.shell("(sleep 0.2; echo late) & true", env={"K": "v"}, log="first"))
    order = start_in_slot(box, "sleep 0.4; echo mine", log="second")
    outcomes = {outcome.job: outcome.exit for outcome in box.outcomes(2)}
    assert outcomes[order.job] == 0
    assert (box.log("first"), box.log("second")) == ("late\n", "mine\n")


def test_a_job_that_stops_or_fills_what_it_can_harms_nobody(box: Box):
    warmed(box)
    with open("evil", "w") as file:
        file.write("import os, signal\nos.kill(os.getppid(), signal.SIGSTOP)\nos._exit(1)\n")
    order = box.shell("python3 evil; true", env={"K": "v"})
    box.executor._warm.slots.suits = lambda order: True
    box.executor.start(order)
    group = None
    end = time.monotonic() + 120
    while not group and time.monotonic() < end:
        group = box.executor._warm.slots.job_group(box.executor._running[order.job].warm, _number(box, order))
        time.sleep(0.01)
    other = start_in_slot(box, "echo fine", log="other")
    assert box.outcome(other).exit == 0
    box.executor.kill(order.job)
    assert box.outcome(order).exit < 0


def _number(box: Box, order) -> int:
    return box.executor._running[order.job].number


def _resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_the_signals_of_a_slot_are_those_of_a_fresh_shell(box: Box):
    warmed(box)
    seen = []
    for usable in (False, True):
        box.executor._warm.slots._usable = usable
        assert box.outcome(_started(box, "grep ^Sig /proc/self/status | grep -v SigQ; sleep 0.01 & wait")).exit == 0
        seen.append(box.log())
        os.unlink("log")
    assert seen[0] == seen[1]
