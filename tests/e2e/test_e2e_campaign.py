"""Small workflows in batch blocks, on a machine that the sandbox emulates."""

from __future__ import annotations

import json
import os
import re

from campaign_box import events, gpus_of, most_at_once

# ── shapes of DAGs ───────────────────────────────────────────────────────────────────────────────────────────────

SHAPES = """
let N = [f"{n}" for n in range(20)]
rule all:
    input: "total", "kept", "site"
rule first:
    output: "first/{n}"
    resources: gpus=1
    shell: "echo {n} > {output}; sleep 0.0{wildcards.n}"
rule left:
    input: "first/{n}"
    output: temp("left/{n}")
    group: "pair"
    shell: "sed s/^/l/ {input} > {output}"
rule right:
    input: "first/{n}"
    output: temp("right/{n}")
    group: "pair"
    shell: "sed s/^/r/ {input} > {output}"
rule join:
    input: "left/{n}", "right/{n}"
    output: "join/{n}"
    group: "pair"
    shell: "cat {input} > {output}"
rule total:
    input: expand("join/{n}", n=N)
    output: "total"
    shell: "cat {input} > {output}"
rule kept:
    input: "total"
    output: "kept"
    local: true
    shell: "echo ${FLOWRULES_BLOCK-none} > {output}; wc -l < {input} >> {output}"
rule site:
    input: "kept"
    output: "site"
    shell: "echo ${FLOWRULES_BLOCK+block} > {output}"
"""


def test_diamonds_fan_in_groups_temp_files_and_local_jobs(campaign) -> None:
    box = campaign(SHAPES)
    before = sorted(os.listdir(box.path))
    plan = box.ok("-n", *box.batch("-j", "6"))
    assert sorted(os.listdir(box.path)) == before, "a dry run writes nothing"
    (predicted,) = re.findall(r"(\d+) blocks?,", plan)

    told = events(box.campaign("-j", "6", "--format", "json"))
    assert box.read("total") == "".join(f"l{n}\nr{n}\n" for n in range(20))
    assert box.read("kept") == "none\n40\n" and box.read("site") == "block\n"
    assert not os.listdir(box.path / "left") and not os.listdir(box.path / "right")
    assert len(box.blocks) == int(predicted)

    records = box.history()
    assert len(records) == 83 and all(record["status"] == "done" for record in records)
    in_blocks = [record for record in records if record["rule"] != "kept"]
    assert most_at_once(in_blocks) <= 6
    on_gpus = gpus_of(records)
    assert len(on_gpus) == 4 and all(most_at_once(each) == 1 for each in on_gpus.values())

    ended = [event for event in told if event["event"] == "job_ended"]
    assert len(ended) == 83 and ended[-1]["settled"] == 83
    started = {event["job"]: event for event in told if event["event"] == "job_started"}
    assert {event["node"] for event in started.values() if event["rule"] == "first"} == set(box.hosts("b001"))
    assert told[-1] == {**told[-1], "event": "finished", "ok": True, "done": 83, "failed": 0}

    assert box.todo(*box.batch()) == {}
    before = len(box.blocks)
    box.campaign("-j", "6")
    assert len(box.blocks) == before, "what is up to date needs no block"
    box.alone()


def test_a_checkpoint_makes_the_dag_grow(campaign) -> None:
    box = campaign(
        """
        let PARTS = lines("parts.txt")
        rule all:
            input: "count.txt", [f"out/{p}.txt" for p in PARTS]
        checkpoint split:
            input: "src"
            output: "parts.txt"
            shell: "cat {input} > {output}"
        rule one:
            output: "out/{p}.txt"
            shell: "echo {p} > {output}"
        rule two:
            input: "out/{p}.txt"
            output: temp("two/{p}.txt")
            shell: "cat {input} {input} > {output}"
        rule count:
            input: [f"two/{p}.txt" for p in PARTS]
            output: "count.txt"
            shell: "wc -l {input} | tail -n 1 > {output}"
        """,
        {"src": "".join(f"p{n}\n" for n in range(12))},
    )
    box.campaign("-j", "4")
    assert box.read("count.txt").split() == ["24", "total"]
    assert box.ran() == {"split": 1, "one": 12, "two": 12, "count": 1}
    box.write("src", "p3\np4\np20\n")
    box.campaign("-j", "4")
    assert box.read("count.txt").split() == ["6", "total"]
    assert box.ran()["one"] == 13, "only one part is new"
    assert box.todo(*box.batch()) == {}


