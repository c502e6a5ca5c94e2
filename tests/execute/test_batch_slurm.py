"""Slurm: misbehaviour by fake commands, and a real one that is started here where it is installed."""

import os
import subprocess
import time
from pathlib import Path

import pytest
import real_slurm
from batch_box import Commands, Prompt

from flowrules.errors import BatchError, BatchFull
from flowrules.execute.batch.slurm import Slurm
from flowrules.model.batch import BatchState, BatchStatus, QueueToday

SCRIPT = "#!/bin/bash\n#SBATCH --time=5\ntrue\n"
DISABLED = "Slurm accounting storage is disabled\n"


@pytest.fixture
def commands(tmp_path, monkeypatch) -> Commands:
    return Commands(tmp_path, monkeypatch)


def row(id: int, state: str, exit: str = "0", reason: str = "None") -> str:
    return f"{id:<20}{state:<20}{exit:<20}{reason:<160}\n"


# with fake commands


def test_submission(commands):
    commands.says("sbatch", "17;cluster\n", err="sbatch: a hint of the site\n", reads=True)
    assert Prompt(Slurm()).submit(SCRIPT, "block-1") == "17"
    assert commands.read("sbatch") == SCRIPT
    assert commands.calls == ["sbatch --parsable --job-name=block-1"]


FAILED = "sbatch: error: Batch job submission failed: "


@pytest.mark.parametrize(
    "err, kind, final",
    [
        (FAILED + "Invalid partition name specified\n", BatchError, True),
        (FAILED + "Requested node configuration is not available\n", BatchError, True),
        ("sbatch: error: Invalid --time specification\n", BatchError, True),
        (
            "sbatch: error: QOSMaxWallDurationPerJobLimit\n" + FAILED + "Job violates accounting/QOS policy\n",
            BatchError,
            True,
        ),
        (
            "sbatch: error: QOSMaxSubmitJobPerUserLimit\n" + FAILED + "Job violates accounting/QOS policy\n",
            BatchFull,
            True,
        ),
        ("sbatch: error: AssocGrpSubmitJobsLimit\n" + FAILED + "Job violates accounting/QOS policy\n", BatchFull, True),
        (FAILED + "Unable to contact slurm controller (connect failure)\n", BatchError, False),
        (FAILED + "Socket timed out on send/recv operation\n", BatchError, False),
        (FAILED + "Slurm temporarily unable to accept job, sleeping and retrying\n", BatchError, False),
        ("sbatch: error: resolve_ctls: Could not establish a configuration source\n", BatchError, False),
        ("", BatchError, False),
    ],
)
def test_refusals(commands, err, kind, final):
    commands.says("sbatch", err=err, status=1)
    with pytest.raises(BatchError) as error:
        Prompt(Slurm()).submit(SCRIPT, "b")
    assert type(error.value) is kind
    assert error.value.final is final


def test_an_id_that_was_lost(commands):
    commands.says("sbatch", "")
    with pytest.raises(BatchError, match="did not say the id") as error:
        Prompt(Slurm()).submit(SCRIPT, "b")
    assert not error.value.final


def test_states_of_squeue(commands):
    said = {
        1: ("PENDING", "0", "Resources"),
        2: ("PENDING", "0", "JobHeldUser"),
        3: ("PENDING", "0", "launch failed requeued held"),
        4: ("RUNNING", "0", "None"),
        5: ("COMPLETING", "0", "None"),
        6: ("COMPLETED", "0", "None"),
        7: ("FAILED", "768", "NonZeroExitCode"),
        8: ("TIMEOUT", "0", "TimeLimit"),
        9: ("NODE_FAIL", "0", "None"),
        10: ("CANCELLED", "15", "None"),
        11: ("SUSPENDED", "0", "None"),
    }
    commands.says("squeue", "".join(row(id, *parts) for id, parts in said.items()))
    found = Prompt(Slurm()).status([str(id) for id in said])
    ended = BatchState.ENDED
    assert {int(id): status for id, status in found.items()} == {
        1: BatchStatus(BatchState.QUEUED, "Resources"),
        2: BatchStatus(BatchState.HELD, "JobHeldUser"),
        3: BatchStatus(BatchState.HELD, "launch failed requeued held"),
        4: BatchStatus(BatchState.RUNNING),
        5: BatchStatus(BatchState.RUNNING),
        6: BatchStatus(ended, "", 0),
        7: BatchStatus(ended, "its script ended with status 3", 3),
        8: BatchStatus(ended, "was ended at its walltime (TimeLimit)"),
        9: BatchStatus(ended, "was ended because one of its nodes was lost"),
        10: BatchStatus(ended, "was cancelled", 271),
        11: BatchStatus(BatchState.HELD),
    }


