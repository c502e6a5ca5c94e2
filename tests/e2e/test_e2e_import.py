"""`import`: the one door to Python while planning, opened by the program itself."""

import sys
import textwrap
from pathlib import Path

import pexpect
from box import Box

FLOWFILE = """
import "lib/helpers.py" as h
let SAMPLES = h.samples(2)
rule all:
    input: [f"{s}.txt" for s in SAMPLES]
rule a:
    output: "{s}.txt"
    params: n=h.number(wildcards.s)
    shell: "echo {params.n} > {output}"
"""
HELPERS = """
from other import base


def samples(count):
    return [f"s{i}" for i in range(count)]


def number(text):
    return int(text[1:]) + base()
"""
OTHER = "def base():\n    return 40\n"


def test_functions_of_a_python_file(tmp_path: Path) -> None:
    box = Box(tmp_path, FLOWFILE, {"lib/helpers.py": HELPERS, "lib/other.py": OTHER})
    box.ok("-j", "2")
    assert box.read("s1.txt") == "41\n"
    assert box.todo() == {}


def test_what_is_wrong_with_it(tmp_path: Path) -> None:
    box = Box(tmp_path, FLOWFILE, {"lib/helpers.py": HELPERS, "lib/other.py": OTHER})
    for option in ("--no-python", "--untrusted"):
        refused = box.run("-n", option)
        assert (refused.returncode, "F212" in refused.stderr + refused.stdout) == (2, True)
    box.write("Flowfile", FLOWFILE.replace("h.number(", "h.nmber("))
    unknown = box.run("-n")
    assert (unknown.returncode, "F130" in unknown.stderr + unknown.stdout) == (2, True)
    box.write("Flowfile", FLOWFILE.replace("number(wildcards.s)", 'number("sx")'))
    failed = box.run("-n")
    assert failed.returncode == 2
    assert "`h.number` failed: ValueError" in failed.stderr + failed.stdout
    box.write("lib/helpers.py", "def broken(:\n")
    assert "cannot be imported: SyntaxError" in (done := box.run("-n")).stderr + done.stdout


def test_an_import_that_takes_long_is_told_on_a_terminal(tmp_path: Path) -> None:
    """In a real terminal: the line comes while Python runs, and is gone when the plan is shown."""
    helpers = """
        import os, time

        while not os.path.exists("go"):
            time.sleep(0.02)

        def name():
            return "a.txt"
    """
    box = Box(
        tmp_path,
        """
        import "helpers.py" as h
        rule a:
            output: h.name()
            shell: "touch {output}"
        """,
        {"helpers.py": textwrap.dedent(helpers)},
    )
    terminal = pexpect.spawn(
        sys.executable, ["-m", "flowrules", "-n"], cwd=box.path, dimensions=(16, 90), encoding="utf-8", timeout=240
    )
    try:
        terminal.expect_exact("reading the Flowfile (importing helpers.py)")
        box.write("go", "")
        terminal.expect_exact("\r\x1b[K")
        terminal.expect_exact("1 job will run")
        terminal.expect(pexpect.EOF)
    finally:
        terminal.close(force=True)
    assert terminal.exitstatus == 0
