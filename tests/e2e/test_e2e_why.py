"""`flowrules why` after edits of a workflow that has run: it names what was changed, and nothing where nothing was."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowrules.cli.main import status_of

FLOWFILE = """\
config "config.yaml"
let WIDTH = 3
let twice(x) = 2 * x

rule all:
    input: "out/all.txt"

rule cut:
    \"\"\"One part.\"\"\"
    input: "in/{part}.txt"
    output: "out/{part}.cut"
    params: width=WIDTH, twice=twice(config.seed), deep={"a": [1, 2], "b": "x"}
    shell: \"\"\"
        # a comment in the command
        head -c {params.width} {input} > {output}
        echo {config.seed} {params.twice} >> {output}
        \"\"\"

rule script:
    input: "out/a.cut", note="in/note.txt"
    output: "out/script.txt"
    script: "scripts/note.py"

rule call:
    input: "in/b.txt"
    output: "out/call.txt"
    call: "lib/work.py:work"

rule folder:
    input: directory("data")
    output: "out/folder.txt"
    shell: "ls {input} > {output}"

rule all_parts:
    input: expand("out/{part}.cut", part=["a", "b"]), "out/script.txt", "out/call.txt", "out/folder.txt", ancient("in/old.txt")
    output: "out/all.txt"
    shell: "cat {input} > {output}"
"""

FILES = {
    "Flowfile": FLOWFILE,
    "config.yaml": "seed: 7\nunused: 1\n",
    "in/a.txt": "alpha\n",
    "in/b.txt": "beta\n",
    "in/note.txt": "note\n",
    "in/old.txt": "old\n",
    "data/one": "1\n",
    "scripts/note.py": "from flowrules import job\n\nwith open(job.output[0], 'w') as file:\n    file.write('noted')\n",
    "lib/work.py": "def work(job):\n    # says b\n    open(job.output[0], 'w').write('b')\n",
}


def replaced(path: str, old: str, new: str) -> Callable[[], None]:
    """An edit of a text that is there once."""

    def edit() -> None:
        text = Path(path).read_text()
        assert text.count(old) == 1, (path, old)
        Path(path).write_text(text.replace(old, new))

    edit.__doc__ = f"{path}: {old!r} -> {new!r}"
    return edit


def flow(old: str, new: str) -> Callable[[], None]:
    return replaced("Flowfile", old, new)


def written(path: str, text: str) -> Callable[[], None]:
    def edit() -> None:
        Path(path).parent.mkdir(exist_ok=True)
        Path(path).write_text(text)

    return edit


def removed(path: str) -> Callable[[], None]:
    return lambda: os.unlink(path)


def touched(path: str) -> Callable[[], None]:
    return lambda: os.utime(path)


CHANGES = [
    # params, through constants, functions, config and literals
    (flow("WIDTH = 3", "WIDTH = 4"), "width: 3 → 4"),
    (flow("2 * x", "3 * x"), "twice: 14 → 21"),
    (replaced("config.yaml", "seed: 7", "seed: 8"), "twice: 14 → 16"),
    (flow("[1, 2]", "[1, 5]"), "deep.a[1]: 2 → 5"),
    (flow("[1, 2]", "[1]"), "deep.a[1]: 2, no more"),
    (flow("[1, 2]", "[1, 2, 3]"), "deep.a[2]: new, 3"),
    (flow('"b": "x"', '"b": "y"'), 'deep.b: "x" → "y"'),
    (flow(', "b": "x"', ""), 'deep.b: "x", no more'),
    (flow('"b": "x"', '"c": "x"'), 'deep.c: new, "x"'),
    (flow("width=WIDTH", "width=WIDTH, extra=true"), "extra: new, true"),
    (flow("width=WIDTH", "width=str(WIDTH)"), 'width: 3 → "3"'),
    # commands
    (flow("head -c", "head -n"), "c → n"),
    (flow("head -c {params.width}", "head -c {params.width} -q"), "nothing → -q"),
    (flow("a comment in the command", "another comment in the command"), "a → another"),
    (flow("echo {config.seed} {params.twice}", "echo {params.twice}"), "- echo 7 {params.twice}"),
    (flow('"cat {input} >', '"tac {input} >'), "cat → tac"),
    (flow('"ls {input}', '"ls -l {input}'), "nothing → -l"),
    (flow("        head -c", "        set -x\n        head -c"), "+ set -x"),
    (replaced("scripts/note.py", "'noted'", "'seen'"), "noted → seen"),
    (replaced("scripts/note.py", "with open", "# why not\nwith open"), "+ # why not"),
    (replaced("lib/work.py", "write('b')", "write('c')"), "b → c"),
    (replaced("lib/work.py", "def work", "X = 1\ndef work"), "+ X = 1"),
    (flow('lib/work.py:work"', 'lib/work.py:other"'), "work → other"),
    # inputs
    (written("in/a.txt", "other\n"), "changed input: in/a.txt (of the same size"),
    (written("in/a.txt", "alphabet\n"), "changed input: in/a.txt (6B → 9B"),
    (written("in/b.txt", ""), "changed input: in/b.txt (5B → 0B"),
    (written("in/note.txt", "n\n"), "changed input: in/note.txt"),
    (written("data/two", "2\n"), "changed input: data (a file in it was added, changed or removed"),
    (written("data/one", "11\n"), "changed input: data (a file in it was added, changed or removed"),
    (removed("data/one"), "changed input: data (a file in it was added, changed or removed"),
    (flow('"in/b.txt"\n    output: "out/call', '"in/a.txt"\n    output: "out/call'), "+ in/a.txt"),
    (flow('"in/b.txt"\n    output: "out/call', '"in/b.txt", "in/a.txt"\n    output: "out/call'), "+ in/a.txt"),
    (flow('"out/a.cut", note=', "note="), "- out/a.cut"),
    (flow('part=["a", "b"]', 'part=["a"]'), "- out/b.cut"),
    (flow('"out/folder.txt", ancient', "ancient"), "- out/folder.txt"),
    # outputs
    (removed("out/all.txt"), "missing output: out/all.txt (made "),
    (removed("out/script.txt"), "missing output: out/script.txt (made ", "out/script.txt"),
    (removed("out/a.cut"), "missing output: out/a.cut (made ", "out/a.cut"),
    (written("out/a.cut", "mine\n"), "changed input: out/a.cut (8B → 5B"),
    (
        flow('output: "out/call.txt"', 'output: "out/call.txt", "out/more.txt"'),
        "missing output: out/more.txt (it was never",
        "out/more.txt",
    ),
    (flow('"out/call.txt", "out/folder.txt"', '"out/call.txt", "in/b.txt", "out/folder.txt"'), "+ in/b.txt"),
    (touched("data/one"), "changed input: data (a file in it was added, changed or removed"),
]

NOTHING = [
    flow("let WIDTH", "# the width\nlet WIDTH"),
    flow("rule script:\n", "rule script:\n\n"),
    flow('input: "in/b.txt"', 'input:  "in/b.txt"  # b'),
    flow("One part.", "One part of it."),
    flow(
        'params: width=WIDTH, twice=twice(config.seed), deep={"a"',
        'params:\n        width=WIDTH, twice=twice(config.seed),\n        deep={"a"',
    ),
    flow("let WIDTH = 3", "let W = 3\nlet WIDTH = W"),
    flow("2 * x", "x * 2"),
    flow("let twice", "let UNUSED = 9\nlet twice"),
    flow("rule script:", "rule other:\n    output: 'x'\n    shell: 'echo > {output}'\n\nrule script:"),
    replaced("config.yaml", "unused: 1", "unused: 2"),
    replaced("config.yaml", "seed: 7", "# the seed\nseed:    7"),
    touched("in/a.txt"),
    touched("Flowfile"),
    touched("scripts/note.py"),
    written("in/old.txt", "young\n"),
    written("in/unused.txt", ""),
]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the workflow has run once."""
    folder = tmp_path_factory.mktemp("why")
    for path, text in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    before = os.getcwd()
    os.chdir(folder)
    try:
        # long enough ago that an edit of the same size is a change of time
        for path in FILES:
            os.utime(path, ns=(1_700_000_000 * 10**9,) * 2)
        assert status_of(["-q", "-j", "2"]) == 0
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def edited(ran: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any) -> Callable[..., str]:
    """A copy of it to edit, and what `why` says there."""
    import shutil

    folder = tmp_path / "copy"
    shutil.copytree(ran, folder, copy_function=shutil.copy2)
    monkeypatch.chdir(folder)

    def why(*targets: str) -> str:
        assert status_of(["why", *targets]) == 0
        return str(capfd.readouterr().out)

    assert "is up to date: nothing is to be done" in why()
    return why


