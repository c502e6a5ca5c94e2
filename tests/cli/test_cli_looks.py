"""How often a dry run asks the disk, counted: where every question costs a millisecond, as on a network, that decides."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from flowrules.app import dryrun
from flowrules.record.disk import Disk

if TYPE_CHECKING:
    from conftest import Desk

SAMPLES = 400
PATHS = 4 * SAMPLES + 1
"""Sources, and what three rules make of each; and the merge."""

FLOWFILE = """
let NAMES = lines("names.txt")
rule merge:
    input: expand("c/{n}", n=NAMES)
    output: "merged"
    shell: "cat {input} > {output}"
rule a:
    input: "src/{n}"
    output: "a/{n}"
    shell: "cp {input} {output}"
rule b:
    input: "a/{n}"
    output: "b/{n}"
    shell: "cp {input} {output}"
rule c:
    input: "b/{n}"
    output: "c/{n}"
    shell: "cp {input} {output}"
"""
Looked = Callable[[], tuple[int, int]]


@pytest.fixture
def chains(desk: Desk) -> Desk:
    """Many samples, nothing built."""
    names = [f"s{n}" for n in range(SAMPLES)]
    desk.write("Flowfile", FLOWFILE)
    desk.write("names.txt", "\n".join(names) + "\n")
    for name in names:
        desk.write(f"src/{name}", "")
    return desk


@pytest.fixture
def looked(chains: Desk, monkeypatch: pytest.MonkeyPatch) -> Looked:
    """A dry run: how many paths it looked at singly, and how many folders it listed."""
    disks: list[Disk] = []
    disk_of = dryrun.disk_of
    monkeypatch.setattr(dryrun, "disk_of", lambda source: disks.append(disk_of(source)) or disks[-1])

    def run() -> tuple[int, int]:
        chains.ok("-n")
        return disks[-1].stats, disks[-1].scans

    return run


def build(desk: Desk, *parts: str) -> None:
    for part in parts:
        for n in range(SAMPLES):
            desk.write(f"{part}/s{n}", "x")


def test_of_what_is_not_there_only_folders_are_asked(looked: Looked) -> None:
    stats, scans = looked()
    assert SAMPLES <= stats <= SAMPLES + 20, f"sources, and little of {PATHS} paths"
    assert scans <= 4


def test_a_folder_that_holds_other_files_is_listed_once(chains: Desk, looked: Looked) -> None:
    for n in range(SAMPLES):
        chains.write(f"a/other{n}", "")
    stats, scans = looked()
    assert stats <= SAMPLES + 40
    assert 1 <= scans <= 5


def test_what_is_there_is_looked_at_once(chains: Desk, looked: Looked) -> None:
    build(chains, "a", "b", "c")
    chains.write("merged", "x")
    stats, scans = looked()
    assert stats <= PATHS + 10
    assert scans <= 1


def test_what_is_remembered_is_looked_at_once(chains: Desk, looked: Looked) -> None:
    build(chains, "a", "b", "c")
    chains.write("merged", "x")
    chains.ok("-q", "--touch")
    stats, scans = looked()
    assert PATHS <= stats <= PATHS + 10
    assert scans <= 1


def test_temp_files_that_are_gone_cost_a_list_of_their_folder(chains: Desk, looked: Looked) -> None:
    chains.write("Flowfile", FLOWFILE.replace('output: "a/{n}"', 'output: temp("a/{n}")'))
    build(chains, "b", "c")
    chains.write("a/other", "")
    chains.write("merged", "x")
    assert "nothing to do" in chains.ok("-n")
    chains.ok("-q", "--touch")
    stats, scans = looked()
    assert stats <= PATHS - SAMPLES + 40
    assert 1 <= scans <= 3
