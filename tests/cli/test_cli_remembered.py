"""Plans that are remembered: what is kept, where, and that nothing bad comes of what lies there."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flowrules.app import memory
from flowrules.load import lower
from flowrules.plan import build
from flowrules.plan.judge import Judge
from flowrules.record.store import Store

if TYPE_CHECKING:
    from conftest import Desk

NOTHING = "nothing to do: 3 jobs are up to date\ntargets: out/all.txt\n"


@pytest.fixture
def built(desk: Desk) -> Desk:
    """A workflow of which all is done, and known to be."""
    desk.write("Flowfile", desk.read("Flowfile"))
    desk.call("-j", "2", "-q")
    desk.call("-q")
    return desk


def plans(desk: Desk) -> list[Path]:
    return sorted((desk.path / ".flowrules/plans").iterdir())


def test_nothing_is_loaded_or_planned_where_nothing_changed(built: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lower, "load_workflow", None)
    monkeypatch.setattr(build, "make_plan", None)
    assert built.ok("-n") == NOTHING
    assert built.ok("-n", "-q") == NOTHING.splitlines()[0] + "\n"


def test_only_jobs_whose_files_changed_are_judged(built: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    judged = []
    first = Judge.first
    monkeypatch.setattr(Judge, "first", lambda judge, job: judged.append(job.label) or first(judge, job))
    built.write("in/a.txt", "changed\n")
    assert "copy" in built.ok("-n")
    assert judged == ["copy s=a"]


def test_jobs_that_ran_since_are_judged_by_what_was_recorded(built: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    built.ok("-q", "-R", "copy", "out/a.txt")  # another plan, which leaves this one with new times and records
    judged = []
    first = Judge.first
    monkeypatch.setattr(Judge, "first", lambda judge, job: judged.append(job.label) or first(judge, job))
    assert built.ok("-n") == NOTHING
    assert sorted(judged) == ["copy s=a", "join"]


def unfinished(desk: Desk) -> None:
    store = Store.open()
    store.started(["out/a.txt"], "copy", {"s": "a"})
    store.close()


def older(desk: Desk) -> None:
    """The same size at another time, with other content."""
    os.utime(desk.path / "in/a.txt", ns=(1, 1))
    desk.write("in/a.txt", "b\n")


EDITS: dict[str, tuple[Callable[[Desk], object], str]] = {
    "a source is gone": (lambda d: (d.path / "in/a.txt").unlink(), "kept as they are"),
    "a source is gone that nothing else depends on": (
        lambda d: (d.path / "note.txt").unlink(),
        "kept as they are",
    ),
    "a source has other content": (lambda d: d.write("in/a.txt", "other\n"), "changed input"),
    "a source is older": (older, "changed input: in/a.txt"),
    "a target is gone": (lambda d: (d.path / "out/all.txt").unlink(), "missing output: out/all.txt"),
    "an attempt did not finish": (unfinished, "last run did not finish"),
    "the configuration is another": (lambda d: d.write("config.yaml", "word: sun\n"), "changed command"),
    "a script is another": (lambda d: d.write("join.sh", "cat out/*.txt > out/all.txt # all\n"), "changed command"),
    "a script is gone": (lambda d: (d.path / "join.sh").unlink(), "there is no script `join.sh`"),
    "a rule that was out of the question can make a file": (lambda d: d.write("better/a.txt", "a\n"), "better"),
    "there is more to be found": (lambda d: d.write("more/x.txt", ""), "changed params"),
    "a file that is read is another": (lambda d: d.write("size.csv", "n\n7\n"), "changed params"),
    "a file that is asked for has come": (lambda d: d.write("flag", ""), "changed params"),
    "the Flowfile is another": (
        lambda d: d.write("Flowfile", d.read("Flowfile").replace("echo {config", "echo new {config")),
        "changed command",
    ),
}
RICH = """
config "config.yaml"
let FOUND = glob("more/{x}.txt").x
rule all:
    input: "out/all.txt"
rule copy:
    input: "in/{s}.txt", "note.txt"
    output: "out/{s}.txt"
    params: found=len(FOUND), size=lines("size.csv")[1], flag=exists("flag")
    shell: "cat {input} > {output}; echo {config.word} {params.found} {params.size} {params.flag} >> {output}"
rule better:
    input: "better/{s}.txt"
    output: "out/{s}.txt"
    shell: "cat {input} > {output}"
ruleorder better > copy
rule join:
    input: expand("out/{s}.txt", s=["a", "b"])
    output: "out/all.txt"
    script: "join.sh"
