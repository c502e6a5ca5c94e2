"""What batch systems answer, damaged in every way: read as far as it is whole, or said to be no answer; never an exception.

Begins with answers that a real PBS gave (`tests/execute/pbs`), and with rows as Slurm writes them.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable

import pytest
from fuzzing import ROOT, cases, damaged, lawful

from flowrules.execute.batch import pbs, slurm
from flowrules.execute.batch.commands import Answer
from flowrules.execute.batch.patience import finish
from flowrules.execute.batch.pbs import Pbs
from flowrules.execute.batch.pbs_queues import read_queues
from flowrules.execute.batch.slurm import Slurm
from flowrules.model.batch import BatchState, BatchStatus, QueueToday

RECORDED = {path.name: path.read_bytes() for path in sorted((ROOT / "tests/execute/pbs").iterdir())}
IDS = ("1.server", "2.server", "3.server", "15.server", "7.pbs", "12[].server")
ERRORS = (
    b"",
    b"qstat: Unknown Job Id 2.server\n",
    b"qstat: 15.server Job has finished, use -x\n",
    b"Connection refused\n",
)

SQUEUE = "".join(
    f"{id:<20}{state:<20}{exit:<20}{reason:<160}\n"
    for id, state, exit, reason in (
        (1, "PENDING", "0", "Resources"),
        (2, "RUNNING", "0", "None"),
        (3, "COMPLETED", "0", "None"),
        (4, "FAILED", "768", "NonZeroExitCode"),
        (5, "NODE_FAIL", "0", "node x has gone"),
    )
).encode()
SACCT = b"1|CANCELLED by 1000|0:15|None\n2|TIMEOUT|0:1|None\n3|COMPLETED|0:0|\n9|OUT_OF_MEMORY|0:125|OutOfMemory\n"
PARTITIONS = (
    b"PartitionName=debug AllowGroups=ALL State=UP MinNodes=1 MaxNodes=4 MaxTime=1-00:30:00 TotalNodes=9\n"
    b"PartitionName=long State=DRAIN MinNodes=0 MaxNodes=UNLIMITED MaxTime=UNLIMITED\n"
)


def answering(chance: random.Random, answers: tuple[bytes, ...], errors: tuple[bytes, ...]) -> Callable[..., object]:
    """Stands for `asking`: each command says something damaged, and has any exit status."""

    def asking(argv, **more):
        raw = chance.choice(answers)
        out = damaged(chance, raw) if chance.random() < 0.9 else raw
        err = damaged(chance, chance.choice(errors)) if chance.random() < 0.3 else chance.choice(errors)
        status = chance.choice((0, 0, 0, 1, 2, 35, 153, 255, -9))
        return Answer(status, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))
        yield

    return asking


def check(found: dict[str, BatchStatus], ids: tuple[str, ...]) -> None:
    assert set(found) <= set(ids)
    for status in found.values():
        assert isinstance(status.state, BatchState)
        assert status.exit is None or isinstance(status.exit, int)


def check_queues(found: dict[str, QueueToday]) -> None:
    for queue in found.values():
        assert queue.nodes[0] >= 0 and queue.walltime[0] >= 0


def ask_all(label: str, system: Pbs | Slurm, ids: tuple[str, ...]) -> None:
    lawful(label, lambda: check(finish(system.status(ids)), ids))
    lawful(label, lambda: check_queues(finish(system.queues())))
    lawful(label, lambda: finish(system.submit("#!/bin/bash\n", "b")))
    lawful(label, lambda: finish(system.find("b")))
    lawful(label, lambda: finish(system.cancel(ids[0])))


def test_answers_of_pbs(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = tuple(RECORDED.values())
    for label, chance in cases("pbs", 150):
        monkeypatch.setattr(pbs, "asking", answering(chance, answers, ERRORS))
        ask_all(label, Pbs(), IDS)


def odd(chance: random.Random, value: object) -> object:
    """A value of JSON that is not what it should be, somewhere inside of another."""
    if isinstance(value, dict) and value and chance.random() < 0.8:
        key = chance.choice(list(value))
        return {**value, key: odd(chance, value[key])}
    return chance.choice(
        (
            None,
            True,
            -1,
            10**18,
            1e308,
            "",
            "9" * 5000,
            "9" * 400 + ":00",
            [],
            {},
            [1],
            {"a": 1},
            "\0",
            "é",
            "-0",
            "²",
            "٣",
        )
    )


def read_all(text: str) -> None:
    check_queues(read_queues(text))
    for attributes in pbs.answers.read_json(text).values():
        pbs.answers.status_of(attributes)


def test_values_of_any_type() -> None:
    texts = [raw for name, raw in RECORDED.items() if name.endswith(".json")]
    for label, chance in cases("json", 150):
        try:
            said = json.loads(chance.choice(texts).decode("utf-8", "replace"), strict=False)
        except ValueError:  # PBS writes what is no JSON
            continue
        for _ in range(3):
            said = odd(chance, said)
        text = json.dumps(said)
        assert lawful(label, read_all, text) is None, label


def test_answers_of_slurm(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = ("1", "2", "3", "4", "5", "9")
    errors = (b"", b"slurm_load_jobs error: Invalid job id specified\n", b"Slurm accounting storage is disabled\n")
    for label, chance in cases("slurm", 150):
        monkeypatch.setattr(slurm, "asking", answering(chance, (SQUEUE, SACCT, PARTITIONS), errors))
        ask_all(label, Slurm(), ids)


@pytest.mark.parametrize("digits", [20, 400, 5000])
def test_numbers_that_are_too_long_are_no_numbers(digits: int) -> None:
    many = "9" * digits
    said = {
        "Queue": {"q": {"resources_max": {"nodect": many, "walltime": f"{many}:00:00"}, "max_queued": f"[u:me={many}]"}}
    }
    (queue,) = read_queues(json.dumps(said)).values()
    assert (queue.nodes, queue.walltime, queue.jobs_per_user) == ((1, None), (0.0, None), None)
    assert slurm._count(many) is None
    assert slurm._exit(f"{many}:0") is None
    assert slurm._seconds(f"{many}-00:00:00") is None
