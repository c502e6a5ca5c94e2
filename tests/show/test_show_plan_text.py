"""The dry run for a person and for a program."""

import json
from itertools import islice

from show_plans import MAY, MISSING, RUN, SKIP, Builder, Const, entry, molecules

from flowrules.errors import Diagnostic
from flowrules.model.plan import Cause, Plan, Reason
from flowrules.show.plan_text import file_list, plan_lines, reason_lines, render_plan, render_plan_json


def test_rules_with_counts_and_the_main_reasons():
    plan = molecules(3)
    assert (
        render_plan(plan)
        == """\
rule     will run  why
relax           3  missing output
score           3  missing output
summary         1  an input will be made anew: out/m0.csv

7 jobs will run
targets: out/summary.csv"""
    )


def test_may_run_and_up_to_date_have_columns_where_they_occur():
    b = Builder()
    b.add("a", outputs=["1"], x="1")
    b.add("a", outputs=["2"], decision=SKIP, x="2")
    b.add("b", (0,), outputs=["3"], decision=MAY, reasons=(Reason(Cause.UPSTREAM),), x="3")
    b.add("c", outputs=["4"], decision=SKIP)
    assert (
        render_plan(b.plan)
        == """\
rule  will run  may run  up to date  why
a            1                    1  missing output: out
b                     1              an input will be made anew

1 job will run, 1 may run, 2 are up to date"""
    )


def test_several_reasons_are_counted_most_frequent_first():
    b = Builder()
    for i in range(1500):
        reason = Reason(Cause.CODE if i % 3 else Cause.MISSING, f"f{i}")
        b.add("a", outputs=[f"{i}"], reasons=(reason, Reason(Cause.NEWER, "x")), x=str(i))
    assert render_plan(b.plan).splitlines()[1] == "a        1,500  changed command (1,000), missing output (500)"


def test_nothing_to_do():
    assert render_plan(molecules(3, SKIP)) == "nothing to do: 7 jobs are up to date\ntargets: out/summary.csv"
    assert render_plan(Plan()) == "nothing to do"


def test_threads_and_resources_where_declared():
    b = Builder()
    b.add(b.rule("wide", ("x",), threads=Const(8), resources=(entry("mem", "16GB"),)), x="1", outputs=["1"])
    b.add(b.rules["wide"], x="2", outputs=["2"])
    by_job = b.rule("by_job", ("x",), resources=(entry("mem", "1GB", per_job=True),))
    for i in range(9):
        b.add(by_job, x=str(i), outputs=[f"b{i}"])
    b.add("plain", outputs=["p"])
    asked = []

    def needs(job):
        asked.append(job.id)
        return {"threads": "8", "mem": f"{16 + job.id}GB", "gpus": "0"}

    lines = render_plan(b.plan, needs=needs).splitlines()
    assert lines[0] == "rule    will run  threads  resources             why"
    assert lines[1] == "wide           2        8  mem=16GB              missing output"
    assert lines[2] == "by_job         9           mem=18GB/19GB/20GB/…  missing output"
    assert lines[3] == "plain          1                                 missing output: out"
    assert asked == [0, *range(2, 11)], "rules whose needs are the same for all jobs are asked once"


def test_what_waits_for_checkpoints_what_is_kept_and_warnings():
    b = Builder()
    b.add(b.rule("choose", ("n",), checkpoint=True), outputs=["rounds/0/chosen.txt"], n="0")
    b.add("merge", (0,), outputs=["m"], waits={"rounds/0/chosen.txt"}, reasons=(Reason(Cause.WAITS),))
    b.plan.unknown = (1,)
    b.plan.kept = ("old\x1b.txt",)
    b.plan.warnings = (Diagnostic("W501", "careful", severity="warning"),)
    text = render_plan(b.plan)
    assert "choose (checkpoint)         1" in text
    assert (
        "\nnot known before a checkpoint has run: details of 1 job (merge 1), waiting for rounds/0/chosen.txt"
        "\nkept as they are, what they were made from is gone: old\\x1b.txt"
        "\n\nwarning[W501]: careful"
    ) in text


