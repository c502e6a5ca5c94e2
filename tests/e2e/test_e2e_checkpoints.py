"""Checkpoints in whole runs: what waits for them, and what is forced after them."""

from pathlib import Path

from box import Box

FLOWFILE = """
let PARTS = lines("parts.txt")
rule all:
    input: [f"out/{p}.txt" for p in PARTS], "count.txt"
checkpoint split:
    input: "src"
    output: "parts.txt"
    shell: "cat {input} > {output}"
rule one:
    output: "out/{p}.txt"
    shell: "echo {p} > {output}"
rule count:
    output: "count.txt"
    params: n=len(PARTS)
    threads: len(PARTS)
    message: "counting {PARTS}"
    shell: "echo {params.n} {threads} {PARTS} > {output}"
"""


def test_params_and_texts_wait_for_a_checkpoint(tmp_path: Path) -> None:
    box = Box(tmp_path, FLOWFILE, {"src": "a\nb\n"})
    assert "counting a b" in box.ok("-j", "2")
    assert box.read("count.txt") == "2 2 a b\n"
    assert box.todo() == {}
    box.write("src", "a\n")
    box.ok("-j", "2")
    assert box.read("count.txt") == "1 1 a\n"


def test_forcing_reaches_what_a_checkpoint_leads_to(tmp_path: Path) -> None:
    box = Box(tmp_path, FLOWFILE, {"src": "a\nb\n"})
    box.ok("-j", "2")
    before = len(box.history())
    box.ok("-F", "-j", "2")
    assert len(box.history()) - before == 4
    box.ok("-R", "split", "-R", "out/a.txt", "-j", "2")
    assert len(box.history()) - before == 6
    assert box.todo() == {}
