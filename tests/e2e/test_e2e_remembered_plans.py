"""A plan that was remembered is the plan that would be made: the same dry run, byte for byte, whatever was changed since.

Each edit is what a user might do between two calls. After each the program is called with and without what it remembers.
"""

from __future__ import annotations

import io
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowrules.app import memory
from flowrules.cli.main import status_of

FLOWFILE = """
config "config.yaml"
let NAMES = lines("names.txt")
let FOUND = glob("in/{name}.txt").name
let MORE = ["extra.txt"] if env("MORE", "") == "yes" else []

rule all:
    input: "table.txt", expand("parts/{name}", name=FOUND), MORE

rule first:
    input: "in/{name}.txt"
    output: temp("a/{name}.txt")
    params: word=config.word
    shell: "echo {params.word} | cat - {input} > {output}"

rule second:
    input: "a/{name}.txt", ancient("settings.txt")
    output: "b/{name}.txt", protected("b/{name}.log")
    params: size=size("in/sizes.csv")
    shell: "cp {input[0]} {output[0]}; echo {params.size} > {output[1]}"

rule parts:
    input: "b/{name}.txt"
    output: directory("parts/{name}")
    shell: "mkdir {output}; cp {input} {output}/one"

rule table:
    input: expand("b/{name}.txt", name=NAMES)
    output: "table.txt"
    script: "table.sh"

rule extra:
    output: "extra.txt"
    shell: "echo > {output}"
"""
SCRIPT = 'cat "$@" > /dev/null; echo table > table.txt\n'
FILES = {
    "Flowfile": FLOWFILE,
    "config.yaml": "word: moon\n",
    "names.txt": "x\ny\nz\n",
    "settings.txt": "1\n",
    "table.sh": SCRIPT,
    "in/x.txt": "x\n",
    "in/y.txt": "y\n",
    "in/z.txt": "z\n",
    "in/sizes.csv": "a,b\n",
}
PATHS = (
    "settings.txt",
    "table.sh",
    "in/x.txt",
    "b/x.txt",
    "b/z.log",
    "table.txt",
    "parts/y",
    "parts/y/one",
    "in/new.txt",
)


class Folder:
    """A workflow, and the program called in it."""

    def __init__(self) -> None:
        self.clock = time.time_ns() - 10**12
        for name, text in FILES.items():
            self.write(name, text)

    def tick(self, name: str) -> None:
        """What is written now is newer than all before, by the clock of the folder."""
        self.clock += 10**9
        os.utime(name, ns=(self.clock, self.clock))

    def write(self, name: str, text: str) -> None:
        path = Path(name)
        if path.is_dir():
            path /= "one"
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            path.chmod(0o644)
        path.write_text(text)
        self.tick(str(path))

    def call(self, *args: str) -> tuple[int, str]:
        """The status of a call, and all that it said."""
        said = io.StringIO()
        with redirect_stdout(said), redirect_stderr(said):
            status = status_of(list(args))
        return status, said.getvalue()

    def dry(self, *args: str) -> tuple[int, str]:
        return self.call("-n", *args)

    @contextmanager
    def forgetful(self) -> Iterator[None]:
        """Meanwhile the program remembers nothing."""
        os.environ[memory.SWITCH] = "0"
        try:
            yield
        finally:
            del os.environ[memory.SWITCH]


@contextmanager
def folder() -> Iterator[Folder]:
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as path:
        os.chdir(path)
        try:
            yield Folder()
        finally:
            os.chdir(before)
            os.environ.pop("MORE", None)


# ── edits ────────────────────────────────────────────────────────────────────────────────────────────────────────

Edit = Callable[[Folder], object]
REPLACED = (
    ('"echo {params.word} | cat', '"echo now {params.word} | cat'),
    ('ancient("settings.txt")', '"settings.txt"'),
    ('temp("a/{name}.txt")', '"a/{name}.txt"'),
    ("rule parts:", "checkpoint parts:"),
    ('"table.txt", expand("parts', 'expand("parts'),
    ('size("in/sizes.csv")', "7"),
    ("rule extra:", "# a remark\nrule extra:"),
    ('expand("b/{name}.txt", name=NAMES)', 'expand("b/{name}.txt", name=FOUND)'),
    (
        "rule extra:",
        'rule other:\n    input: "nowhere/{name}"\n    output: "b/{name}.txt"\n    shell: "cp {input} {output}"\n\nrule extra:',
    ),
)


