"""`import`: the one door to Python while planning, opened by the program itself."""

from pathlib import Path

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