def test_cut_off_and_changed_params(campaign) -> None:
    box = campaign(
        """
        rule all:
            input: expand("c/{n}", n=["0", "1", "2"])
        rule a:
            input: "in/{n}"
            output: "a/{n}"
            shell: "head -n 1 {input} > {output}"
        rule b:
            input: "a/{n}"
            output: "b/{n}"
            params: times=2
            shell: "for i in $(seq {params.times}); do cat {input}; done > {output}"
        rule c:
            input: "b/{n}"
            output: "c/{n}"
            shell: "cp {input} {output}"
        """,
        {f"in/{n}": f"{n}\nmore\n" for n in range(3)},
    )
    box.campaign("-j", "4")
    box.write("in/1", "1\nmore and more\n")
    box.campaign("-j", "4")
    assert box.ran() == {"a": 4, "b": 3, "c": 3}, "what `a` made is as before"
    box.write("Flowfile", box.read("Flowfile").replace("times=2", "times=3"))
    box.campaign("-j", "4")
    assert box.ran() == {"a": 4, "b": 6, "c": 6}
    assert box.read("c/2") == "2\n2\n2\n"


# ── what jobs are ────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_kind_of_action_nasty_names_and_late_outputs(campaign) -> None:
    nasty = ["a b", "quo'te", 'dou"ble', "$HOME", "semi;colon", "ümläut", "-dash", "new`tick`", "back\\slash", "a&b|c"]
    box = campaign(
        """
        let NAMES = json("names.json")
        rule all:
            input: "filled.txt", "late", [f"done/{n}.out" for n in NAMES]
        rule name:
            output: "made/{n}.txt"
            resources: gpus=0.25
            shell: "printf '%s\\n' {n} > {output}"
        rule finish:
            input: "made/{n}.txt"
            output: "done/{n}.out"
            log: "logs of/{n}.log"
            shell: "cat {input} > {output}; echo said {n} > {log}"
        rule run_it:
            output: "run.txt"
            run:
                with open(output[0], "w") as file:
                    file.write("run it 1")
        rule script_it:
            input: "run.txt"
            output: "script.txt"
            script: "s.py"
        rule call_it:
            input: "script.txt"
            output: "call.txt"
            call: "lib/f.py:go"
        rule fill:
            input: "call.txt"
            output: "filled.txt"
            template: "t.j2"
        rule late:
            output: "late"
            shell: "(sleep 0.4; echo late > {output}.tmp; mv {output}.tmp {output}) & echo now"
        """,
        {
            "names.json": json.dumps(nasty),
            "s.py": "from flowrules import job\nopen(job.output[0], 'w').write(open(job.input[0]).read() + '!')\n",
            "lib/f.py": "def go(job):\n    open(job.output[0], 'w').write(open(job.input[0]).read() + '?')\n",
            "t.j2": "made of {{ input[0] }}\n",
        },
    )
    box.campaign("-j", "8")
    for name in nasty:
        assert box.read(f"done/{name}.out") == f"{name}\n"
        assert box.read(f"logs of/{name}.log") == f"said {name}\n"
    assert box.read("call.txt") == "run it 1!?"
    assert box.read("late") == "late\n"
    for each in gpus_of(box.history()).values():
        assert most_at_once(each) <= 4, "four quarters of a GPU"
    assert box.todo(*box.batch()) == {}


def test_jobs_of_several_nodes_and_gpus(campaign) -> None:
    box = campaign(
        """
        rule all:
            input: "wide/0", "wide/1", expand("gpu/{n}", n=[f"{n}" for n in range(16)])
        rule wide:
            output: "wide/{n}"
            resources: nodes=2, ranks_per_node=4
            shell: "echo $FLOWRULES_NODES {mpirun} > {output}; sleep 0.3"
        rule gpu:
            output: "gpu/{n}"
            resources: gpus=2
            shell: "echo $CUDA_VISIBLE_DEVICES > {output}; sleep 0.2"
        """,
    )
    box.campaign("-j", "8", "--set", "blocks.nodes=2", "--set", "blocks.max=1")
    (block,) = box.blocks
    nodes = box.hosts(block)
    assert len(nodes) == 2
    assert sorted(box.read("wide/0").split()[0].split(",")) == sorted(nodes) and "mpiexec" in box.read("wide/0")
    records = box.history()
    assert len(records) == 18 and {record["host"] for record in records} == set(nodes)
    for each in gpus_of(records).values():
        assert most_at_once(each) == 1
    for wide in (record for record in records if record["rule"] == "wide"):
        assert not [
            r for r in records if r is not wide and r["started"] < wide["ended"] and wide["started"] < r["ended"]
        ]