def _touch(name: str) -> Edit:
    return lambda f: f.tick(name) if os.path.exists(name) else None


def _delete(name: str) -> Edit:
    def delete(f: Folder) -> None:
        path = Path(name)
        if path.is_dir():
            for below in path.iterdir():
                below.unlink()
            path.rmdir()
        elif path.exists():
            path.unlink()

    return delete


def _replace(pair: tuple[str, str]) -> Edit:
    def replace(f: Folder) -> None:
        text = Path("Flowfile").read_text() if os.path.exists("Flowfile") else FLOWFILE
        f.write("Flowfile", text.replace(*pair) if pair[0] in text else text.replace(pair[1], pair[0]))

    return replace


def _damage(place: int) -> Edit:
    def damage(f: Folder) -> None:
        for path in Path(".flowrules").glob("plans/*"):
            content = bytearray(path.read_bytes())
            content[place % len(content)] ^= 1 + place % 255
            path.write_bytes(content if place % 3 else content[: place % len(content)])

    return damage


def _variable(value: str) -> Edit:
    return lambda f: os.environ.__setitem__("MORE", value)


def _protect(name: str) -> Edit:
    return lambda f: Path(name).chmod(0o444) if os.path.isfile(name) else None


EDITS: st.SearchStrategy[tuple[str, Edit]] = st.one_of(
    st.sampled_from(PATHS).map(lambda name: (f"touch {name}", _touch(name))),
    st.sampled_from(PATHS).map(lambda name: (f"delete {name}", _delete(name))),
    st.tuples(
        st.sampled_from([p for p in PATHS if p not in ("Flowfile", "config.yaml", "table.sh", "names.txt")]),
        st.sampled_from(["1\n", "other\n", "longer text\n"]),
    ).map(lambda pair: (f"write {pair}", lambda f: f.write(*pair))),
    st.sampled_from(["word: moon\n", "word: sun\n", "word: sun\nmore: 1\n"]).map(
        lambda text: (f"config {text!r}", lambda f: f.write("config.yaml", text))
    ),
    st.sampled_from(["x\ny\nz\n", "x\ny\n", "x\ny\nz\nnew\n", "x\nmissing\n"]).map(
        lambda text: (f"names {text!r}", lambda f: f.write("names.txt", text))
    ),
    st.sampled_from([SCRIPT, f"# changed\n{SCRIPT}"]).map(
        lambda text: (f"script {text!r}", lambda f: f.write("table.sh", text))
    ),
    st.sampled_from(REPLACED).map(lambda pair: (f"flowfile {pair}", _replace(pair))),
    st.integers(0, 10_000).map(lambda place: (f"damage {place}", _damage(place))),
    st.sampled_from(["yes", "no"]).map(lambda value: (f"MORE={value}", _variable(value))),
    st.sampled_from(PATHS).map(lambda name: (f"protect {name}", _protect(name))),
    st.just(("run", lambda f: f.call("-j", "2", "-k", "-q"))),
    st.just(("accept", lambda f: f.call("--touch", "-q"))),
    st.just(("run one", lambda f: f.call("-j", "2", "-q", "b/y.txt"))),
)


def the_same(f: Folder, note: object) -> None:
    """Both ways of calling say the same."""
    for args in ((), ("--format", "json"), ("-v",), ("b/y.txt",), ("--no-cutoff",)):
        remembered = f.dry(*args)
        with f.forgetful():
            made = f.dry(*args)
        assert remembered == made, (note, args)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(EDITS, min_size=3, max_size=7))
def test_the_plan_is_what_it_would_be(edits: list[tuple[str, Edit]]) -> None:
    with folder() as f:
        f.call("-j", "2", "-q")
        f.call("-q")  # nothing is to be done: all of it is remembered
        done = []
        for name, edit in edits:
            edit(f)
            done.append(name)
            the_same(f, done)
            f.call("--touch", "-q") if name == "accept" else None
        f.call("-j", "2", "-q", "-k")
        the_same(f, [*done, "run"])
