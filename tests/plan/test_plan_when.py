"""When a job runs: staleness, reasons, cut-off, temp files, forcing."""

import pytest
from planning import Desk, reasons

from flowrules.model.plan import Cause

CHAIN = """
rule all:
    input: "c"
rule b:
    input: "a"
    output: "b"
    shell: "cat {input} > {output}"
rule c:
    input: "b"
    output: "c"
    shell: "cat {input} > {output}"
"""


def desk(text: str = CHAIN, files: "dict[str, str] | None" = None) -> Desk:
    return Desk(text, files or {"a": "1"})


def test_nothing_built() -> None:
    d = desk()
    assert d.todo() == ["b", "c"]
    assert reasons(d.plan()) == {"b": "missing output: b", "c": "missing output: c"}


def test_everything_built() -> None:
    d = desk()
    assert d.run() == ["b", "c"]
    assert d.todo() == []


def test_each_path_is_looked_at_once() -> None:
    d = desk()
    d.run()
    d.files.looks.clear()
    d.plan()
    assert {p: n for p, n in d.files.looks.items() if p in "abc"} == {"a": 1, "b": 1, "c": 1}


def test_without_a_record_time_decides() -> None:
    d = desk(files={"a": "1", "b": "2", "c": "3"})
    assert d.todo() == []
    d.files.tick()
    d.files.write("a", "4")
    assert d.todo() == ["b", "c"]
    assert reasons(d.plan()) == {"b": "newer input: a", "c": "an input will be made anew: b"}


def test_changed_input() -> None:
    d = desk()
    d.run()
    d.files.tick()
    d.files.write("a", "other")
    assert d.todo() == ["b", "c?"]
    assert reasons(d.plan())["b"] == "changed input: a"


def test_an_older_file_put_in_its_place_counts() -> None:
    d = desk()
    d.run()
    d.files.write("a", "other")
    d.files.touch("a", mtime_ns=1)
    assert d.todo() == ["b", "c?"]


def test_a_timestamp_alone_is_no_reason() -> None:
    d = desk()
    d.run()
    d.files.tick()
    d.files.touch("a")
    assert d.todo() == []
    assert d.todo(cutoff=False) == ["b", "c"]


def test_large_files_are_compared_by_size_and_time() -> None:
    d = desk()
    d.run()
    d.files.tick()
    d.files.touch("a")
    assert d.todo(hash_limit=0) == ["b", "c?"]


def test_same_bytes_again_stop_there() -> None:
    d = desk()
    d.run()
    d.files.tick()
    d.files.write("a", "other")
    assert d.run() == ["b"]  # b's content is what it was
    assert d.todo() == []


def test_changed_command() -> None:
    d = desk()
    d.run()
    d.write(CHAIN.replace("cat {input} > {output}", "cat < {input} > {output}", 1))
    assert d.todo() == ["b", "c?"]
    assert reasons(d.plan())["b"].startswith("changed command")


@pytest.mark.parametrize(
    "edit",
    [
        lambda s: s.replace("rule b", "# about b\nrule b"),
        lambda s: s.replace('input: "a"', 'input:\n        "a",'),
        lambda s: s.replace('shell: "cat', 'shell:\n        "cat'),
    ],
)
def test_comments_and_layout_are_no_reason(edit) -> None:
    d = desk()
    d.run()
    d.write(edit(CHAIN))
    assert d.todo() == []


def test_changed_params_config_and_inputs() -> None:
    text = """
    let K = 1
    rule b:
        input: "a", "x" if K > 2 else null
        output: "b"
        params: k=K
        shell: "echo {params.k} {input} > {output}"
    """
    d = Desk(text, "a x")
    d.run()
    d.write(text.replace("K = 1", "K = 2"))
    assert list(reasons(d.plan()).values()) == ["changed params"]
    d.run()
    d.write(text.replace("K = 1", "K = 3"))
    assert list(reasons(d.plan()).values()) == ["changed set of inputs: +x"]
    assert d.todo(triggers=frozenset({"code"})) == []


def test_threads_are_no_reason() -> None:
    text = 'rule b:\n    output: "b"\n    threads: 2\n    shell: "echo {threads} > {output}"\n'
    d = Desk(text)
    d.run()
    d.write(text.replace("threads: 2", "threads: 4"))
    assert d.todo() == []


def test_last_run_did_not_finish() -> None:
    d = desk()
    d.run()
    d.history.started(["b"], "b", {})
    assert d.todo() == ["b", "c?"]
    assert reasons(d.plan())["b"] == "last run did not finish"


def test_missing_intermediate_is_made_only_when_needed() -> None:
    d = desk()
    d.run()
    d.files.remove("b")
    assert d.todo() == []
    d.files.remove("c")
    assert d.todo() == ["b", "c"]


def test_missing_temp_whose_maker_changed_runs() -> None:
    text = CHAIN.replace('output: "b"', 'output: temp("b")')
    d = desk(text)
    d.run()
    d.files.remove("b")
    assert d.todo() == []
    d.files.tick()
    d.files.write("a", "other")
    assert d.todo() == ["b", "c?"]


def test_temp_remade_for_one_user_does_not_run_the_other() -> None:
    text = """
    rule all:
        input: "x", "y"
    rule t:
        input: "a"
        output: temp("t")
        shell: "cat {input} > {output}"
    rule x:
        input: "t"
        output: "x"
        shell: "cat {input} > {output}"
    rule y:
        input: "t"
        output: "y"
        shell: "cat {input} > {output}"
    """
    d = Desk(text, "a")
    d.run()
    d.files.remove("t")
    d.files.remove("y")
    assert d.todo() == ["t", "x?", "y"]
    assert d.run() == ["t", "y"]


