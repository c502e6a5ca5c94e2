"""Names and values of every nasty kind through bash, dash, ssh, mpiexec and GNU Parallel: what arrives is what was sent.

Thousands go through one process, so that a hundred thousand take minutes. `tests/expr/test_shell_real.py` is the place for every
context of shell text; here few contexts see very many values.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from flow_text import FlowText
from fuzzing import SEED, figure, share

from flowrules.execute.launchers import agent_command, bootstrap, quoted, task_words
from flowrules.expr.shell import Section, ShellNames, parse_shell
from flowrules.model.values import NamedList

BATCH = 400
"""Values of one process."""

PIECES = [*"ab Z09'\"\\$`!*?[]{}()<>|&;#~=:,.%^+-_/@\n\t\r\x01\x02\x07\x08\x1b\x7féß漢😀\xa0\u2028\u202e\ufeff",
    "$(id)", "${P}", "$P", "`id`", "\\\n", "' '", '" "', "\\'", "a b;rm -rf $HOME.txt", "$IFS", "${IFS}", "-n", "--", "-e", "..",
    "\udc80", "\udcff", "\udcc3", "if", "esac", "EOF", "END", "*", "!x", "!!", "~root", "~", "$'x'", "<(id)", "{a,b}", "{1..3}",
    "A=1", "2>&1", "\x81", "\x88", "\n\n", "{}", "{.}", "{/}", "{%}", "{#}", "{1}", "{= print =}", ":::", "::::", ",,", "\\\\",
    "%s", "%n", "%d", "|", "frnode.0.", "#: x", "#:", "\\x27", "\\047", "\\u0027", "'\\''", "nul", "CON", "a" * 300,
]  # fmt: skip


def value(chance: random.Random) -> str:
    return "".join(chance.choice(PIECES) for _ in range(chance.randint(1, 7)))


def batches(what: str, few: int) -> Iterator[list[str]]:
    """Values, a process full at a time."""
    chance = random.Random(f"{what} {SEED}")
    count = share(few)
    for start in range(0, count, BATCH):
        yield [value(chance) for _ in range(min(BATCH, count - start))]
    figure(what, f"{count:,} values arrived as they were sent")


def as_bytes(values: list[str]) -> list[bytes]:
    return [v.encode("utf-8", "surrogateescape") for v in values]


def arrived(raw: bytes, values: list[str], how: str) -> None:
    """Compares what a program got, NUL after each, with what was sent."""
    got, wanted = raw.split(b"\0")[:-1], as_bytes(values)
    for number, (one, other) in enumerate(zip(got, wanted, strict=False)):
        assert one == other, f"{how}, FUZZ_SEED={SEED}, value {number}: {other!r} arrived as {one!r}"
    assert len(got) == len(wanted), f"{how}: {len(wanted)} values were sent, {len(got)} arrived"


# ── shell text ───────────────────────────────────────────────────────────────────────────────────────────────────


NAMES = ShellNames(sections={"input": Section(), "output": Section()}, wildcards=("w",))
PLACES = {
    "show {w}": 1,
    "show x{w}'{w}'": 1,
    'show "{w}" {input}': 2,
    "X={w}; show \"$X\"": 1,
    "show \"$(printf %s. {w})\"": 1,
    "eval show {w:q}": 1,
}  # fmt: skip
SHELLS = [pytest.param(s, marks=pytest.mark.skipif(shutil.which(s) is None, reason="absent")) for s in ("bash", "dash")]


def expected(place: str, text: str) -> list[str]:
    path = "./" + text if text.startswith("-") else text
    shown = {"show x{w}'{w}'": [f"x{text}{text}"], 'show "{w}" {input}': [text, path]}
    return shown.get(place, [f"{text}." if "printf" in place else text])


@pytest.mark.parametrize("shell", SHELLS)
def test_shells(shell: str) -> None:
    templates = {}
    for place in PLACES:
        templates[place], told = parse_shell(FlowText(place), NAMES)
        assert told == []
    for values in batches(f"{shell}", 300):
        script, sent = ["show() { printf '%s\\0' \"$@\"; }"], []
        for number, text in enumerate(values):
            place = list(PLACES)[number % len(PLACES)]
            script.append(templates[place].render({"wildcards": {"w": text}, "input": NamedList([text], {})}))
            sent += expected(place, text)
        done = subprocess.run(
            [shell, "-s"],
            input="\n".join([*script, ""]).encode("utf-8", "surrogateescape"),
            capture_output=True,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "P": "pre"},
            timeout=300,
        )
        assert done.stderr == b"", done.stderr.decode("utf-8", "replace")[:500]
        arrived(done.stdout, sent, shell)


def test_words_of_an_agent() -> None:
    for values in batches("words of an agent (bash)", 300):
        line = " ".join(map(quoted, values))
        assert line.isascii() and "\n" not in line
        script = 'read -r line; eval "set -- $line"; printf \'%s\\0\' "$@"'
        done = subprocess.run(["bash", "-c", script], input=line.encode() + b"\n", capture_output=True, check=True)
        arrived(done.stdout, values, "quoted")


# ── launchers ────────────────────────────────────────────────────────────────────────────────────────────────────

AGENT = """
read -r fr_line
eval "set -- $fr_line"
shift 3
fr_count=$1
shift
printf '%s\\0' "${@:1:fr_count}" >"$OUT.env"
printf '%s\\0' "${@:fr_count+1}" >"$OUT.argv"
printf '%s' "$MARK" >"$OUT.mark"
cat >/dev/null # as an agent stays until its stdin ends: Hydra fails where a program ends while its stdin is being closed
"""


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["local", "ssh", "mpiexec"])
def test_launchers(launcher: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """An agent as it is started on a node, told of one task, writes down what it was told."""
    host, options = "here", []
    if launcher != "local":
        if shutil.which(launcher) is None:
            pytest.skip(f"`{launcher}` is not installed")
        hosts = request.getfixturevalue("hosts")
        host, options = hosts.names[0], ["-F", str(hosts.config)]
        if launcher == "mpiexec":
            options = ["-launcher", "ssh", "-launcher-exec", str(hosts.ssh), "-localhost", hosts.gateway]
    for number, values in enumerate(batches(f"agents by {launcher}", 300)):
        out = str(tmp_path / f"it's {number}")
        argv, env = values, {f"FR_{i}": v for i, v in enumerate(values[:50])}
        first = bootstrap(AGENT, ["a b"], {"OUT": out, "MARK": values[0]})
        line = task_words(argv, env, "log").encode("ascii") + b"\n"
        command = agent_command(launcher, host, options=options)
        done = subprocess.run(command, input=first + line, capture_output=True, timeout=300)
        assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
        arrived(Path(out + ".argv").read_bytes(), argv, launcher)
        arrived(Path(out + ".env").read_bytes(), [f"{k}={v}" for k, v in env.items()], launcher)
        assert Path(out + ".mark").read_bytes() == as_bytes(values[:1])[0]


# ── whole runs ───────────────────────────────────────────────────────────────────────────────────────────────────

FLOWFILE = """\
config "values.json"
rule all:
    input: expand("out/{w}.bin", w=config.names)