MANY = """
let N = [f"{n}" for n in range(40)]
rule all:
    input: expand("b/{n}", n=N)
rule a:
    output: "a/{n}"
    resources: gpus=1
    shell: "echo $CUDA_VISIBLE_DEVICES > {output}; sleep 0.0{wildcards.n}"
rule b:
    input: "a/{n}"
    output: "b/{n}"
    shell: "sleep 0.05; cat {input} > {output}"
"""


def test_several_blocks_together_keep_to_j(campaign) -> None:
    box = campaign(MANY)
    shape = ("--set", "blocks.nodes=1", "--set", "blocks.max=3")
    (predicted,) = re.findall(r"(\d+) blocks?,", box.ok("-n", *box.batch("-j", "9", *shape)))
    said = box.campaign("-j", "9", *shape)
    assert len(box.blocks) == int(predicted) > 1, said
    records = box.history()
    assert len(records) == 80
    assert most_at_once(records) <= 9
    assert len({record["host"] for record in records}) == len(box.blocks), "all of them had work"
    for each in gpus_of(records).values():
        assert most_at_once(each) == 1
    box.alone()


# ── failures ─────────────────────────────────────────────────────────────────────────────────────────────────────

FAILING = """
let N = [f"{n}" for n in range(30)]
rule all:
    input: expand("b/{n}", n=N)
rule a:
    output: "a/{n}"
    threads: 4
    priority: 100 if wildcards.n == "0" else 0
    shell: "[[ {n} != 0 ]] && sleep 0.3 && echo > {output}"
rule b:
    input: "a/{n}"
    output: "b/{n}"
    shell: "cp {input} {output}"
"""


def test_nothing_new_starts_after_a_failure(campaign) -> None:
    box = campaign(FAILING)
    said = box.campaign("-j", "8", status=1)
    assert "a n=0" in said and "1 failed" in said
    records = box.history()
    (failed,) = [record for record in records if record["status"] == "failed"]
    assert failed["wildcards"] == {"n": "0"} and len(records) < 60
    assert not box.exists("b/0") and not box.exists("a/0")
    said = box.read(".flowrules/blocks/b001/runs/01/log").split('"status":"failed"')
    assert len(said) == 2 and "\tstart\t" in said[0] and "\tstart\t" not in said[1]
    for record in records:
        assert record["status"] in ("done", "failed")
        assert all(box.exists(path) for path in record["outputs"])
    assert len(box.todo(*box.batch())["run"]) == 60 - len(records) + 1
    box.alone()


def test_with_k_all_else_is_made(campaign) -> None:
    box = campaign(FAILING)
    box.campaign("-k", "-j", "8", status=1)
    assert sorted(os.listdir(box.path / "b"), key=int) == [f"{n}" for n in range(1, 30)]
    assert box.ran() == {"a": 30, "b": 29}
    box.write("Flowfile", box.read("Flowfile").replace("[[ {n} != 0 ]] && ", ""))
    box.campaign("-k", "-j", "8", "--rerun-triggers", "mtime")
    assert box.ran() == {"a": 31, "b": 30}


def test_retries_ask_for_more(campaign) -> None:
    box = campaign(
        """
        rule all:
            input: expand("b/{n}", n=["0", "1", "2"])
        rule a:
            output: "a/{n}"
            threads: 2 * attempt
            resources: mem=f"{attempt}GB"
            retries: 2
            shell: "echo {threads} {resources.mem} >> tries.{n}; [[ {threads} == 6 ]] && echo {threads} > {output}"
        rule b:
            input: "a/{n}"
            output: "b/{n}"
            shell: "cp {input} {output}"
        rule hopeless:
            output: "hopeless"
            retries: 1
            shell: "echo try >> tries; false"
        """,
    )
    box.campaign("-j", "6")
    assert box.read("b/1") == "6\n" and box.read("tries.1").splitlines()[0].startswith("2 ")
    tried = [(r["attempt"], r["status"], r["threads"]) for r in box.history() if r["wildcards"] == {"n": "1"}]
    assert tried == [(1, "failed", 2), (2, "failed", 4), (3, "done", 6), (1, "done", 1)]
    box.campaign("hopeless", status=1)
    assert box.read("tries") == "try\ntry\n"
