"""Whole runs of small workflows: what a user sees and what lies on disk afterwards."""

from __future__ import annotations

import os
import signal
import stat
import time
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from box import Box

NASTY = [
    "a b",
    'quo"te',
    "apo'strophe",
    "$HOME",
    "semi;colon",
    "new\nline",
    "naïve-日本",
    "-dash",
    "back\\slash",
    "a*?[b]",
    "#x",
    "~",
]


def test_nasty_names_run_as_written(tmp_path: Path) -> None:
    box = Box(
        tmp_path,
        """
        let NAMES = glob("in/{name}.txt").name
        rule all:
            input: expand("out/{name}.txt", name=NAMES), "all.txt"
        rule copy:
            input: "in/{name}.txt"
            output: "out/{name}.txt"
            shell: "cp {input} {output}; printf '%s' {name} >> {output}"
        rule join:
            input: expand("out/{name}.txt", name=NAMES)
            output: "all.txt"
            shell: "cat {input} > {output}"
        """,
        {f"in/{name}.txt": "x" for name in NASTY},
    )
    box.ok()
    assert {p.name for p in (tmp_path / "out").iterdir()} == {f"{name}.txt" for name in NASTY}
    for name in NASTY:
        assert box.read(f"out/{name}.txt") == "x" + name
    assert sorted(box.read("all.txt")) == sorted("".join("x" + name for name in NASTY))
    assert box.todo().get("run") is None
    assert "nothing to do" in box.ok()


def test_a_failed_job_leaves_no_output_and_its_log_is_shown(tmp_path: Path) -> None:
    box = Box(
        tmp_path,
        """
        rule all:
            input: "b.txt", "other.txt"
        rule a:
            output: "a.txt"
            shell: "echo half > {output}; echo this went wrong >&2; exit 3"
        rule b:
            input: "a.txt"
            output: "b.txt"
            shell: "cp {input} {output}"
        rule other:
            output: "other.txt"
            shell: "sleep 0.2; echo > {output}"
        """,
    )
    done = box.run("-j", "1")
    assert done.returncode == 1
    assert "this went wrong" in done.stdout
    assert not box.exists("a.txt")
    done = box.run("-k")
    assert done.returncode == 1
    assert box.exists("other.txt")
    assert box.run("--keep-incomplete").returncode == 1
    assert box.read("a.txt.incomplete") == "half\n"
    assert "last run did not finish" in box.ok("-n", "-v")
    assert [r["status"] for r in box.history("a")] == ["failed"] * 3


def test_retries_see_their_attempt(tmp_path: Path) -> None:
    box = Box(
        tmp_path,
        """
        rule a:
            output: "a.txt"
            retries: 2
            resources: mem=1MB * attempt
            shell: "echo {attempt} {resources.mem} >> tries; test {attempt} -eq 3; echo > {output}"
        """,
    )
    box.ok()
    assert box.read("tries") == "1 1MB\n2 2MB\n3 3MB\n"


def test_an_output_that_is_not_made_fails_the_job(tmp_path: Path) -> None:
    box = Box(tmp_path, 'rule a:\n    output: "a.txt", "b.txt"\n    shell: "echo > {output[0]}"\n')
    done = box.run("--latency-wait", "0.3")
    assert done.returncode == 1
    assert "`b.txt` was not made" in done.stdout
    assert not box.exists("a.txt")


def test_what_a_job_leaves_behind_is_ended_and_told(tmp_path: Path) -> None:
    box = Box(tmp_path, 'rule a:\n    output: "a.txt"\n    shell: "sleep 30 & echo > {output}"\n')
    box.ok()
    assert [r["status"] for r in box.history()] == ["done"]
    assert "left in the background" in box.history()[0]["error"]


def test_temp_protected_touch_ensure_directory(tmp_path: Path) -> None:
    box = Box(
        tmp_path,
        """
        rule all:
            input: "done.flag", "kept.txt", "sizes.txt"
        rule mid:
            output: temp("mid.txt")
            shell: "echo mid > {output}"
        rule kept:
            input: "mid.txt"
            output: protected("kept.txt")
            shell: "cp {input} {output}"
        rule parts:
            input: "mid.txt"
            output: directory("parts")
            shell: "mkdir {output}; split -b 1 {input} {output}/"
        rule sizes:
            input: "parts"
            output: ensure("sizes.txt", non_empty=true)
            shell: "ls {input} > {output}"
        rule flag:
            input: "mid.txt"
            output: touch("done.flag")
            shell: "true"
        """,
    )
    box.ok()
    assert not box.exists("mid.txt")
    assert not os.stat(tmp_path / "kept.txt").st_mode & stat.S_IWUSR
    assert box.read("sizes.txt").split() == ["aa", "ab", "ac", "ad"]
    assert box.exists("done.flag")
    assert box.todo().get("run") is None
    done = box.run("-F")
    assert done.returncode == 2
    assert "protected" in done.stderr
    box.write("Flowfile", box.read("Flowfile").replace("ls {input} > {output}", ": > {output}"))
    done = box.run()
    assert done.returncode == 1
    assert "empty" in done.stdout
    assert not box.exists("sizes.txt")


