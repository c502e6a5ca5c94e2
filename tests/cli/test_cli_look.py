"""`dag`, `summary`, `history`, `clean`, `unlock` and `completion` as they are called."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import zlib
from xml.etree import ElementTree

import pytest
from click.shell_completion import ShellComplete

from flowrules.app.picture import draw
from flowrules.app.settings import Request, Source
from flowrules.cli.main import COMMANDS, cli
from flowrules.errors import UsageError
from flowrules.pages.states import STATES
from flowrules.show.output import Output

TEMP = """
rule all:
    input: "end.txt"
rule mid:
    output: temp("mid.txt"), protected("kept.txt")
    shell: "echo > mid.txt; echo > kept.txt"
rule end:
    input: "mid.txt"
    output: "end.txt"
    shell: "cp {input} {output}"
"""

FAILS = """
rule all:
    input: "good", "bad"
rule make:
    output: "{n}"
    shell: "test {n} = good; touch {output}"
"""


def test_dag(desk) -> None:
    assert desk.ok("dag") == (
        "○ all\n└─ ● join\n   ├─ ● copy s=a\n   └─ ● copy s=b\n\n● will run  ○ collects\n3 jobs will run\n"
    )
    assert desk.ok("dag", "out/a.txt", "--level", "rules").startswith("● copy")
    ElementTree.fromstring(desk.ok("dag", "--format", "svg"))
    assert desk.ok("dag", "--format", "mermaid", "--level", "files").startswith("flowchart")
    assert {node["name"] for node in json.loads(desk.ok("dag", "--format", "json"))["nodes"]} == {"all", "join", "copy"}
    assert sorted(os.listdir()) == ["Flowfile", "config.yaml", "in"]


def test_a_picture_in_a_file(desk) -> None:
    assert desk.ok("dag", "-o", "dag.svg") == "wrote dag.svg: 3 jobs will run\n"
    assert desk.read("dag.svg") == desk.ok("dag", "--format", "svg")
    assert os.stat("dag.svg").st_mode & 0o777 == 0o600
    os.chmod("dag.svg", 0o644)
    desk.ok("dag", "-o", "dag.svg", "--format", "dot")
    assert desk.read("dag.svg").startswith("digraph") and os.stat("dag.svg").st_mode & 0o777 == 0o644
    desk.ok("dag", "-o", "tree")
    assert desk.read("tree").startswith("○ all")
    os.mkdir("below")
    os.chdir("below")
    assert desk.ok("dag", "-d", "..", "-o", "page.html") == "wrote below/page.html: 3 jobs will run\n"
    assert desk.read("below/page.html").startswith("<!DOCTYPE html>")
    assert sorted(os.listdir()) == ["Flowfile", "below", "config.yaml", "dag.svg", "in", "tree"]


def carried(html: str, name: str):
    """What a page carries by a name."""
    found = re.search(f'id="data-{name}">([^<]*)<', html)
    return found and json.loads(zlib.decompress(base64.b64decode(found[1])))


def test_a_page(desk) -> None:
    html = desk.ok("dag", "--format", "html")
    assert re.search(r"<footer class=\"foot\">.*as of \d{4}-\d\d-\d\d \d\d:\d\d", html)
    assert [rule["name"] for rule in carried(html, "dag")["rules"]] == ["copy", "join", "all"]
    details = carried(html, "details-0")
    assert details["commands"] == [
        "cat in/a.txt > out/a.txt; echo moon >> out/a.txt",
        "cat in/b.txt > out/b.txt; echo moon >> out/b.txt",
        "cat out/a.txt out/b.txt > out/all.txt",
        "",
    ]
    assert details["reasons"][0] == ["missing output: out/a.txt"] and details["needs"][0] == {"threads": "1"}
    assert carried(html, "packing") is None
    assert carried(desk.ok("dag", "--format", "html", "--level", "rules"), "dag")["kept"] == 0
    desk.write(
        "Flowfile", desk.read("Flowfile").replace('output: "out/{s}.txt"', 'output: "out/{s}.txt"\n    group: "g"')
    )
    for call in ("dag --format html --profile polaris --sandbox", "-n --dag html --profile polaris --sandbox"):
        html = desk.ok(*call.split())
        assert carried(html, "details-0")["groups"] == ["g:0", "g:1", None, None]
        assert carried(html, "packing")["groups"][0]["bars"]["job"] == [0, 1, 2]
        assert carried(html, "places")["2"][:2] == [1, "node 1, 1 thread"]


def test_a_page_shows_which_jobs_failed(desk) -> None:
    desk.write("Flowfile", FAILS)
    assert desk.call("-k").status == 1
    found = carried(desk.ok("dag", "--format", "html"), "jobs")
    words = {label: STATES[state].text for label, state in zip(found["labels"], found["states"], strict=True)}
    assert words == {"good": "up to date", "bad": "failed", "": "collects"}
    desk.write("Flowfile", FAILS.replace("test {n} = good", "true"))
    desk.ok()
    found = carried(desk.ok("dag", "--format", "html"), "jobs")
    assert {STATES[state].key for state in found["states"]} == {"skip", "collector"}


def test_a_page_is_not_for_a_terminal(desk) -> None:
    out = io.StringIO()
    with pytest.raises(UsageError, match="not for a terminal"):
        draw(Source(), Request(), Output(out, terminal=True), "html", "jobs", None)
    assert out.getvalue() == ""


def test_summary(desk) -> None:
    text = desk.ok("summary")
    assert "out/all.txt  join  run" in text
    desk.ok("-q")
    states = [json.loads(line) for line in desk.ok("summary", "--format", "json").splitlines()]
    assert {state["state"] for state in states} == {"up to date"}
    assert [state["path"] for state in states] == ["out/a.txt", "out/b.txt", "out/all.txt"]
    assert len(desk.ok("summary", "out/a.txt").splitlines()) == 2


def test_history(desk) -> None:
    assert desk.ok("history") == "nothing ran here so far\n"
    assert desk.ok("history", "--format", "json") == ""
    assert not desk.exists(".flowrules")
    desk.ok("-q", "-j", "1")
    assert len(desk.ok("history").splitlines()) == 4
    assert len(desk.ok("history", "-n", "2").splitlines()) == 3
    assert len(desk.ok("history", "copy").splitlines()) == 3
    (record,) = [json.loads(line) for line in desk.ok("history", "./out/a.txt", "--format", "json").splitlines()]
    assert record["outputs"] == ["out/a.txt"]
    assert desk.ok("history", "--failed") == desk.ok("history", "nothing") == "no recorded attempt matches\n"
    assert desk.ok("history", "--failed", "--format", "json") == ""


def test_clean(desk) -> None:
    desk.write("Flowfile", TEMP)
    desk.ok("-q")
    desk.write("mid.txt", "again\n")
    assert desk.ok("clean", "--temp") == "mid.txt\n1 file would be deleted (6B); add `--yes` to do it\n"
    assert desk.exists("mid.txt")
    assert desk.ok("clean", "--temp", "--yes") == "deleted 1 file\n"
    assert desk.ok("clean", "--temp") == "nothing to delete\n"
    assert desk.ok("clean", "--all").splitlines()[:-1] == ["end.txt"]
    assert desk.ok("clean", "--all", "-y") == "deleted 1 file\n"
    assert not desk.exists("end.txt")
    assert desk.exists("kept.txt"), "protected files stay"
    assert desk.ok("clean", "--all") == "nothing to delete\n"


def test_unlock(desk) -> None:
    assert desk.ok("unlock") == "nothing to unlock\n"
    assert not desk.exists(".flowrules")
    desk.ok("-q")
    assert desk.ok("unlock") == "nothing to unlock\n"


def test_status(desk) -> None:
    assert desk.ok("status") == "no campaign here, and nothing ran so far\n"
    assert not desk.exists(".flowrules")
    desk.ok("-q")
    assert desk.ok("status").splitlines()[2:] == ["rule  done", "copy     2", "join     1", "all      3"]
    assert desk.ok("status").startswith("nobody drives; the last was process ")
    desk.write("other/x", "")
    assert desk.ok("status", "-d", "other") == "no campaign here, and nothing ran so far\n"
    assert json.loads(desk.ok("status", "--format", "json"))["blocks"] == []
    assert "no directory to work in" in desk.wrong("status", "-d", "nowhere")


def completed(words: list[str], incomplete: str) -> list[str]:
    """What a shell offers after some words."""
    complete = ShellComplete(cli, {}, "flowrules", "_FLOWRULES_COMPLETE")
    return ["FILES" if item.type == "file" else str(item.value) for item in complete.get_completions(words, incomplete)]


def test_what_is_completed(desk) -> None:
    desk.write("more.flow", 'rule inner:\n    output: temp("in.txt"), ["x.txt", f"{1}.txt"]\n    shell: "true"\n')
    desk.write(
        "Flowfile", desk.read("Flowfile") + 'include "more.flow"\nif false:\n    rule off:\n        shell: "true"\n'
    )
    targets = ["all", "join", "out/all.txt", "off", "inner", "in.txt", "x.txt"]
    assert completed([], "") == [*COMMANDS, *targets]
    assert completed([], "jo") == completed(["run"], "jo") == completed(["-n"], "jo") == ["join"]
    assert completed(["dag"], "") == targets
    assert completed(["-R"], "c") == completed(["--until"], "c") == ["copy"]
    assert completed([], "--for") == completed(["run"], "--for") == ["--force", "--forceall", "--forcerun", "--format"]
    assert completed(["dag", "--level"], "") == ["jobs", "rules", "files"]
    assert completed(["-s"], "F") == completed(["--configfile"], "F") == completed(["fmt"], "F") == ["FILES"]
    assert completed(["completion"], "b") == ["bash"]
    assert completed(["explain"], "f60") == completed(["explain", "W233"], "F60") == ["F601", "F602"]
    assert completed(["--profile"], "p") == ["pbs", "perlmutter", "polaris"]
    assert completed(["--profile"], "./") == ["FILES"]
    assert completed(["--launcher"], "") == ["local", "ssh", "mpiexec", "srun", "parallel"]
    assert completed(["profiles", "show", "polaris", "--launcher"], "s") == ["ssh", "srun"]
    assert completed(["run"], "nothing/such") == ["FILES"]


def test_completing_runs_nothing_and_never_complains(desk) -> None:
    desk.write("h.py", "open('touched', 'w')\n")
    desk.write("Flowfile", 'import "h.py" as h\nrule one:\n    output: "1"\n    shell: "true"\nrule two\n')
    assert "one" in completed(["run"], "")
    assert not desk.exists("touched")
    desk.write("Flowfile", "\x00")
    assert completed(["run"], "") == ["FILES"]
    os.unlink("Flowfile")
    assert completed(["run"], "") == completed(["-s", "none"], "") == completed(["-d", "none"], "") == ["FILES"]


def test_bash_completes(desk, shell) -> None:
    def complete(*words: str) -> list[str]:
        line = " ".join(words)
        script = f"COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _flowrules_completion flowrules"
        setup = "source <(flowrules completion bash); compopt() { :; }"
        return shell(f'{setup}; {script}; printf "%s\\n" "${{COMPREPLY[@]}}"').split()

    assert complete("flowrules", "hi") == ["history"]
    assert complete("flowrules", "-n", "out/") == ["out/all.txt"]
    assert complete("flowrules", "dag", "--lev") == ["--level"]
    assert "complete" in shell("source <(flowrules completion bash); complete -p flowrules")


@pytest.mark.parametrize("kind", ["bash", "zsh", "fish"])
def test_completion_scripts_name_the_program(desk, kind: str) -> None:
    text = desk.ok("completion", kind)
    assert "_FLOWRULES_COMPLETE" in text
    assert text == text.rstrip("\n") + "\n"


FLAKY = """
rule all:
    input: expand("out/{n}.txt", n=range(6))
rule make:
    output: "out/{n}.txt"
    shell: "test -e ok || { echo no ok for {wildcards.n}; exit {wildcards.n}; }; echo > {output}"
"""


def test_failures(desk) -> None:
    assert desk.ok("failures") == "no job has failed, or what failed has ended well since\n"
    desk.write("Flowfile", FLAKY)
    assert desk.call("-q", "-k", "-j", "1").status == 1
    kinds = [json.loads(line) for line in desk.ok("failures", "--format", "json").splitlines()]
    assert [(kind["exit"], kind["words"], kind["count"]) for kind in kinds][:2] == [
        (0, ["the output `out/N.txt` was not made", "no ok for N"], 1),
        (1, ["no ok for N"], 1),
    ]
    assert desk.ok("failures").startswith(
        "6 jobs failed, in 6 different ways\n\n1. make: the output `out/0.txt` was not"
    )
    assert desk.ok("failures", "nothing") == "no job has failed, or what failed has ended well since\n"
    desk.write("ok", "")
    desk.ok("-q", "-j", "1")
    assert desk.ok("failures") == "no job has failed, or what failed has ended well since\n"
