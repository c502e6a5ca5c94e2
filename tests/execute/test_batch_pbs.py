"""PBS: recorded answers and misbehaviour, replayed by fake commands."""

import json
import os
import time
from pathlib import Path

import pytest
from batch_box import Commands, Prompt
from hypothesis import given
from hypothesis import strategies as st

from flowrules.errors import BatchError, BatchFull
from flowrules.execute.batch import pbs_answers
from flowrules.execute.batch.pbs import Pbs
from flowrules.execute.batch.pbs_queues import read_queues
from flowrules.execute.batch.slurm import Slurm
from flowrules.model.batch import BatchState, BatchStatus, QueueToday

ANSWERS = Path(__file__).parent / "pbs"
SCRIPT = "#!/bin/bash\n#PBS -l walltime=00:10:00\ntrue\n"


def said(name: str) -> bytes:
    return (ANSWERS / name).read_bytes()


@pytest.fixture
def commands(tmp_path, monkeypatch) -> Commands:
    return Commands(tmp_path, monkeypatch)


@pytest.fixture
def pbs() -> Pbs:
    return Prompt(Pbs(limit=20.0))


# submission


def test_submission(commands, pbs):
    commands.says("qsub", "17.server\n", reads=True)
    assert pbs.submit(SCRIPT, "block-1") == "17.server"
    assert commands.read("qsub") == SCRIPT
    assert commands.calls == ["qsub -f -N block-1"]


def test_a_greeting_before_the_id(commands, pbs):
    commands.says("qsub", "Welcome.\nYou have 3 messages\n17.server\n\n", err="charged to nobody\n")
    assert pbs.submit(SCRIPT, "b") == "17.server"


def test_an_old_qsub_has_no_f(commands, pbs):
    commands.says("qsub", "18.server\n")
    commands.says("qsub", err="qsub: invalid option -- 'f'\nusage: qsub [-a date]\n", status=2, call=1)
    assert pbs.submit(SCRIPT, "a") == "18.server"
    assert pbs.submit(SCRIPT, "b") == "18.server"
    assert commands.calls == ["qsub -f -N a", "qsub -N a", "qsub -N b"]


@pytest.mark.parametrize(
    "status, err, words",
    [
        (2, "qsub: illegal -N value\nusage: qsub [-a date_time]\n", "illegal -N value"),
        (3, "qsub: Array job exceeds server or queue size limit\n", "Array job exceeds"),
        (6, "qsub: Cannot be used with select or place: nodes\n", "Cannot be used with select or place: nodes"),
        (32, "qsub: Account_Name is required to be set.\n", "Account_Name is required to be set."),
        (166, "qsub: Illegal attribute or resource value Resource_List.walltime\n", "Resource_List.walltime"),
        (170, "qsub: Unknown queue\n", "Unknown queue"),
        (174, "qsub: Access to queue is denied\n", "Access to queue is denied"),
        (175, "qsub: Bad UID for job execution\n", "Bad UID"),
        (187, "qsub: Unknown resource: nosuch\n", "Unknown resource: nosuch"),
        (188, "qsub: Job violates queue and/or server resource limits\n", "resource limits"),
    ],
)
def test_refusals_are_final(commands, pbs, status, err, words):
    commands.says("qsub", err=err, status=status)
    with pytest.raises(BatchError, match=words) as error:
        pbs.submit(SCRIPT, "b")
    assert error.value.final
    assert not isinstance(error.value, BatchFull)
    assert "usage" not in error.value.message


def test_one_batch_job_too_many(commands, pbs):
    commands.says("qsub", err="qsub: would exceed queue generic's per-user limit\n", status=38)
    with pytest.raises(BatchFull, match="per-user limit"):
        pbs.submit(SCRIPT, "b")