def test_what_squeue_has_forgotten_is_in_the_accounts(commands):
    commands.says("squeue", row(1, "RUNNING"))
    commands.says("sacct", "2|FAILED|3:0|None\n3|CANCELLED by 1000|0:15|None\n4|COMPLETED|0:0\n")
    found = Prompt(Slurm()).status(["1", "2", "3", "4", "5"])
    assert {id: (s.state.name, s.exit) for id, s in found.items()} == {
        "1": ("RUNNING", None),
        "2": ("ENDED", 3),
        "3": ("ENDED", 271),
        "4": ("ENDED", 0),
    }
    assert "--jobs=2,3,4,5" in commands.calls[1]


@pytest.mark.parametrize("without", [DISABLED, None])
def test_a_site_without_accounts_is_asked_for_them_once(commands, without):
    commands.says("squeue", err="slurm_load_jobs error: Invalid job id specified\n", status=1)
    if without:
        commands.says("sacct", err=without, status=1)
    slurm = Prompt(Slurm())
    assert slurm.status(["7"]) == slurm.status(["7"]) == {}
    assert sum(call.startswith("sacct") for call in commands.calls) == (1 if without else 0)


def test_accounts_that_do_not_answer_are_no_answer(commands):
    commands.says("squeue", row(1, "RUNNING"))
    commands.says("sacct", err="sacct: error: slurm_persist_conn_open: Connection refused\n", status=1)
    assert Prompt(Slurm()).status(["1"]).keys() == {"1"}
    with pytest.raises(BatchError) as error:
        Prompt(Slurm()).status(["1", "2"])
    assert not error.value.final


@pytest.mark.parametrize(
    "out, err, status",
    [
        ("", "slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n", 1),
        (row(1, "RUNNING") + "2     RUN", "", 0),
    ],
)
def test_half_an_answer_is_none(commands, out, err, status):
    commands.says("squeue", out, err=err, status=status)
    with pytest.raises(BatchError) as error:
        Prompt(Slurm()).status(["1", "2"])
    assert not error.value.final


def test_a_command_that_hangs_is_ended(commands):
    for command in ("sbatch", "squeue", "scancel"):
        commands.says(command, hangs=True)
    slurm = Prompt(Slurm(limit=0.3))
    for call in (
        lambda: slurm.submit(SCRIPT, "b"),
        lambda: slurm.status(["1"]),
        lambda: slurm.find("b"),
        lambda: slurm.cancel("1"),
    ):
        with pytest.raises(BatchError, match="did not answer within"):
            call()


def test_find(commands):
    commands.says("squeue", "12\n13\n")
    commands.says("sacct", "11\n12\n")
    assert Prompt(Slurm()).find("b") == ["12", "13", "11"]


def test_people_s_own_settings_do_not_matter(commands, monkeypatch):
    commands.says("squeue", "")
    commands.says("sacct", "")
    (commands.folder / "bin/squeue").write_text('#!/bin/sh\necho "${SQUEUE_FORMAT-99}"\n')
    monkeypatch.setenv("SQUEUE_FORMAT", "1")
    assert Prompt(Slurm()).find("b") == ["99"]


@pytest.mark.parametrize(
    "err", ["", "scancel: error: Kill job error on job id 1: Job/step already completing or completed\n"]
)
def test_cancel_what_has_ended_is_no_error(commands, err):
    commands.says("scancel", err=err, status=1 if err else 0)
    Prompt(Slurm()).cancel("1")
    Prompt(Slurm()).cancel("nonsense")
    assert commands.calls == ["scancel 1"]


def test_cancel_refused(commands):
    commands.says("scancel", err="scancel: error: Kill job error on job id 1: Access/permission denied\n", status=1)
    with pytest.raises(BatchError, match="permission denied") as error:
        Prompt(Slurm()).cancel("1")
    assert error.value.final


# the real thing


PARTITIONS = """\
PartitionName=debug AllowGroups=ALL Default=YES DefaultTime=NONE MaxNodes=8 MaxTime=00:30:00 MinNodes=2 State=UP
PartitionName=long AllowGroups=ALL MaxNodes=UNLIMITED MaxTime=7-00:00:00 MinNodes=0 State=DOWN TotalNodes=4
PartitionName=old AllowGroups=staff MaxNodes=UNLIMITED MaxTime=UNLIMITED MinNodes=0 State=DRAIN
PartitionName=off MaxTime=UNLIMITED State=INACTIVE
"""


def test_partitions(commands):
    commands.says("scontrol", PARTITIONS)
    assert Prompt(Slurm()).queues() == {
        "debug": QueueToday("debug", nodes=(2, 8), walltime=(0.0, 1800.0)),
        "long": QueueToday("long", started=False, walltime=(0.0, 7 * 86400.0)),
        "old": QueueToday("old", enabled=False),
        "off": QueueToday("off", enabled=False, started=False),
    }
    assert commands.calls == ["scontrol --all --oneliner show partition"]