def test_verbose_shows_each_job():
    b = Builder()
    reasons = (
        Reason(Cause.CODE, "", "cp a b\nsame", "cp -p a b\nsame"),
        Reason(Cause.PARAMS, "flags", '"-a"', '"-b"'),
        Reason(Cause.NEWER, "in/6"),
    )
    b.add("a", inputs=[f"in/{i}" for i in range(7)], outputs=["out/1"], reasons=reasons, mol="ben\x1bzene")
    b.add("b", (0,), ["out/1"], ["out/2"], MAY, (Reason(Cause.UPSTREAM, "out/1"),))
    b.add("c", outputs=["3"], decision=SKIP)
    text = render_plan(
        b.plan, verbose=True, needs=lambda job: {"threads": "1", "mem": "?"}, command=lambda job: "x\n\ty"
    )
    assert text.split("\nrule")[0] == (
        """\
● a mol=ben\\x1bzene
  why      changed command
             -cp a b
             +cp -p a b
           changed params: flags ("-a" → "-b")
           newer input: in/6
  input    in/0, in/1, in/2, in/3, … 3 more
  output   out/1
  needs    threads=1, mem=?
  command  x
               y

◐ b (may run)
  why      an input will be made anew: out/1
  input    out/1
  output   out/2
  needs    threads=1, mem=?
  command  x
               y
"""
    )


def test_commands_alone():
    b = Builder()
    b.add("a", outputs=["1"])
    assert render_plan(b.plan, command=lambda job: "echo hi").startswith("● a\n  command  echo hi\n\nrule")


def test_long_changes_are_cut():
    old, new = "\n".join(map(str, range(100))), "\n".join(map(str, range(100, 200)))
    lines = reason_lines(Reason(Cause.CODE, "", old, new))
    assert lines[0] == "changed command" and lines[1] == "-0" and lines[-1] == "… 188 more lines"
    assert reason_lines(Reason(Cause.CODE, "", "x\n" * 2000, "y\n" * 10))[1] == "2,000 lines before, 10 lines now"
    assert reason_lines(Reason(Cause.PARAMS, "k", "", "1")) == ["changed params: k (nothing → 1)"]


def test_changed_params_are_told_by_name():
    old, new = '{"items":[3,"a"],"names":{"n":[0,1],"s":[1,2]}}', '{"items":[4,"a"],"names":{"n":[0,1],"s":[1,2]}}'
    assert reason_lines(Reason(Cause.PARAMS, "", old, new)) == ["changed params: n: 3 → 4"]
    assert reason_lines(Reason(Cause.PARAMS, "", old, "")) == ["changed params", "n: 3, no more", 's: "a", no more']
    assert reason_lines(Reason(Cause.PARAMS, "", old, new), most=0) == ["changed params: n: 3 → 4"]
    assert reason_lines(Reason(Cause.PARAMS, "", old, ""), most=1)[1:] == ["n: 3, no more", "… 1 more line"]


def test_a_narrow_terminal_cuts_reasons_not_counts():
    plan = molecules(2)
    lines = render_plan(plan, width=40).splitlines()
    assert all(len(line) <= 40 for line in lines[:4])
    assert lines[3] == "summary         1  an input will be mad…"


def test_file_lists_are_short():
    assert file_list([]) == ""
    assert file_list(["a", "b"]) == "a, b"
    assert file_list([str(i) for i in range(2000)]) == "0, 1, 2, 3, … 1,996 more"
    assert len(file_list(["x" * 500])) == 60


def test_jobs_are_only_described_when_asked_for():
    plan = molecules(100)
    described = []
    lines = plan_lines(plan, verbose=True, command=lambda job: described.append(job.id) or "x")
    list(islice(lines, 6))
    assert described == [0]


def test_json_is_one_object():
    b = Builder()
    b.add("a", inputs=["i"], outputs=["o"], reasons=(Reason(Cause.PARAMS, "k", "1", "2"),), mol="é")
    b.add("b", (0,), ["o"], ["p"], MAY, (Reason(Cause.UPSTREAM, "o"),), waits=["w"])
    b.add("c", decision=SKIP)
    b.add(b.rule("all", action=None), (1,), ["p"], decision=RUN, reasons=MISSING)
    b.plan.targets, b.plan.unknown = ("p",), (1,)
    text = render_plan_json(b.plan, command=lambda job: f"run {job.id}", needs=lambda job: {"threads": "2"})
    assert "\n" not in text and text.isascii()
    found = json.loads(text)
    assert (found["run"], found["may_run"], found["up_to_date"]) == (1, 1, 1)
    assert found["jobs"][0] == {
        "id": 0,
        "rule": "a",
        "wildcards": {"mol": "é"},
        "inputs": ["i"],
        "outputs": ["o"],
        "needs": [],
        "decision": "run",
        "reasons": [{"cause": "changed params", "subject": "k", "old": "1", "new": "2"}],
        "resources": {"threads": "2"},
        "command": "run 0",
    }
    assert found["jobs"][1]["waits_for"] == ["w"] and found["jobs"][1]["needs"] == [0]
    assert "command" not in found["jobs"][2] and "command" not in found["jobs"][3]