@pytest.mark.parametrize(
    "status, err",
    [
        (162, "Connection refused\nqsub: cannot connect to server server (errno=15010)\n"),
        (255, "No route to host\nqsub: cannot connect to server server (errno=15010)\n"),
        (32, "qsub: request rejected as filter hook 'x' encountered an exception. Please inform Admin\n"),
        (183, "qsub: Protocol (ASN.1) error\n"),
        (77, "something new\n"),
        (1, ""),
    ],
)
def test_failures_that_may_pass_are_not_final(commands, pbs, status, err):
    commands.says("qsub", err=err, status=status)
    with pytest.raises(BatchError) as error:
        pbs.submit(SCRIPT, "b")
    assert not error.value.final


def test_an_id_that_was_lost(commands, pbs):
    commands.says("qsub", "")
    with pytest.raises(BatchError, match="did not say the id") as error:
        pbs.submit(SCRIPT, "b")
    assert not error.value.final


def test_a_command_that_hangs_is_ended(commands):
    for command in ("qsub", "qstat", "qdel", "qselect"):
        commands.says(command, "1.server\n", hangs=True)
    pbs = Prompt(Pbs(limit=0.3))
    for call in (
        lambda: pbs.submit(SCRIPT, "b"),
        lambda: pbs.status(["1.server"]),
        lambda: pbs.cancel("1.server"),
        lambda: pbs.find("b"),
    ):
        with pytest.raises(BatchError, match=r"did not answer within 0.3s") as error:
            call()
        assert not error.value.final


@pytest.mark.parametrize("system", [Pbs, Slurm])
def test_who_asks_a_command_that_hangs_does_other_things_and_may_give_it_up(commands, system):
    for command in ("qsub", "sbatch"):
        commands.says(command, hangs=True)
    steps = system(limit=1000).submit(SCRIPT, "b")
    waits = [next(steps) for _ in range(20)]
    assert all(0 < wait <= 0.2 for wait in waits), "it comes back again and again"
    while not commands.running():
        next(steps)
        time.sleep(0.01)
    (pid,) = commands.running()
    steps.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_machine_without_pbs(commands, pbs):
    with pytest.raises(BatchError, match="no command `qsub`") as error:
        pbs.submit(SCRIPT, "b")
    assert error.value.final
    assert "--sandbox" in (error.value.hint or "")


def test_a_command_that_leaves_a_process_behind_keeps_nobody_waiting(commands, pbs):
    commands.says("qsub", "1.server\n")
    (commands.folder / "bin/qsub").write_text("#!/bin/sh\nsleep 30 & echo $! > ${0%/bin/*}/pid\necho 1.server\n")
    assert pbs.submit(SCRIPT, "b") == "1.server"
    os.kill(int((commands.folder / "pid").read_text()), 9)


# status


def test_status_of_several(commands, pbs):
    commands.says("qstat", said("several.json"))
    found = pbs.status(["1.server", "2.server", "4.server", "5.server"])
    assert {id: status.exit for id, status in found.items()} == {
        "1.server": 271,
        "2.server": 271,
        "4.server": -29,
        "5.server": -29,
    }
    assert commands.calls == ["qstat -x -f -F json -E 1.server 2.server 4.server 5.server"]


def test_an_answer_for_the_first_only_is_completed_by_text(commands, pbs):
    first = said("first-only.json").replace(b"1.server", b"14.server")
    commands.says("qstat", first, call=1)
    commands.says("qstat", said("wide.txt"), call=2)
    found = pbs.status(["14.server", "15.server", "16.server"])
    assert (found["14.server"].exit, found["15.server"].exit, found["16.server"].exit) == (271, 0, 3)
    assert commands.calls[1] == "qstat -x -f -w 15.server 16.server"


