"""`flowrules run` as it is called: exit statuses, forms of output, and where it looks for things."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

PLAN = """\
rule  will run  why
copy         2  missing output
join         1  missing output: out/all.txt

3 jobs will run
targets: out/all.txt
"""


def untimed(text: str) -> str:
    """A text without times of day and run times."""
    return re.sub(r"\d+(?:\.\d+)?s\b", "T", re.sub(r"(?m)^\d\d:\d\d:\d\d ", "", text))


def test_a_dry_run_writes_nothing(desk) -> None:
    assert desk.ok("-n") == desk.ok("run", "-n") == desk.ok("--dry-run", "all") == PLAN
    assert sorted(p.name for p in desk.path.iterdir()) == ["Flowfile", "config.yaml", "in"]


def test_a_run_and_the_next(desk) -> None:
    assert untimed(desk.ok("-j", "1")) == (
        "3 jobs to run: copy 2, join 1\n[1/3] copy s=a T\n[2/3] copy s=b T\n[3/3] join T\ndone in T: 3 jobs\n"
    )
    assert desk.read("out/all.txt") == "a\nmoon\nb\nmoon\n"
    assert desk.ok().startswith
    assert "nothing to do" in desk.ok()
    assert desk.ok("-n", "-q") == "nothing to do: 3 jobs are up to date\n"


def test_quiet_verbose_commands(desk) -> None:
    assert desk.ok("-q") == ""
    assert "start join: forced" in desk.ok("-F", "-v")
    said = desk.ok("-F", "-p", "-j", "1")
    assert "    cat in/a.txt > out/a.txt; echo moon >> out/a.txt\n" in said
    assert "  command  cat in/a.txt > out/a.txt; echo moon >> out/a.txt\n" in desk.ok("-n", "-F", "-p")
    assert "  why      forced\n" in desk.ok("-n", "-F", "-v")
    assert desk.ok("-n", "-F", "-q") == "3 jobs will run\n"


def test_quiet_says_what_failed(desk) -> None:
    said = desk.call("-q", "-C", "word=$(exit 3)", "--set-threads", "join=1")
    assert said == (0, "", "")
    desk.write("Flowfile", 'rule a:\n    output: "a"\n    shell: "echo oh dear; exit 7"\n')
    said = desk.call("-q")
    assert said.status == 1
    assert "exit status 7" in said.out
    assert "oh dear" in said.out


def test_a_target_named_like_a_command(desk) -> None:
    desk.write("Flowfile", 'rule summary:\n    output: "s.txt"\n    shell: "echo > {output}"\n')
    assert "missing output" in desk.ok("summary")
    desk.ok("run", "summary")
    assert desk.exists("s.txt")


def test_without_a_flowfile(desk) -> None:
    (desk.path / "Flowfile").unlink()
    assert "error[F705]: there is no `Flowfile` here" in desk.wrong()
    desk.write("workflow/Flowfile", 'rule a:\n    output: "a"\n    shell: "echo > {output}"\n')
    desk.ok()
    assert desk.exists("a")


def test_another_directory_and_another_flowfile(desk) -> None:
    desk.write("work/in/a.txt", "A\n")
    desk.write("work/in/b.txt", "B\n")
    desk.ok("-d", "work", "-s", "Flowfile", "--log", "here.log", "-q")
    assert desk.read("work/out/all.txt") == "A\nmoon\nB\nmoon\n"
    assert not desk.exists("out")
    assert desk.exists("here.log")
    assert "nothing to do" in desk.ok("-d", "work", "-s", str(desk.path / "Flowfile"))
    assert desk.ok("-d", "work", "-s", "Flowfile", "-n", "./out/../out/a.txt").endswith("targets: out/a.txt\n")
    desk.ok("history", "-d", "work")
    assert "3 files would be deleted" in desk.ok("clean", "--all", "-d", "work", "-s", "Flowfile")


def test_config_of_the_call(desk) -> None:
    desk.write("more.yaml", "deep:\n  a: 1\n  b: 2\nword: sun\n")
    flowfile = 'config "config.yaml"\nrule a:\n    output: "a"\n    shell: "echo {config.word} {config.deep.a} {config.deep.b} > a"\n'
    desk.write("Flowfile", flowfile)
    desk.ok("--configfile", "more.yaml", "-C", "deep.a=[1, 2]", "-C", "deep.b=x y")
    assert desk.read("a") == "sun 1 2 x y\n"
    desk.ok("--configfile", "more.yaml", "--config", "deep.a=0x10", "--config=word='a b'")
    assert desk.read("a") == "a b 16 2\n"


def test_the_log_file_gets_what_is_shown(desk) -> None:
    said = desk.ok("--log", "run.log", "-j", "1")
    assert desk.read("run.log") == said
    again = desk.ok("--log", "run.log", "-n")
    assert desk.read("run.log") == said + again
    desk.call("--log", "run.log", "-n", "zzz")
    assert "error[F701]" in desk.read("run.log")


def test_events_of_a_run_are_json_lines(desk) -> None:
    said = desk.call("--format", "json", "-j", "1")
    assert said.status == 0
    assert said.err == ""
    events = [json.loads(line) for line in said.out.splitlines()]
    assert [e["event"] for e in events] == ["plan", *["job_started", "job_ended"] * 3, "finished"]
    assert events[-1]["ok"] is True
    desk.write("in/a.txt", "new\n")
    desk.write("Flowfile", desk.read("Flowfile").replace("cat {input} > {output}; echo", "echo broken; false; echo"))
    said = desk.call("--format", "json", "-k")
    assert said.status == 1
    events = [json.loads(line) for line in said.out.splitlines()]
    assert events[-1]["failed"] == 2
    assert events[-1]["ok"] is False
    ended = next(e for e in events if e["event"] == "job_ended")
    assert ended["log_tail"].strip() == "broken"


def test_a_dry_run_as_json(desk) -> None:
    plan = json.loads(desk.ok("-n", "--format", "json"))
    assert plan["run"] == 3
    assert "dag" not in plan
    plan = json.loads(desk.ok("-n", "--format", "json", "--dag"))
    assert len(plan["dag"]["nodes"]) == 4


def test_the_dag_of_a_dry_run(desk) -> None:
    assert desk.ok("-n", "--dag").startswith(PLAN)
    assert "└─ ● join" in desk.ok("-n", "--dag")
    assert desk.ok("-n", "--dag", "dot").startswith("digraph")
    assert desk.ok("-n", "--dag=mermaid", "out/a.txt").startswith("flowchart")
    assert desk.ok("--dag", "json", "-n") == desk.ok("dag", "--format", "json")
    assert "contradict" in json.loads(desk.call("-n", "--format", "json", "--dag", "svg").out)["message"]


def test_statuses_of_failed_and_held_runs(desk) -> None:
    desk.write(
        "Flowfile",
        'rule a:\n    output: "a"\n    shell: "echo > started; until [ -e go ]; do sleep 0.02; done; exit 9"\n',
    )
    first = subprocess.Popen([sys.executable, "-m", "flowrules"], cwd=desk.path, stdout=subprocess.DEVNULL)
    while not desk.exists("started"):
        time.sleep(0.01)
    second = desk.process(text=True)
    assert second.returncode == 3
    assert f"kill {first.pid}" in second.stderr
    third = desk.process("--format", "json", text=True)
    assert third.returncode == 3
    assert json.loads(third.stdout)["hint"]
    assert desk.process("clean", "--all", "--yes").returncode == 0
    assert desk.process("unlock").returncode == 3
    desk.write("go", "")
    assert first.wait(120) == 1


def test_status_of_an_interrupted_run(desk) -> None:
    desk.write("Flowfile", 'rule a:\n    output: "a"\n    shell: "echo > started; sleep 0.5; echo > a"\n')
    driver = subprocess.Popen([sys.executable, "-m", "flowrules"], cwd=desk.path, stdout=subprocess.PIPE, text=True)
    while not desk.exists("started"):
        time.sleep(0.01)
    driver.send_signal(signal.SIGINT)
    said, _ = driver.communicate(timeout=120)
    assert driver.returncode == 130
    assert "stopping: 1 running job will end" in said


@pytest.mark.parametrize("args", [["-n", "-v"], ["run"], ["dag"], ["history"], ["--help"], ["summary"]])
def test_a_reader_that_goes_away(desk, args: list[str]) -> None:
    """`flowrules … | head -0`: no traceback, and a run goes on."""
    read, write = os.pipe()
    os.close(read)
    done = desk.process(*args, stdout=write, stderr=subprocess.PIPE, capture_output=False)
    os.close(write)
    assert done.stderr == b""
    assert done.returncode == 0
    assert desk.exists("out/all.txt") is (args == ["run"])


@pytest.mark.parametrize("args", [["-n", "-v"], ["run"], ["dag"], ["--help"]])
def test_output_on_a_full_disk(desk, args: list[str]) -> None:
    """A run goes on; what could not be shown is an error."""
    with open("/dev/full", "w") as full:
        done = desk.process(*args, stdout=full, stderr=subprocess.PIPE, capture_output=False)
    assert done.returncode == 2
    assert done.stderr.decode().startswith("error: ")
    assert b"no space left on device" in done.stderr
    assert desk.exists("out/all.txt") is (args == ["run"])


def test_a_log_file_on_a_full_disk(desk) -> None:
    done = desk.process("--log", "/dev/full", text=True)
    assert "done in" in done.stdout
    assert done.stderr == "error: `/dev/full` could not be written: no space left on device\n"
    assert done.returncode == 2


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_streams(desk, shell, closed: str) -> None:
    shell(f"flowrules -q {closed}")
    assert desk.read("out/all.txt") == "a\nmoon\nb\nmoon\n"
    shell(f"flowrules -n {closed}")
    shell(f"if flowrules -n zzz {closed}; then exit 1; fi 2>/dev/null")


def test_no_color_and_plain_locale(desk) -> None:
    assert "\x1b" not in desk.ok("-n")
    env = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""}
    desk.write("in/a.txt", "ä\n")
    desk.write("in/日本.txt", "x\n")
    assert desk.process("out/日本.txt", env=env).returncode == 0
    assert desk.process("-C", "word=naïve", env=env).returncode == 0
    assert desk.read("out/a.txt") == "ä\nnaïve\n"


def test_a_stream_that_takes_only_ascii(desk) -> None:
    done = desk.process("-n", "-v", "--dag", env={"PYTHONIOENCODING": "ascii"})
    assert b"|  will run" in done.stdout or b"* will run" in done.stdout
    assert done.stdout.isascii()


def test_bytes_that_are_no_text(desk) -> None:
    done = desk.process(b"-n", b"out/\xff.txt")
    assert done.returncode == 2
    assert rb"missing input `in/\udcff.txt`" in done.stderr
    (desk.path / os.fsdecode(b"in/\xff.txt")).write_text("x\n")
    assert desk.process(b"out/\xff.txt").returncode == 0
    assert (desk.path / os.fsdecode(b"out/\xff.txt")).read_text() == "x\nmoon\n"
    assert desk.process(b"-C", b"word=\xff").stderr == b"error: `--config word=\\udcff` is not UTF-8 text\n"


@pytest.mark.parametrize(("no_color", "colored"), [("", True), ("1", False)])
def test_colour_on_a_terminal(desk, no_color: str, colored: bool) -> None:
    import pexpect

    env = {**os.environ, "TERM": "xterm", "NO_COLOR": no_color}
    for args in (["dag"], ["-n"], ["-n", "zzz"]):
        child = pexpect.spawn(sys.executable, ["-m", "flowrules", *args], cwd=str(desk.path), env=env, encoding="utf-8")
        child.expect(pexpect.EOF)
        child.close()
        assert ("\x1b[" in child.before) is colored, args