"""


@pytest.mark.parametrize("name", EDITS)
def test_what_changed_is_seen(desk: Desk, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.write("Flowfile", RICH)
    for path, text in (
        ("note.txt", "n\n"),
        ("more/w.txt", ""),
        ("size.csv", "n\n3\n"),
        ("join.sh", "cat out/*.txt > out/all.txt\n"),
    ):
        desk.write(path, text)
    desk.call("-j", "2", "-q")
    desk.call("-q")
    assert desk.ok("-n").startswith("nothing to do: 3 jobs")
    edit, told = EDITS[name]
    edit(desk)
    remembered = desk.call("-n")
    assert told in remembered.out + remembered.err
    monkeypatch.setenv(memory.SWITCH, "0")
    assert desk.call("-n") == remembered


def test_it_is_private(built: Desk) -> None:
    assert stat.S_IMODE((built.path / ".flowrules/plans").stat().st_mode) == 0o700
    assert [stat.S_IMODE(path.stat().st_mode) for path in plans(built)] == [0o600] * len(plans(built))
    assert plans(built)


def test_a_dry_run_writes_nothing(built: Desk) -> None:
    def seen() -> list[tuple[str, int]]:
        return [(str(path), path.stat().st_mtime_ns) for path in sorted(built.path.rglob("*"))]

    before = seen()
    built.ok("-n")
    built.ok("-n", "out/a.txt")
    assert seen() == before


def test_few_are_kept(built: Desk) -> None:
    for word in "abcdefghij":
        built.call("-q", "-C", f"word={word}")
    assert len(plans(built)) <= 6


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "text", "link", "folder", "fifo"])
def test_what_is_damaged_or_foreign_is_passed_over(built: Desk, damage: str, tmp_path: Path) -> None:
    for path in plans(built):
        content = path.read_bytes()
        path.unlink()
        match damage:
            case "empty":
                path.write_bytes(b"")
            case "cut":
                path.write_bytes(content[:-1])
            case "flipped":
                path.write_bytes(content[:200] + bytes([content[200] ^ 1]) + content[201:])
            case "text":
                path.write_text("flowrules plan\n" * 100)
            case "link":
                (elsewhere := tmp_path / "elsewhere").write_bytes(content)
                path.symlink_to(elsewhere)
            case "folder":
                path.mkdir()
            case "fifo":
                os.mkfifo(path)
    assert built.ok("-n") == NOTHING
    built.write("in/a.txt", "changed\n")
    assert "copy" in built.ok("-n")
    built.ok("-q")
    assert built.ok("-n") == NOTHING


def test_of_other_versions_nothing_is_taken(built: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "__version__", "99")
    monkeypatch.setattr(build, "make_plan", None)
    with pytest.raises(TypeError):  # it would be planned
        memory_only(built)


def memory_only(desk: Desk) -> None:
    """A dry run that lets mistakes of the program through."""
    from flowrules.app.dryrun import dry_run
    from flowrules.app.settings import Request, Source
    from flowrules.show.output import Output

    dry_run(Source(), Request(), Output(), "text")


def test_it_can_be_switched_off(built: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(memory.SWITCH, "0")
    monkeypatch.setattr(build, "make_plan", None)
    with pytest.raises(TypeError):
        memory_only(built)


def test_values_of_variables_are_not_kept(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "very-secret")
    desk.write(
        "Flowfile",
        'rule one:\n    output: "one.txt"\n    params: n=len(env("TOKEN"))\n    shell: "echo {params.n} > {output}"\n',
    )
    desk.call("-q")
    desk.call("-q")
    (plan,) = plans(desk)
    assert b"very-secret" not in plan.read_bytes()
    assert "nothing to do" in desk.ok("-n")
    monkeypatch.setenv("TOKEN", "longer-than-before")
    assert "changed params" in desk.ok("-n")


def test_workflows_that_run_code_of_their_author_are_planned_each_time(desk: Desk) -> None:
    desk.write("helpers.py", "def names():\n    return ['x']\n")
    desk.write(
        "Flowfile",
        'import "helpers.py" as h\nrule one:\n    output: "one.txt"\n    params: n=h.names()\n    shell: "echo > {output}"\n',
    )
    desk.call("-q")
    desk.call("-q")
    assert not (desk.path / ".flowrules/plans").exists()


def test_times_of_other_centuries_do_no_harm(built: Desk) -> None:
    for year in (-6_000_000_000, 32_503_680_000):  # seconds: 1779, and 3000
        os.utime(built.path / "in/a.txt", (year, year))
        built.ok("-q", "--touch")
        assert built.ok("-n") == NOTHING