def test_states_and_how_batch_jobs_end(commands, pbs):
    commands.says("qstat", said("ends.json"))
    found = {id: str(n) for id in (1, 5, 6, 8, 9, 29, 38, 39, 145, 149, 151, 157, 160) for n in [id]}
    answer = pbs.status([f"{id}.server" for id in found])
    told = {id: (answer[f"{id}.server"].exit, answer[f"{id}.server"].detail.partition(" (")[0]) for id in found}
    assert all(status.state is BatchState.ENDED for status in answer.values())
    assert told == {
        1: (271, "was deleted while it ran"),
        5: (-29, "was ended at its walltime"),
        6: (0, ""),
        8: (7, "its script ended with status 7"),
        9: (None, "never started: what it depends on did not end well"),
        29: (None, "was deleted before it started"),
        38: (0, "its output was lost, for PBS could not copy it"),
        39: (None, "was deleted before it started"),
        145: (271, "was ended from outside by signal 15"),
        149: (137, "its script ended with status 137"),
        151: (254, "its script ended with status 254"),
        157: (265, "was ended from outside by signal 9"),
        160: (-20, "was ended because its first node was lost"),
    }
    assert "Can Never Run" in answer["29.server"].detail


def test_batch_jobs_that_have_not_ended(commands, pbs):
    commands.says("qstat", said("ends.json"))
    found = pbs.status(["159.server", "3.server", "144.server", "380.server"])
    assert found["159.server"] == BatchStatus(BatchState.QUEUED, "Not Running: Insufficient amount of resource: vnode")
    assert found["3.server"].state is BatchState.HELD
    assert found["144.server"].state is BatchState.RUNNING
    assert found["380.server"].state is BatchState.RUNNING  # it copies its output: not over yet


@pytest.mark.parametrize("state", ["S", "U"])
def test_a_suspended_batch_job_is_held(state):
    attributes = {"job_state": state, "comment": "Job suspended"}
    assert pbs_answers.status_of(attributes) == BatchStatus(BatchState.HELD, "Job suspended")


def test_deleted_with_status_0():
    """Seen on OpenPBS 23.06 for batch jobs of root, and for some that were just being started."""
    attributes = {"job_state": "F", "substate": 91, "Exit_status": 0, "run_count": 1}
    assert pbs_answers.status_of(attributes) == BatchStatus(BatchState.ENDED, "was deleted while it ran", None)


@pytest.mark.parametrize("name, id", [("numbers.json", "148.server"), ("bytes.json", "146.server")])
def test_numbers_for_strings_and_bytes_that_are_no_text(commands, pbs, name, id):
    commands.says("qstat", said(name))
    assert pbs.status([id]) == {
        id: BatchStatus(BatchState.ENDED, "", 0),
    }


BROKEN = {
    "half": said("several.json")[:700],
    "nothing": b"",
    "an escape that JSON has not": said("several.json").replace(b"Linux", rb"a\qb"),
    "no batch jobs": b'{"timestamp": 1}',
    "another shape": b'{"Jobs": [1, 2]}',
    "attributes of another shape": b'{"Jobs": {"15.server": 3, "16.server": {"job_state": ["R"]}}}',
}


@pytest.mark.parametrize("broken", BROKEN)
def test_broken_json_is_asked_for_as_text(commands, pbs, broken):
    commands.says("qstat", BROKEN[broken], call=1)
    commands.says("qstat", said("wide.txt"), call=2)
    assert {id: s.exit for id, s in pbs.status(["15.server", "16.server"]).items()} == {"15.server": 0, "16.server": 3}


@pytest.mark.parametrize("length", [0, 100, 900, 1150, -1])
def test_half_of_the_text_too_is_no_answer(commands, pbs, length):
    commands.says("qstat", "{", call=1)
    commands.says("qstat", said("wide.txt")[:length], call=2)
    with pytest.raises(BatchError, match="did not answer for") as error:
        pbs.status(["15.server", "16.server"])
    assert not error.value.final


def test_an_old_qstat_without_json(commands, pbs):
    commands.says("qstat", err="qstat: invalid option -- 'F'\nusage: qstat\n", status=2, call=1)
    commands.says("qstat", said("wide.txt"), call=2)
    assert len(pbs.status(["15.server", "16.server"])) == 2


