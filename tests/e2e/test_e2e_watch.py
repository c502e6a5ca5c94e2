"""`flowrules status` and `status --watch` beside a run on this machine, the latter in a real terminal."""

from __future__ import annotations

import base64
import json
import re
import sys
import time
import zlib
from pathlib import Path

import pexpect
import pyte
import pytest
from box import Box

from flowrules.pages.states import STATES

FLOWFILE = """\
    rule all:
        input: expand("out/{n}.txt", n=range(5)), "end.txt"
    rule part:
        output: "out/{n}.txt"
        shell: "while [ ! -e go{wildcards.n} ]; do sleep 0.05; done; touch {output}"
    rule end:
        input: expand("out/{n}.txt", n=range(5))
        output: "end.txt"
        shell: "touch {output}"
"""


def counts(box: Box) -> dict[str, tuple[int, int, int]]:
    said = json.loads(box.ok("status", "--format", "json"))
    return {rule["rule"]: (rule["done"], rule["running"], rule["waiting"]) for rule in said["rules"]}


def on_page(box: Box) -> dict[str, dict[str, int]]:
    """How many jobs of each rule are in which state on the page of the DAG."""
    found = re.search('id="data-dag">([^<]*)<', box.ok("dag", "--format", "html"))
    assert found
    rules = json.loads(zlib.decompress(base64.b64decode(found[1])))["rules"]
    return {rule["name"]: {STATES[int(at)].key: n for at, n in rule["totals"].items()} for rule in rules}


def until(box: Box, wanted: dict[str, tuple[int, int, int]]) -> None:
    for _ in range(600):
        if (found := counts(box)) == wanted:
            return
        time.sleep(0.05)
    raise AssertionError(found)


@pytest.mark.slow
def test_how_far_a_run_is_and_a_look_that_stays_current(tmp_path: Path) -> None:
    box = Box(tmp_path, FLOWFILE)
    driver = box.start("-j", "2")
    terminal = None
    try:
        until(box, {"part": (0, 2, 3), "end": (0, 0, 1)})
        terminal = pexpect.spawn(
            sys.executable, ["-m", "flowrules", "status", "--watch"], cwd=tmp_path, dimensions=(16, 90), encoding="utf-8",
            timeout=240,
        )  # fmt: skip
        screen = pyte.Screen(90, 16)
        stream = pyte.Stream(screen)
        shows(terminal, stream, screen, ["part        2        3"])
        assert on_page(box) == {"part": {"running": 2, "run": 3}, "end": {"run": 1}, "all": {"collector": 1}}
        box.write("go0", "")
        box.write("go1", "")
        until(box, {"part": (2, 2, 1), "end": (0, 0, 1)})
        shows(terminal, stream, screen, ["part     2        2        1", "left, if it goes on as now"])
        assert "q leaves" in screen.display[0]
        terminal.send("q")
        rest = terminal.read()
        assert "\x1b[?1049l" in rest and "driven by process" in rest.split("\x1b[?1049l")[1]
    finally:
        for n in range(5):
            box.write(f"go{n}", "")
        driver.communicate(timeout=240)
        if terminal is not None:
            terminal.close(force=True)
    assert counts(box) == {"part": (5, 0, 0), "end": (1, 0, 0)}


def shows(terminal: pexpect.spawn, stream: pyte.Stream, screen: pyte.Screen, texts: list[str]) -> None:
    """Look until the screen has these texts."""
    for _ in range(600):
        try:
            stream.feed(terminal.read_nonblocking(4096, timeout=0.1))
        except pexpect.TIMEOUT:
            pass
        if all(any(text in line for line in screen.display) for text in texts):
            return
    raise AssertionError("\n".join(screen.display))


def test_watching_needs_a_terminal(tmp_path: Path) -> None:
    done = Box(tmp_path, FLOWFILE).run("status", "--watch")
    assert done.returncode == 2
    assert "`--watch` needs a terminal" in done.stderr
