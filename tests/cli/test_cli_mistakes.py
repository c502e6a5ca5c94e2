"""Mistakes in the call: status 2, one plain message, and what was meant."""

from __future__ import annotations

import json

import pytest

CASES = [
    ("--nope", "error: there is no option `--nope`\n   hint: `flowrules run --help` shows what it takes\n"),
    ("run --job 3", "error: there is no option `--job`\n   hint: did you mean `--jobs`?\n"),
    ("dag --lvel rules", "error: there is no option `--lvel`\n   hint: did you mean `--level`?\n"),
    ("-c 4", "error: there is no option `-c`\n   hint: cores are `-j N`\n"),
    ("--cores 4", "error: there is no option `--cores`\n   hint: cores are `-j N`\n"),
    ("--snakefile x", "error: there is no option `--snakefile`\n   hint: `-s FILE` names the Flowfile\n"),
    ("-j", "error: `-j` needs a value\n   hint: `flowrules run --help` shows what it takes\n"),
    (
        "-j 0",
        "error: `--jobs`: `0` is no whole number from 1 on\n   hint: `flowrules run --help` shows what it takes\n",
    ),
    (
        "-j many",
        "error: `--jobs`: `many` is no whole number from 1 on\n   hint: `flowrules run --help` shows what it takes\n",
    ),
    (
        "-n --latency-wait nan",
        "error: `--latency-wait`: `nan` is no number from 0 on\n   hint: `flowrules run --help` shows what it takes\n",
    ),
    (
        "-n --format xml",
        "error: `--format`: `xml` is not one of `text`, `json`\n   hint: `flowrules run --help` shows what it takes\n",
    ),
    (
        "dag --format pdf",
        "error: `--format`: `pdf` is not one of `text`, `dot`, `mermaid`, `json`, `svg`, `html`\n"
        "   hint: `flowrules dag --help` shows what it takes\n",
    ),
    (
        "dag -o x.html --level files",
        "error: a page has no level of files\n   hint: it shows the files of each job; `--level rules` leaves jobs out\n",
    ),
    (
        "dag --profile polaris",
        "error: `--profile` goes with a page\n   hint: write `flowrules dag -o dag.html --profile …`\n",
    ),
    (
        "dag -o x.html --sandbox",
        "error: `--sandbox` goes with `--profile`\n   hint: `flowrules profiles list` names profiles\n",
    ),
    ("dag -o no/x.html", "error: `no/x.html` cannot be written: no such file or directory\n"),
    ("-n -q -v", "error: `--quiet` and `--verbose` contradict each other\n"),
    ("--dag", "error: `--dag` goes with a dry run\n   hint: write `flowrules -n --dag`, or `flowrules dag`\n"),
    (
        "-n --dag dto",
        "error: `--dag dto`: a DAG is shown as text, dot, mermaid, json, svg, html\n   hint: did you mean `dot`?\n",
    ),
    (
        "-n --rerun-triggers when",
        "error: `--rerun-triggers` does not know `when`\n   hint: it takes mtime, code, params, inputs, env\n",
    ),
    (
        "-n --hash-limit 10min",
        "error: `--hash-limit 10min`: `10min` is no size\n   hint: write it like `--hash-limit 10MB`\n",
    ),
    (
        "-n --hash-limit -5",
        "error: `--hash-limit -5`: `-5` is no amount\n   hint: an amount is a number from 0 on, such as `4` or `16GB`\n",
    ),
    (
        "-n --resources mem=nan",
        "error: `--resources mem=nan`: `nan` is no amount\n   hint: an amount is a number from 0 on, such as `4` or `16GB`\n",
    ),
    (
        "-n --resources licences",
        "error: `--resources licences` has no `=`\n   hint: write it like `--resources licences=4`\n",
    ),
    ("-n --set-threads cpy=2", "error: `--set-threads`: there is no rule `cpy`\n   hint: did you mean `copy`?\n"),
    ("-n --set-threads copy=0", "error: `--set-threads copy=0`: threads are a whole number from 1 on\n"),
    (
        "-n --set-resources mem=1GB",
        "error: `--set-resources mem=1GB` names no rule\n   hint: write it like `--set-resources align:mem=16GB`\n",
    ),
    (
        "-n --set-resources jion:mem=1GB",
        "error: `--set-resources`: there is no rule `jion`\n   hint: did you mean `join`?\n",
    ),
    (
        "-n -R jion",
        "error[F702]: `--forcerun jion` names no rule and no file of this plan\n   hint: did you mean `join`?\n",
    ),
    ("-n -d nowhere", "error: `nowhere` is no directory to work in: no such file or directory\n"),
    ("-n -s Nope", "error[F705]: there is no Flowfile `Nope`\n"),
    ("-n -d in -s Nope", "error: there is no file `Nope`\n"),
    (
        "-n -d in -s a.txt",
        "error: there is no file `a.txt`\n   hint: files of the call are looked for here, not in `-d`: write `in/a.txt`\n",
    ),
    ("-n --log in", "error: `in` cannot be written: is a directory\n"),
    (
        "completion",
        "error: `SHELL` is missing: one of bash, zsh, fish\n   hint: `flowrules completion --help` shows what it takes\n",
    ),
    (
        "completion tcsh",
        "error: `SHELL`: `tcsh` is not one of `bash`, `zsh`, `fish`\n"
        "   hint: `flowrules completion --help` shows what it takes\n",
    ),
    (
        "clean",
        "error: `clean` takes either `--temp` or `--all`\n"
        "   hint: `flowrules clean --temp` shows temporary files, `flowrules clean --all` every output\n",
    ),
    (
        "unlock extra",
        "error: got unexpected extra argument (extra)\n   hint: `flowrules unlock --help` shows what it takes\n",
    ),
    ("unlock -d nowhere", "error: `nowhere` is no directory to work in: no such file or directory\n"),
    ("history -d nowhere", "error: `nowhere` is no directory to work in: no such file or directory\n"),
    ("init", "error: there is a `Flowfile` already\n   hint: `flowrules -n` shows what it would do\n"),
]