def test_folded_lines_and_variables_that_look_like_attributes():
    text = (
        "Job Id: 7.server\n    job_state = F\n    comment = Job run at Fri Nov 27\n\t at 10:12 on (n1:ncpus=1)\n\t and failed\n"
        "    Variable_List = A=1\n    job_state = R\n    Exit_status = 3\n\n"
    )
    found = pbs_answers.read_text(text)["7.server"]
    assert found["job_state"] == "F"
    assert found["comment"] == "Job run at Fri Nov 27 at 10:12 on (n1:ncpus=1) and failed"
    assert found["Exit_status"] == "3"


def test_unknown_ids_are_absent(commands, pbs):
    commands.says("qstat", '{"timestamp": 1}', err="qstat: Unknown Job Id 30.server\n", status=153)
    assert pbs.status(["30.server"]) == {}
    assert len(commands.calls) == 1


def test_known_and_unknown_ids(commands, pbs):
    commands.says("qstat", said("several.json"), err="qstat: Unknown Job Id 99999.server\n", status=153)
    assert pbs.status(["1.server", "99999.server", "nonsense"]).keys() == {"1.server"}
    assert "nonsense" not in commands.calls[0]


def test_no_ids_no_question(commands, pbs):
    assert pbs.status([]) == {}
    assert commands.calls == []


def test_ids_without_the_name_of_the_server(commands, pbs):
    commands.says("qstat", said("several.json"))
    assert pbs.status(["4"])["4"].exit == -29


def test_a_server_that_keeps_no_history(commands, pbs):
    """It says so with status 0 and nothing else."""
    commands.says("qstat", "{}", err="qstat: PBS is not configured to maintain job history\n", call=1)
    commands.says(
        "qstat",
        said("several.json").replace(b'"F"', b'"R"'),
        err="qstat: 9.server Job has finished, use -x or -H to obtain historical job information\n",
        status=35,
        call=2,
    )
    found = pbs.status(["1.server", "9.server"])
    assert found["1.server"].state is BatchState.RUNNING
    assert found["9.server"] == BatchStatus(BatchState.ENDED, "PBS keeps no history of it")
    assert commands.calls[1] == "qstat -f -F json -E 1.server 9.server"


@pytest.mark.parametrize(
    "status, err",
    [
        (255, "Connection refused\nqstat: cannot connect to server server (errno=15010)\n"),
        (186, "qstat: No server to connect to\n"),
    ],
)
def test_a_dead_server_is_no_answer(commands, pbs, status, err):
    commands.says("qstat", '{"timestamp": 1}', err=err, status=status)
    with pytest.raises(BatchError, match="did not say how") as error:
        pbs.status(["1.server"])
    assert not error.value.final


# find, cancel


def test_find(commands, pbs):
    commands.says("qselect", "17.server\n18.server\n")
    assert pbs.find("block-1") == ["17.server", "18.server"]
    assert commands.calls == ["qselect -x -N block-1"]


def test_find_without_history(commands, pbs):
    commands.says("qselect", "", err="qselect: PBS is not configured to maintain job history\n", call=1)
    commands.says("qselect", "17.server\n", call=2)
    assert pbs.find("block-1") == ["17.server"]


def test_find_without_an_answer(commands, pbs):
    commands.says("qselect", err="qselect: cannot connect to server server (errno=15010)\n", status=162)
    with pytest.raises(BatchError, match="cannot connect") as error:
        pbs.find("block-1")
    assert not error.value.final


@pytest.mark.parametrize(
    "status, err",
    [
        (0, ""),
        (35, "qdel: Job has finished 1.server\n"),
        (153, "qdel: Unknown Job Id 1.server\n"),
        (168, "qdel: Request invalid for state of job 1.server\n"),
    ],
)
def test_cancel_what_has_ended_is_no_error(commands, pbs, status, err):
    commands.says("qdel", err=err, status=status)
    pbs.cancel("1.server")
    pbs.cancel("nonsense")
    assert commands.calls == ["qdel 1.server"]


@pytest.mark.parametrize(
    "status, err, final", [(159, "qdel: Unauthorized Request  1.server\n", True), (162, "", False)]
)
def test_cancel_refused(commands, pbs, status, err, final):
    commands.says("qdel", err=err, status=status)
    with pytest.raises(BatchError, match=f"status {status}") as error:
        pbs.cancel("1.server")
    assert error.value.final is final


