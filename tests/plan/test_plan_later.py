"""What besides inputs makes a job wait for a checkpoint, and what cannot be compared before."""

import pytest
from planning import Desk, reasons

READS = """
let PARTS = lines("parts.txt")
rule all:
    input: "n.txt"
checkpoint split:
    input: "src"
    output: "parts.txt"
    shell: "cp {input} {output}"
rule n:
    output: "n.txt"
"""

PLACES = {
    "params": '    params: k=len(PARTS)\n    shell: "echo {params.k} > {output}"',
    "params of a list": '    params: *PARTS\n    shell: "echo {params} > {output}"',
    "params within a dict": '    params: k={"a": [PARTS]}\n    call: "os:getpid"',
    "read directly": '    params: k=lines("parts.txt")[0]\n    shell: "echo {params.k} > {output}"',
    "threads": '    threads: len(PARTS)\n    shell: "echo {threads} > {output}"',
    "resources": '    resources: mem=1GB * len(PARTS)\n    shell: "echo > {output}"',
    "environment": '    env: P=PARTS[0]\n    shell: "echo $P > {output}"',
    "retries": '    retries: len(PARTS)\n    shell: "echo > {output}"',
    "priority": '    priority: len(PARTS)\n    shell: "echo > {output}"',
    "shell": '    shell: "echo {PARTS} > {output}"',
    "message": '    message: "of {PARTS[0]}"\n    shell: "echo > {output}"',
}


@pytest.mark.parametrize("place", PLACES)
def test_whatever_reads_a_checkpoint_waits(place: str) -> None:
    d = Desk(READS + PLACES[place], {"src": "a\nb"})
    plan = d.plan().plan
    assert [job.label for job in plan.jobs if job.waits] == ["n"]
    assert d.run(contents={"parts.txt": "a\nb"}) == ["split", "n"]
    assert d.todo() == []


@pytest.mark.parametrize("place", ["params", "shell"])
def test_what_was_read_counts(place: str) -> None:
    d = Desk(READS + PLACES[place], {"src": "a\nb"})
    d.run(contents={"parts.txt": "a\nb"})
    d.files.write("src", "a\nb\nc")
    assert d.todo() == ["split", "n?"]
    assert reasons(d.plan())["n"] == "waits for a checkpoint: parts.txt"
    assert d.run(contents={"parts.txt": "a\nb\nc"}) == ["split", "n"]
    d.files.write("src", "again")
    assert d.run(contents={"parts.txt": "a\nb\nc"}) == ["split"]


def test_without_a_checkpoint_nobody_waits() -> None:
    d = Desk(
        """
        rule n:
            input: "src"
            output: "n.txt"
            params: k=len(lines("src"))
            shell: "echo {params.k} > {output}"
        """,
        {"src": "a"},
    )
    assert [job for job in d.plan().plan.jobs if job.waits] == []


def test_params_that_need_a_temp_file_that_is_gone_are_no_change() -> None:
    d = Desk(
        """
        rule all:
            input: "b"
        rule a:
            output: temp("a")
            shell: "echo > {output}"
        rule b:
            input: "a"
            output: "b"
            params: k=size(input[0])
            shell: "echo {params.k} > {output}"
        """
    )
    assert d.run() == ["a", "b"]
    d.files.remove("a")
    assert d.todo() == []


def test_params_are_compared_whatever_resources_need() -> None:
    text = """
        rule all:
            input: "b"
        rule a:
            output: temp("a")
            shell: "echo > {output}"
        rule b:
            input: "a"
            output: "b"
            params: k=1
            resources: mem=2 * size(input[0])
            shell: "echo {params.k} > {output}"
        """
    d = Desk(text)
    assert d.run() == ["a", "b"]
    d.files.remove("a")
    assert d.todo() == []
    d.write(text.replace("k=1", "k=2"))
    assert reasons(d.plan())["b"] == "changed params"


def test_what_has_run_is_not_forced_again() -> None:
    d = Desk(READS + PLACES["params"], {"src": "a\nb"})
    d.run(contents={"parts.txt": "a\nb"})
    assert d.todo(forceall=True) == ["split", "n"]
    [split] = [job for job in d.plan().plan.jobs if job.rule.name == "split"]
    assert d.todo(forceall=True, spared=frozenset({(split.rule.index, split.values)})) == ["n"]
