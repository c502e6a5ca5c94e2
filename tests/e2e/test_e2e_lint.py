"""`flowrules lint` as a user or an editor calls it."""

import json

from box import Box

RISKY = """
    rule all:
        output: "{a}{b}.txt"
        shell: "date > {output}"
"""


def test_nothing_to_say(tmp_path):
    done = Box(tmp_path, 'rule all:\n    output: "a"\n    shell: "date > {output}"\n').run("lint")
    assert (done.returncode, done.stdout, done.stderr) == (0, "no mistakes, no risky habits\n", "")


def test_habits(tmp_path):
    done = Box(tmp_path, RISKY).run("lint")
    assert done.returncode == 1
    assert "Flowfile:3:13: warning[L008]" in done.stdout
    assert done.stdout.endswith("\n\n1 warning\n")


def test_for_editors(tmp_path):
    done = Box(tmp_path, RISKY).run("lint", "--format", "json")
    (found,) = map(json.loads, done.stdout.splitlines())
    assert (done.returncode, found["code"], found["severity"], found["line"]) == (1, "L008", "warning", 3)


def test_mistakes(tmp_path):
    done = Box(tmp_path, "rule all:\n    inptu: 'a'\n").run("lint")
    assert done.returncode == 2
    assert "error[F201]" in done.stderr
    assert not (tmp_path / ".flowrules").exists()