def test_words_for_people(commands, pbs):
    commands.says("qsub", err="qsub: no \x1b[31mred\x07\nqsub: " + "x" * 1000 + "\n", status=170)
    with pytest.raises(BatchError) as error:
        pbs.submit(SCRIPT, "b")
    assert "no �[31mred�; xxx" in error.value.message
    assert len(error.value.message) < 600


# queues


def test_queues_as_a_real_server_tells_of_them(commands, pbs):
    commands.says("qstat", said("queues.json"))
    queues = pbs.queues()
    assert commands.calls == ["qstat -Q -f -F json"]
    assert queues["debug"] == QueueToday("debug", nodes=(1, 2), walltime=(5.0, 3600.0), jobs_per_user=100)
    assert queues["prod"] == QueueToday("prod", leads_to=("small", "medium"))
    assert queues["medium"] == QueueToday(
        "medium", direct=False, nodes=(3, 4), walltime=(0.0, 6 * 3600.0), jobs_per_user=100
    )
    assert queues["workq"] == QueueToday("workq")
    assert len(queues) == 8


TEXT = """\
Queue: debug
    queue_type = Execution
    resources_max.nodect = 2
    resources_max.walltime = 01:00:00
    max_queued = [u:PBS_GENERIC=5],
\t[p:PBS_GENERIC=20]
    enabled = True
    started = False

Queue: closed
    queue_type = Execution
    enabled = False
    started = True

"""


def test_queues_of_an_old_server_are_read_as_text(commands, pbs):
    commands.says("qstat", err="qstat: invalid option -- 'F'\n", status=2, call=1)
    commands.says("qstat", TEXT)
    assert pbs.queues() == {
        "debug": QueueToday(
            "debug", started=False, nodes=(1, 2), walltime=(0.0, 3600.0), jobs_per_user=5, jobs_per_project=20
        ),
        "closed": QueueToday("closed", enabled=False),
    }


@pytest.mark.parametrize(
    "limit, most", [("[u:PBS_GENERIC=5], [u:me=7]", 7), ("[o:PBS_ALL=3]", None), ("[u:you=1]", None)]
)
def test_which_limit_of_a_queue_counts(commands, pbs, monkeypatch, limit, most):
    monkeypatch.setenv("LOGNAME", "me")
    commands.says("qstat", json.dumps({"Queue": {"q": {"max_queued": limit}}}))
    assert pbs.queues()["q"].jobs_per_user == most


@pytest.mark.parametrize(
    "out, err, status",
    [
        (said("queues.json")[:1500], b"", 0),
        (TEXT[:150], b"", 0),
        (TEXT[20:], b"", 0),
        ("", "qstat: cannot connect to server pbs (errno=15010)\n", 255),
        ('{"Queue": [1]}', b"", 0),
        ("[]", "", 0),
    ],
)
def test_queues_that_are_told_of_by_half_are_not_known(commands, pbs, out, err, status):
    commands.says("qstat", out, err if isinstance(err, str) else err.decode(), status)
    with pytest.raises(BatchError, match="PBS did not say what its queues are"):
        pbs.queues()


@given(st.text() | st.from_regex(r"(Queue: [a-z]+\n(    [a-z._]+ = [^\n]*\n)*\n)+", fullmatch=True))
def test_whatever_is_said_of_queues_is_read_or_passed_over(text):
    assert all(isinstance(queue, QueueToday) for queue in read_queues(text).values())


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda x: (
            st.lists(x)
            | st.dictionaries(
                st.sampled_from(["Queue", "q", "enabled", "resources_max", "walltime", "nodect", "max_queued"]), x
            )
        ),
    )
)
def test_whatever_json_is_said_of_queues(value):
    assert all(isinstance(queue, QueueToday) for queue in read_queues(json.dumps({"Queue": value})).values())