def test_checkpoints_grow_the_dag(tmp_path: Path) -> None:
    box = Box(
        tmp_path,
        """
        rule all:
            input: "sum.txt"
        checkpoint choose:
            input: "n.txt"
            output: "list.txt"
            shell: "seq $(cat {input}) > {output}"
        rule work:
            output: temp("work/{i}.txt")
            shell: "echo $(({i} * {i})) > {output}"
        rule sum:
            input: [f"work/{i}.txt" for i in lines("list.txt")]
            output: "sum.txt"
            shell: "cat {input} | paste -sd+ | bc > {output} || cat {input} | awk '{s += $1} END {print s}' > {output}"
        """,
        {"n.txt": "3\n"},
    )
    assert box.todo() == {"run": ["choose", "sum"]}
    box.ok()
    assert box.read("sum.txt").strip() == "14"
    assert not (tmp_path / "work/1.txt").exists()
    assert box.todo().get("run") is None
    box.write("n.txt", "4\n")
    box.ok()
    assert box.read("sum.txt").strip() == "30"


def test_rounds_of_checkpoints(tmp_path: Path) -> None:
    """A loop whose number of rounds nobody knows before: it ends when a checkpoint writes an empty file."""
    box = Box(
        tmp_path,
        """
        wildcards: n = "[0-9]+"
        rule best:
            input: "from/0.txt"
            output: "best.txt"
            shell: "sort -n {input} | tail -1 > {output}"
        rule from_here:
            input:
                here = [f"energy/{m}.txt" for m in lines("rounds/{n}/chosen.txt")],
                rest = f"from/{int(wildcards.n) + 1}.txt" if lines("rounds/{n}/chosen.txt") else null
            output: temp("from/{n}.txt")
            shell: "cat /dev/null {input} > {output}"
        checkpoint choose:
            input: f"from_before/{wildcards.n}" if false else []
            output: "rounds/{n}/chosen.txt"
            shell: "if [ {n} -lt 3 ]; then echo {n}a; echo {n}b; fi > {output}"
        rule energy:
            output: "energy/{m}.txt"
            shell: "echo {m} | tr -dc 0-9 > {output}; echo >> {output}"
        """,
    )
    box.ok()
    assert box.read("best.txt") == "2\n"
    assert len([r for r in box.history() if r["status"] == "done"]) == 4 + 6 + 4 + 1
    assert box.todo().get("run") is None


def test_cut_off_while_running(tmp_path: Path) -> None:
    box = Box(
        tmp_path,
        """
        rule c:
            input: "b"
            output: "c"
            shell: "cat {input} > {output}"
        rule b:
            input: "a"
            output: "b"
            shell: "head -c 1 {input} > {output}"
        """,
        {"a": "1 first"},
    )
    box.ok()
    box.write("a", "1 second")
    assert box.todo() == {"run": ["b"], "may run": ["c"]}
    said = box.ok()
    assert [r["rule"] for r in box.history()] == ["b", "c", "b"]
    assert "1" in said
    box.write("a", "2 third")
    box.ok()
    assert [r["rule"] for r in box.history()] == ["b", "c", "b", "b", "c"]
    assert box.read("c") == "2"


def test_a_temp_file_is_made_again_for_a_job_that_turns_out_to_run(tmp_path: Path) -> None:
    box = Box(
        tmp_path,
        """
        rule z:
            input: "t", "b"
            output: "z"
            shell: "cat {input} > {output}"
        rule t:
            output: temp("t")
            shell: "echo t > {output}; echo t >> ledger"
        rule b:
            input: "a"
            output: "b"
            shell: "head -c 1 {input} > {output}"
        """,
        {"a": "1 first"},
    )
    box.ok()
    box.write("a", "1 second")
    assert box.todo() == {"run": ["b"], "may run": ["t", "z"]}
    box.ok()
    assert box.read("ledger") == "t\n"
    box.write("a", "2 third")
    box.ok()
    assert box.read("ledger") == "t\nt\n"
    assert box.read("z") == "t\n2"
    assert not box.exists("t")