@pytest.mark.parametrize(
    "out, err, status", [(PARTITIONS[:-20], "", 0), ("", "", 0), ("", "slurm_load_partitions: Unable to contact", 1)]
)
def test_partitions_that_are_told_of_by_half_are_not_known(commands, out, err, status):
    commands.says("scontrol", out, err, status)
    with pytest.raises(BatchError, match="scontrol"):
        Prompt(Slurm()).queues()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    if why := real_slurm.missing():
        pytest.skip(why)
    yield from real_slurm.slurm(tmp_path_factory.mktemp("slurm"))


@pytest.fixture
def slurm(cluster, tmp_path, monkeypatch) -> Slurm:
    monkeypatch.setenv("SLURM_CONF", str(cluster))
    return Prompt(Slurm(directory=str(tmp_path)))


def until(slurm: Slurm, id: str, state: BatchState) -> BatchStatus:
    end = time.monotonic() + 150
    while (found := slurm.status([id]).get(id)) is None or found.state is not state:
        assert time.monotonic() < end, f"{id} is {found}, not {state}"
        time.sleep(0.1)
    return found


@pytest.mark.slurm
@pytest.mark.slow
class TestRealSlurm:
    """Two nodes of one machine, without accounts."""

    @pytest.mark.parametrize("text, exit", [("exit 0", 0), ("exit 3", 3), ("kill -9 $$", 265)])
    def test_it_runs_to_its_end(self, slurm, text, exit):
        name = f"end{exit}"
        id = slurm.submit(f"#!/bin/bash\n#SBATCH -t 1\n{text}\n", name)
        assert slurm.find(name) == [id]
        assert until(slurm, id, BatchState.ENDED).exit == exit
        assert slurm.find(name) == [id]

    def test_two_nodes_where_it_was_submitted(self, slurm, tmp_path):
        id = slurm.submit("#!/bin/bash\n#SBATCH -N 2 -t 1\necho $SLURM_JOB_NODELIST > nodes\n", "two")
        assert until(slurm, id, BatchState.ENDED).exit == 0
        assert (tmp_path / "nodes").read_text() == "n[1-2]\n"

    def test_cancel(self, slurm):
        running = slurm.submit("#!/bin/bash\nsleep 60\n", "a")
        until(slurm, running, BatchState.RUNNING)
        held = slurm.submit("#!/bin/bash\n#SBATCH --hold\nsleep 60\n", "a")
        assert slurm.status([held])[held] == BatchStatus(BatchState.HELD, "JobHeldUser")
        for id in (running, held):
            slurm.cancel(id)
        assert until(slurm, running, BatchState.ENDED) == BatchStatus(BatchState.ENDED, "was cancelled", 271)
        assert until(slurm, held, BatchState.ENDED).exit is None
        slurm.cancel(running)
        slurm.cancel("999999")

    def test_known_and_unknown(self, slurm):
        id = slurm.submit("#!/bin/bash\ntrue\n", "a")
        assert slurm.status([id, "999999"]).keys() == {id}
        assert slurm.status(["999999"]) == {}
        assert slurm.find("nobody") == []

    @pytest.mark.parametrize("option", ["-p nosuch", "-t abc", "--nodelist=zz"])
    def test_refusals(self, slurm, option):
        with pytest.raises(BatchError, match="Slurm did not take batch job `b`") as error:
            slurm.submit(f"#!/bin/bash\n#SBATCH {option}\ntrue\n", "b")
        assert error.value.final

    def test_a_partition_and_one_that_is_stopped(self, slurm):
        assert slurm.queues() == {"debug": QueueToday("debug", walltime=(0.0, 3600.0))}
        for state, today in (("DOWN", (True, False)), ("DRAIN", (False, True)), ("INACTIVE", (False, False))):
            subprocess.run(["scontrol", "update", "PartitionName=debug", f"State={state}"], check=True)
            assert (slurm.queues()["debug"].enabled, slurm.queues()["debug"].started) == today
        subprocess.run(["scontrol", "update", "PartitionName=debug", "State=UP"], check=True)

    def test_no_controller(self, slurm, tmp_path, monkeypatch):
        conf = tmp_path / "slurm.conf"
        conf.write_text(
            Path(os.environ["SLURM_CONF"]).read_text().replace("SlurmctldPort=", "MessageTimeout=2\nSlurmctldPort=1 #")
        )
        monkeypatch.setenv("SLURM_CONF", str(conf))
        with pytest.raises(BatchError) as error:
            slurm.status(["1"])
        assert not error.value.final