@pytest.mark.parametrize(("edit", "named", "targets"), [(edit, named, targets) for edit, named, *targets in CHANGES])
def test_what_was_changed_is_named(
    edited: Callable[..., str], edit: Callable[[], None], named: str, targets: list[str]
) -> None:
    edit()
    text = edited(*targets)
    assert named in text
    assert "nothing is to be done" not in text


@pytest.mark.parametrize("edit", NOTHING)
def test_what_changes_nothing_is_nothing(edited: Callable[..., str], edit: Callable[[], None]) -> None:
    edit()
    assert "is up to date: nothing is to be done" in edited()


def test_what_cannot_be_made_anew_is_kept(edited: Callable[..., str]) -> None:
    os.unlink("in/a.txt")
    assert edited("out/a.cut").startswith("out/a.cut is kept as it is: what it was made from is gone\n")


def test_a_failure_is_told_with_its_last_words(edited: Callable[..., str]) -> None:
    replaced("Flowfile", "        head -c", "        echo no luck; false\n        head -c")()
    assert status_of(["-q", "out/a.cut"]) == 1
    text = edited("out/a.cut")
    assert "  the last attempt failed 2" in text and "    | no luck\n    log: .flowrules/logs/cut/a.log\n" in text


def test_the_rule_that_is_asked_for_by_default_may_make_the_file_itself(
    tmp_path: Path, monkeypatch: Any, capfd: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("Flowfile").write_text('rule one:\n    output: "one.txt"\n    shell: "echo > {output}"\n')
    for call in (["why"], ["why", "one"], ["why", "one.txt"]):
        assert status_of(call) == 0
        assert capfd.readouterr().out.startswith("one.txt will be made by one (Flowfile:1:6)\n")


def test_a_long_chain_is_told_as_far_back_as_anybody_reads(tmp_path: Path, monkeypatch: Any, capfd: Any) -> None:
    monkeypatch.chdir(tmp_path)
    Path("Flowfile").write_text(
        'rule all:\n    input: "f/3000"\n'
        'rule first:\n    output: "f/0"\n    shell: "echo > {output}"\n'
        'rule next:\n    input: f"f/{int(wildcards.n) - 1}"\n    output: "f/{n,[1-9][0-9]*}"\n    shell: "cp {input} {output}"\n'
    )
    assert status_of(["why"]) == 0
    assert capfd.readouterr().out.splitlines()[-1].endswith("… `flowrules why f/2988` goes on")
    assert status_of(["why", "--format", "json"]) == 0
    assert '"f/2988"' in capfd.readouterr().out


def test_there_are_forty() -> None:
    assert len(CHANGES) >= 40