def test_may_run_needs_missing_temp() -> None:
    text = """
    rule all:
        input: "z"
    rule t:
        output: temp("t")
        shell: "echo > {output}"
    rule b:
        input: "a"
        output: "b"
        shell: "cat {input} > {output}"
    rule z:
        input: "t", "b"
        output: "z"
        shell: "cat {input} > {output}"
    """
    d = Desk(text, {"a": "1"})
    d.run()
    d.files.remove("t")
    d.files.write("a", "other")
    assert d.todo() == ["t?", "b", "z?"]


def test_ancient_inputs_do_not_count() -> None:
    d = desk(CHAIN.replace('input: "a"', 'input: ancient("a")'))
    d.run()
    d.files.tick()
    d.files.write("a", "other")
    assert d.todo() == []


def test_forcing() -> None:
    d = desk()
    d.run()
    assert d.todo(forceall=True) == ["b", "c"]
    assert d.todo(forcerun=("b",)) == ["b", "c?"]
    assert d.todo("b", force=True) == ["b"]
    assert d.todo(force=True) == ["c"]
    assert d.errors(forcerun=("nope",)) == ["F702 `--forcerun nope` names no rule and no file of this plan"]


def test_until_and_omit_from() -> None:
    d = desk()
    assert d.todo(until=("b",)) == ["b"]
    assert d.todo(omit_from=("c",)) == ["b"]
    assert d.todo(omit_from=("b",)) == []


def test_a_job_without_output_runs_each_time_it_is_asked_for() -> None:
    d = Desk('rule say:\n    input: "a"\n    shell: "cat {input}"\n', "a")
    assert d.todo() == ["say"]
    assert reasons(d.plan()) == {"say": "no output to check"}


def test_protected_files_are_not_overwritten() -> None:
    d = desk(CHAIN.replace('output: "c"', 'output: protected("c")'))
    d.run()
    d.files.protect("c")
    assert d.todo() == []
    assert d.errors(forceall=True) == ["F511 rule `c` would overwrite the protected file `c` (forced)"]


def test_directory_outputs_are_judged_by_what_is_below() -> None:
    text = """
    rule all:
        input: "sum"
    rule parts:
        input: "a"
        output: directory("parts")
        shell: "split {input} {output}/"
    rule sum:
        input: "parts"
        output: "sum"
        shell: "cat {input}/* > {output}"
    """
    d = Desk(text, "a")
    assert d.todo() == ["parts", "sum"]
    planned = d.plan()
    jobs = {job.rule.name: job for job in planned.plan.jobs}
    inputs = [d.files.record("a")]
    d.files.write("parts/1", "x")
    from flowrules.model.record import Record

    f = planned.judge.fingerprints
    for name, made, used in (("parts", "parts", inputs), ("sum", "sum", [d.files.record("parts")])):
        if name == "sum":
            d.files.write("sum", "s")
        d.history.ended(Record(name, {}, [d.files.record(made)], list(used), code=f.code(jobs[name].rule)))
    assert d.todo() == []
    d.files.tick()
    d.files.write("parts/1", "changed")
    assert d.todo() == ["sum"]


def test_a_file_below_a_directory_output_belongs_to_its_rule() -> None:
    text = """
    rule use:
        input: "idx/genome.bin"
        output: "use"
        shell: "cat {input} > {output}"
    rule index:
        output: directory("idx")
        shell: "mkdir {output}; touch {output}/genome.bin"
    """
    assert Desk(text).todo("use") == ["index", "use"]


@pytest.mark.parametrize("cut", [{"until": ("b",)}, {"omit_from": ("c",)}])
def test_what_is_cut_away_is_not_called_a_source_without_its_own(cut: "dict[str, tuple[str, ...]]") -> None:
    d = desk()
    d.run()
    assert d.plan(**cut).plan.kept == ()
    d.files.remove("a")
    assert d.plan().plan.kept == ("b",)


FOLDER = """
rule all:
    input: "d/x"
rule d:
    output: directory("d")
    log: "d.log"
    shell: "mkdir {output}; touch {output}/x"
"""


def test_a_target_below_a_directory() -> None:
    d = desk(FOLDER, {"other": ""})
    assert reasons(d.plan()) == {"d": "missing output: d/x"}
    d.files.write("d/x", "1")
    d.run("d")
    d.files.write("d/x", "1")
    d.files.write("d.log", "1")
    assert d.todo("d.log", "d/x") == []
    assert reasons(d.plan("d/y")) == {"d": "missing output: d/y"}
    d.files.remove("d.log")
    assert d.todo() == []
    assert reasons(d.plan("d.log")) == {"d": "missing output: d.log"}


def test_a_folder_that_is_read_and_gone() -> None:
    text = """
    rule all:
        input: "b" if exists("d/x") else "a"
    checkpoint d:
        output: directory("d")
        shell: "mkdir {output}"
    """
    d = desk(text, {"a": "", "b": ""})
    assert d.todo() == ["d"]
    d.files.write("d/y", "1")
    assert d.todo() == []


def test_a_changed_command_is_told_by_its_text() -> None:
    d = desk()
    d.run()
    d.write(CHAIN.replace('"cat {input} > {output}"\nrule c', '"tac {input} > {output}"\nrule c'))
    planned = d.plan()
    [reason] = [r for rs in planned.plan.reasons for r in rs if r.cause is Cause.CODE]
    assert (reason.old, reason.new) == ("shell\ncat {input} > {output}", "shell\ntac {input} > {output}")
