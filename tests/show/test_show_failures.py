"""`failures` as people and programs see it."""

from __future__ import annotations

import json

from flowrules.model.likeness import Failure, alike
from flowrules.model.record import Record
from flowrules.show.failures import failures_json, render_failures


def failure(rule: str, n: int, text: str, exit: int = 1, error: str = "") -> Failure:
    log = f".flowrules/logs/{rule}/{n}.log"
    record = Record(
        rule, {"n": str(n)}, [], status="failed", exit=exit, error=error, started=10.0, ended=12.5, host="x1", log=log
    )
    return Failure(record, text.splitlines())


MADE = [
    *(failure("relax", n, f"step {n}\nerror: no convergence after {n} steps") for n in range(6)),
    failure("dock", 1, "bash: line 1: vina: command not found", 127),
    failure("dock", 2, "", -15, "it was stopped after its walltime of 60s"),
]


def test_text() -> None:
    assert render_failures(alike(MADE)) == (
        """\
8 jobs failed, in 3 different ways

1. relax, 6 jobs: exit status 1
   the last one was relax n=5 on x1, 2.5s
   | step 5
   | error: no convergence after 5 steps
   logs:
     .flowrules/logs/relax/5.log
     .flowrules/logs/relax/4.log
     .flowrules/logs/relax/3.log
     … and 3 more (`flowrules failures --all` names them)

2. dock: exit status 127
   the command `vina` was not found
   hint: install it, or load it in `worker_init` of the profile, where jobs run in blocks
   it was dock n=1 on x1, 2.5s
   | bash: line 1: vina: command not found
   log: .flowrules/logs/dock/1.log

3. dock: killed by SIGTERM, it was stopped after its walltime of 60s
   hint: raise `walltime` of rule `dock`
   it was dock n=2 on x1, 2.5s
   log: .flowrules/logs/dock/2.log (empty)"""
    )


def test_all_names_every_log() -> None:
    text = render_failures(alike(MADE), everything=True)
    assert all(one.record.log in text for one in MADE)


def test_nothing_failed() -> None:
    assert render_failures([]) == "no job has failed, or what failed has ended well since"


def test_five_thousand_failures_fit_a_screen() -> None:
    word = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"]
    made = [failure("relax", n, f"error: {word[n % 8]} {word[n // 8 % 8]} is wrong") for n in range(5_000)]
    lines = render_failures(alike(made)).splitlines()
    assert lines[0] == "5,000 jobs failed, in 64 different ways"
    assert len(lines) < 130
    assert lines[-2] == "… and 1,872 jobs in 24 more ways"


def test_hostile_text_is_spelt_out() -> None:
    text = render_failures(alike([failure("relax", 1, "error: \x1b[2J")]))
    assert "\x1b" not in text and r"\x1b[2J" in text


def test_json() -> None:
    kinds = [json.loads(line) for line in failures_json(alike(MADE)).splitlines()]
    assert [(kind["rule"], kind["count"], kind["kind"]) for kind in kinds] == [
        ("relax", 6, "status"),
        ("dock", 1, "command"),
        ("dock", 1, "walltime"),
    ]
    assert kinds[0]["jobs"][0] == {
        "job": "relax n=0",
        "wildcards": {"n": "0"},
        "attempt": 1,
        "started": 10.0,
        "ended": 12.5,
        "host": "x1",
        "log": ".flowrules/logs/relax/0.log",
        "error": "",
    }