rule show:
    input: glob("in/{n}")
    output: "out/{w}.bin"
    params: v=config.values[:300], more=config.values[300:]
    env: FR_A=config.values[0], FR_B=config.values[1]
    shell: "printf '%s\\\\0' {wildcards.w} {params.v} {input} {params.more} \\"$FR_A\\" \\"$FR_B\\" '{wildcards.w}' > {output}"
"""
MACHINE = """\
scheduler: pbs
launcher: %s
node: {cpus: 8}
blocks: {nodes: 1, walltime: 20min, min: 0, max: 1}
latency_wait: 5s
"""


def names_of_files(chance: random.Random, count: int) -> list[str]:
    """Names that a file may have."""
    found = dict.fromkeys(value(chance).replace("/", "s").strip(".")[:200] for _ in range(2 * count))
    return [name for name in found if name and not name.startswith(".") and len(os.fsencode(name)) < 200][:count]


@pytest.mark.slow
@pytest.mark.parametrize("how", ["this machine", "sandbox", "parallel", "parallel by ssh"])
def test_whole_runs(how: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Config values, environment, wildcard values and names of files, from the Flowfile to a program's arguments."""
    if how.startswith("parallel") and shutil.which("parallel") is None:
        pytest.skip("`parallel` is not installed")
    hosts = request.getfixturevalue("hosts") if how == "parallel by ssh" else None
    chance = random.Random(f"whole {SEED}")
    count = share(600, 0.1)
    for number in range(-(-count // 600)):
        box = tmp_path / f"box {number}"
        (box / "in").mkdir(parents=True)
        files = names_of_files(chance, 40)
        for name in files:
            (box / "in" / name).write_text("")
        values = [value(chance).encode("utf-8", "replace").decode() for _ in range(540)]
        names = [name for name in names_of_files(chance, 40) if name.isprintable()][:5]
        (box / "values.json").write_text(as_yaml({"values": values, "names": names}))
        (box / "Flowfile").write_text(FLOWFILE)
        (box / "machine").mkdir()
        (box / "machine/profile.yaml").write_text(MACHINE % ("parallel" if how.startswith("parallel") else "ssh"))
        run(box, how, hosts)
        paths = sorted((f"in/{name}" for name in files), key=str)
        for name in names:
            sent = [name, *values[:300], *paths, *values[300:], values[0], values[1], name]
            arrived((box / f"out/{name}.bin").read_bytes(), sent, f"{how}, {name!r}")
        made = {p.name for p in box.iterdir()} - {"ssh", "scripts", ".flowrules"}
        assert made == {"Flowfile", "in", "machine", "out", "values.json"}, "a value was run"
    told = f"{-(-count // 600)} workflows, each with 540 values, 40 names of files and 5 wildcard values that arrived as sent"
    figure(f"whole runs, {how}", told)


def as_yaml(value: object) -> str:
    """JSON that is YAML too: no pairs of surrogates, and an escape for what YAML allows in no text."""
    text = json.dumps(value, ensure_ascii=False)
    return "".join(f"\\u{ord(c):04x}" if ord(c) < 0x10000 and not c.isprintable() else c for c in text)


def run(box: Path, how: str, hosts: object) -> None:
    env = {**os.environ, "LC_ALL": "C.UTF-8"}
    program = [sys.executable, "-m", "flowrules", "-q"]
    if how == "this machine":
        called(box, [*program, "-j", "2"], env)
    elif how == "sandbox":
        called(box, [*program, "--profile", "./machine", "--sandbox"], env)
    else:
        here = [] if hosts is not None else ["--sandbox"]
        called(box, [*program, "--profile", "./machine", *here, "--write-scripts", "scripts"], env)
        env["FLOWRULES_NODES"] = "here"
        if hosts is not None:
            env["FLOWRULES_NODES"] = hosts.names[0]
            (box / "ssh").mkdir()
            (box / "ssh/ssh").write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {hosts.config} "$@"\n')
            (box / "ssh/ssh").chmod(0o755)
            env["PATH"] = f"{box / 'ssh'}:{env['PATH']}"
        called(box, ["bash", "scripts/b001/plain.sh"], env)


def called(box: Path, command: list[str], env: dict[str, str]) -> None:
    done = subprocess.run(command, cwd=box, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=600)
    said = (done.stdout + done.stderr).decode("utf-8", "replace")
    assert done.returncode == 0, said[-3000:]


def test_values_are_many_and_nasty() -> None:
    values = list(islice((v for batch in batches("kinds", 300) for v in batch), 300))
    assert sum(bool(set(v) & set("'\"\\$`\n")) for v in values) > 150
    assert len(set(values)) > 250