@pytest.mark.parametrize(("call", "message"), CASES, ids=[call for call, _ in CASES])
def test_mistakes_of_a_call(desk, call: str, message: str) -> None:
    assert desk.wrong(*call.split()) == message


UNKNOWN = "no rule makes `{}`, there is no such file, and no rule has that name\n   hint: {}\n"


@pytest.mark.parametrize(
    ("target", "hint"),
    [
        ("joni", "did you mean `join`?"),
        ("histry", "did you mean the command `history`?"),
        ("help", "`flowrules --help` shows commands, `flowrules run --help` the options"),
        ("word=3", "a config value is set with `-C word=3`"),
        ("zzz", "rules that are targets: `all`, `join`"),
    ],
)
def test_unknown_targets(desk, target: str, hint: str) -> None:
    assert desk.wrong("-n", target) == "error[F701]: " + UNKNOWN.format(target, hint)


def test_mistakes_as_json(desk) -> None:
    for call in (["--nope"], ["-n", "zzz"], ["-n", "-d", "nowhere"], ["dag", "zzz"], ["-j", "0"]):
        for form in (["--format", "json"], ["--format=json"]):
            said = desk.call(*call, *form)
            assert said.status == 2
            assert said.err == ""
            (line,) = said.out.splitlines()
            problem = json.loads(line)
            assert problem["severity"] == "error"
            assert problem["message"]


def test_all_mistakes_of_a_flowfile_at_once(desk) -> None:
    desk.write("Flowfile", 'rule a:\n    output: "a"\n    shel: "x"\nrule b\n    output: "b"\n    shell: "y"\n')
    text = desk.wrong("-n")
    assert text.count("error[") > 1
    assert text.endswith(" errors\n")
    said = desk.call("-n", "--format", "json")
    assert {json.loads(line)["line"] for line in said.out.splitlines()} >= {3, 4}


def test_a_bug_is_told_as_one(desk, monkeypatch) -> None:
    def broken(*args: object, **more: object) -> None:
        raise RuntimeError("oh")

    monkeypatch.setattr("flowrules.app.dryrun.dry_run", broken)
    said = desk.call("-n")
    assert said.status == 70
    assert "Traceback" in said.err
    assert said.err.endswith("RuntimeError: oh\n   hint: report it with the lines above: it is no mistake of yours\n")


def test_what_the_system_refuses_is_told_without_a_traceback(desk, monkeypatch) -> None:
    def refused(*args: object, **more: object) -> None:
        open("/nowhere/at/all")  # noqa: SIM115

    monkeypatch.setattr("flowrules.app.dryrun.dry_run", refused)
    assert desk.wrong("-n") == "error: no such file or directory: `/nowhere/at/all`\n"


def test_interrupted_before_anything_runs(desk, monkeypatch) -> None:
    def interrupted(*args: object, **more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("flowrules.app.dryrun.dry_run", interrupted)
    said = desk.call("-n")
    assert said.status == 130
    assert said.err == "\nerror: interrupted\n"