@pytest.mark.parametrize("kill", [False, True])
def test_interrupt(tmp_path: Path, kill: bool) -> None:
    box = Box(
        tmp_path,
        """
        rule all:
            input: "a", "b"
        rule a:
            output: "a"
            shell: "echo > started; sleep 1; echo whole > {output}"
        rule b:
            input: "a"
            output: "b"
            shell: "cp {input} {output}"
        """,
    )
    driver = box.start()
    while not box.exists("started"):
        time.sleep(0.02)
    driver.send_signal(signal.SIGINT)
    time.sleep(0.2)
    if kill:
        driver.send_signal(signal.SIGINT)
    said, _ = driver.communicate(timeout=120)
    assert driver.returncode == 130, said
    assert box.exists("a") is not kill
    assert not box.exists("b")
    assert [r["status"] for r in box.history()] == (["killed"] if kill else ["done"])
    box.ok()
    assert box.read("b") == "whole\n"


def test_under_nohup_a_run_goes_on_when_its_terminal_is_gone(tmp_path: Path) -> None:
    box = Box(
        tmp_path, 'rule a:\n    output: "a"\n    shell: "touch on; until test -e go; do sleep 0.01; done; touch a"\n'
    )
    driver = box.start(preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    while not box.exists("on"):
        time.sleep(0.02)
    driver.send_signal(signal.SIGHUP)
    box.write("go", "")
    said, _ = driver.communicate(timeout=120)
    assert driver.returncode == 0, said


def test_one_driver_at_a_time(tmp_path: Path) -> None:
    box = Box(tmp_path, 'rule a:\n    output: "a"\n    shell: "echo > started; sleep 2; echo > {output}"\n')
    first = box.start()
    while not box.exists("started"):
        time.sleep(0.02)
    second = box.run()
    assert second.returncode == 3
    assert f"{first.pid}" in second.stderr
    assert box.ok("-n")
    first.communicate(timeout=120)
    assert first.returncode == 0


def test_gpus_are_indexed_slots(tmp_path: Path) -> None:
    box = Box(
        tmp_path,
        """
        rule all:
            input: expand("{n}", n=range(8))
        rule gpu:
            output: "{n,[0-9]}"
            resources: gpus=1
            shell: "echo $CUDA_VISIBLE_DEVICES > {output}; sleep 0.2"
        """,
    )
    box.ok("-j", "8", "--resources", "gpus=2", env={"CUDA_VISIBLE_DEVICES": "4,6"})
    records = box.history("gpu")
    assert {tuple(r["gpus"]) for r in records} == {("4",), ("6",)}
    for r in records:
        assert box.read(r["outputs"][0]).strip() == r["gpus"][0]
        clash = [
            o
            for o in records
            if o is not r and o["gpus"] == r["gpus"] and o["started"] < r["ended"] and r["started"] < o["ended"]
        ]
        assert not clash


def test_without_gpus_a_gpu_job_still_runs(tmp_path: Path) -> None:
    box = Box(tmp_path, 'rule a:\n    output: "a"\n    resources: gpus=1, mem=4000GB\n    shell: "echo > {output}"\n')
    said = box.ok(env={"CUDA_VISIBLE_DEVICES": ""})
    assert "this machine has none" in said
    assert "this machine has less" in said


def test_named_resources_are_counted(tmp_path: Path) -> None:
    box = Box(
        tmp_path,
        """
        rule all:
            input: expand("{n}", n=range(4))
        rule a:
            output: "{n,[0-9]}"
            resources: licence=1
            shell: "sleep 0.15; echo > {output}"
        """,
    )
    box.ok("-j", "4", "--resources", "licence=1")
    spans = sorted((r["started"], r["ended"]) for r in box.history())
    assert all(a[1] <= b[0] + 0.01 for a, b in pairwise(spans))
    done = box.run("-F", "--set-resources", "a:licence=2", "--resources", "licence=1")
    assert done.returncode == 2, done.stdout
    assert "licence" in done.stderr


def test_a_temp_folder_stays_while_its_files_are_needed(tmp_path: Path) -> None:
    box = Box(
        tmp_path,
        """
        rule all:
            input: "a.last", "b.last"
        rule parts:
            output: temp(directory("parts"))
            shell: "mkdir {output}; echo a > {output}/a; echo b > {output}/b"
        rule last:
            input: "parts/{n}"
            output: "{n}.last"
            shell: "cat {input} > {output}"
        """,
    )
    box.ok("-j1")
    assert (box.read("a.last"), box.read("b.last")) == ("a\n", "b\n")
    assert not box.exists("parts")
    assert box.todo() == {}
    box.ok("-F", "all", "parts/a")
    assert box.read("parts/a") == "a\n"


def test_touch_accepts_what_is_there(tmp_path: Path) -> None:
    box = Box(
        tmp_path, 'rule a:\n    input: "x"\n    output: "a"\n    shell: "cp {input} {output}"\n', {"a": "1", "x": "2"}
    )
    os.utime(tmp_path / "a", (1, 1))
    assert box.todo() == {"run": ["a"]}
    assert "done in" in box.ok("--touch")
    assert box.read("a") == "1"
    assert box.todo().get("run") is None


def test_touch_does_not_accept_what_is_missing(tmp_path: Path) -> None:
    box = Box(tmp_path, 'rule a:\n    output: "a"\n    shell: "touch {output}"\n')
    done = box.run("--touch", "-q")
    assert done.returncode == 1
    assert "a: exit status 1, it cannot be accepted: `a` does not exist" in done.stdout


def test_a_retry_that_asks_for_too_much_fails_and_nothing_else_does(tmp_path: Path) -> None:
    box = Box(
        tmp_path,
        """
        rule all:
            input: "a", "b"
        rule a:
            output: "a"
            resources: seats=attempt
            retries: 2
            shell: "until test -e begun; do sleep 0.01; done; exit 1"
        rule b:
            output: "b"
            shell: "touch begun; until test -e .flowrules/logs/a/job.log; do sleep 0.01; done; sleep 0.3; touch {output}"
        """,
    )
    done = box.run("-k", "-j2", "--resources", "seats=1")
    assert done.returncode == 1
    assert "not tried again: Flowfile:6:16: a asks for 2 of `seats`, but there are only 1" in done.stdout
    assert {(job["rule"], job["status"]) for job in box.history()} == {("a", "failed"), ("b", "done")}


def test_a_checkpoint_that_leads_to_what_cannot_run_lets_others_end(tmp_path: Path) -> None:
    box = Box(
        tmp_path,
        """
        let NAMES = lines("names")
        rule all:
            input: "b", expand("o/{n}", n=NAMES)
        checkpoint names:
            output: "names"
            shell: "until test -e begun; do sleep 0.01; done; echo x > {output}"
        rule o:
            output: "o/{n}"
            resources: seats=2
            shell: "touch {output}"
        rule b:
            output: "b"
            shell: "touch begun; until test -e names; do sleep 0.01; done; sleep 0.3; touch {output}"
        """,
    )
    done = box.run("b", "names", "all", "-j2", "--resources", "seats=1")
    assert done.returncode == 2
    assert "o n=x asks for 2 of `seats`, but there are only 1" in done.stderr
    assert {(job["rule"], job["status"]) for job in box.history()} == {("names", "done"), ("b", "done")}


def test_hooks_and_messages(tmp_path: Path) -> None:
    box = Box(
        tmp_path,
        """
        on start: "echo begun >> hooks"
        on success: "echo good >> hooks"
        on error: "echo bad >> hooks"
        rule a:
            output: "a"
            message: "making {output}"
            shell: "test -e fine; echo > {output}"
        """,
    )
    assert box.run().returncode == 1
    box.write("fine", "")
    assert "making a" in box.ok()
    assert box.read("hooks") == "begun\nbad\nbegun\ngood\n"


def test_what_hooks_say_is_a_part_of_what_the_run_says(tmp_path: Path) -> None:
    box = Box(
        tmp_path,
        """
        on start: "echo begun; sleep 60 & echo $! > pid"
        on success: "echo good >&2; exit 3"
        rule a:
            output: "a"
            shell: "touch {output}"
        """,
    )
    done = box.run("--format", "json")
    os.kill(int(box.read("pid")), signal.SIGKILL)
    events = [msgspec.json.decode(line) for line in done.stdout.splitlines()]
    told = [event["text"] for event in events if event["event"] == "message"]
    assert told == ["begun", "good", "`on success` ended with status 3"]
    assert done.returncode == 0


def test_actions(tmp_path: Path) -> None:
    box = Box(
        tmp_path,
        """
        config "c.yaml"
        rule all:
            input: "run.txt", "script.txt", "call.txt", "template.txt", "sh.txt"
        rule run_it:
            input: x = "x.txt"
            output: "run.txt"
            params: k=3
            run:
                with open(output[0], "w") as f:
                    f.write(open(input.x).read() * params.k)
                    f.write(config["word"])
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
            output: "template.txt"
            params: who="you"
            template: "t.j2"
        rule shell_script:
            output: "sh.txt"
            script: "s.sh"
        """,
        {
            "c.yaml": "word: moon\n",
            "x.txt": "x",
            "s.py": "from flowrules import job\nopen(job.output[0], 'w').write(open(job.input[0]).read().upper())\n",
            "lib/f.py": "def go(job):\n    open(job.output[0], 'w').write(f'{job.rule} {job.threads}')\n",
            "t.j2": "{{ input[0] }} for {{ params.who }} and {{ config.word }}\n",
            "s.sh": 'grep -o \'"rule": *"[a-z_]*"\' "$FLOWRULES_JOB" > sh.txt\n',
        },
    )
    box.ok("-j", "4")
    assert box.read("run.txt") == "xxxmoon"
    assert box.read("script.txt") == "XXXMOON"
    assert box.read("call.txt") == "call_it 1"
    assert box.read("template.txt").strip() == "call.txt for you and moon"
    assert "shell_script" in box.read("sh.txt")
    assert box.todo().get("run") is None
    box.write("s.py", box.read("s.py").replace("upper", "lower"))
    assert box.todo() == {"run": ["script_it"], "may run": ["call_it", "fill"]}


def test_logs_and_benchmarks_are_where_the_rule_says(tmp_path: Path) -> None:
    box = Box(
        tmp_path,
        """
        rule all:
            input: "a", "b"
        rule a:
            output: "a"
            log: "logs/a.log"
            benchmark: "bench/a.tsv"
            shell: "echo said; echo moaned >&2; echo > {output}"
        rule b:
            input: "logs/a.log"
            output: "b"
            log: out="logs/b.out", err="logs/b.err"
            shell: "echo said > {log.out}; echo moaned 2>&1 >&2; echo > {output}"
        rule fails:
            output: "c"
            log: "logs/c.log"
            benchmark: "bench/c.tsv"
            shell: "echo went wrong; exit 1"
        """,
    )
    box.ok()
    assert box.read("logs/a.log") == "said\nmoaned\n"
    assert box.read("logs/b.out") == "said\n"
    assert "moaned" in box.read("logs/b.err")
    header, row = box.read("bench/a.tsv").splitlines()
    assert header.split("\t") == ["s", "h:m:s", "max_rss", "cpu_time", "mean_load"]
    assert float(row.split("\t")[0]) > 0
    assert box.todo().get("run") is None
    assert box.run("c").returncode == 1
    assert box.read("logs/c.log") == "went wrong\n"
    assert not box.exists("bench/c.tsv")


def test_a_dag_that_cannot_be_derived_again(tmp_path: Path) -> None:
    box = Box(
        tmp_path,
        """
        rule all:
            input: [f"{n}.done" for n in lines("list.txt")], "slow"
        checkpoint choose:
            output: "list.txt"
            shell: "echo known > {output}; echo stranger >> {output}"
        rule known:
            output: "known.done"
            shell: "echo > {output}"
        rule slow:
            output: "slow"
            shell: "sleep 0.5; echo > {output}"
        """,
    )
    done = box.run("-j", "2")
    assert done.returncode == 2
    assert "missing input `stranger.done` of rule `all`" in done.stderr
    assert box.exists("slow")
    assert {r["rule"]: r["status"] for r in box.history()} == {"choose": "done", "slow": "done"}


def test_temp_files_that_nobody_needs_go_too(tmp_path: Path) -> None:
    box = Box(
        tmp_path,
        """
        rule all:
            input: "a", "kept"
        rule a:
            output: "a", temp("scratch"), temp("kept")
            shell: "touch {output}"
        """,
    )
    box.ok()
    assert not box.exists("scratch")
    assert box.exists("kept")
    assert box.todo() == {}


def test_temp_files_wait_for_what_checkpoints_lead_to(tmp_path: Path) -> None:
    box = Box(
        tmp_path,
        """
        rule all:
            input: "first.txt", [f"late-{n}.txt" for n in lines("list.txt")]
        rule big:
            output: temp("big.txt")
            shell: "echo big > {output}; echo made >> ledger"
        rule first:
            input: "big.txt"
            output: "first.txt"
            shell: "cp {input} {output}"
        checkpoint choose:
            input: "first.txt"
            output: "list.txt"
            shell: "echo 1 > {output}"
        rule late:
            input: "big.txt"
            output: "late-{n}.txt"
            shell: "cp {input} {output}"
        """,
    )
    box.ok()
    assert box.read("ledger") == "made\n"
    assert box.read("late-1.txt") == "big\n"
    assert not box.exists("big.txt")
