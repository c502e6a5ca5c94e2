"""Profiles: what a text and the settings beside it come to, and every mistake with the exact text a user sees."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowrules.errors import FlowfileError
from flowrules.expr.yaml12 import Node
from flowrules.load.problems import Problems
from flowrules.load.profile_keys import KEYS, below, general
from flowrules.load.profile_settings import Overrides
from flowrules.load.profile_values import Values
from flowrules.load.profiles import load_profile
from flowrules.model.profile import GpuSlot, Profile, Queue, Route
from flowrules.show.problems import render_error
from flowrules.show.profiles import render_profile
from flowrules.span import Source, Span

GOLDEN = Path(__file__).parent.parent / "golden" / "profiles"
PACKAGED = Path(__file__).parents[2] / "profiles"

GOOD = """\
scheduler: pbs
launcher: mpiexec
node:
  cpus: 8
  mem: 64GB
  gpus:
    env: CUDA_VISIBLE_DEVICES
    slots:
      - {id: "0", cpus: "4-7"}
      - {id: 1, cpus: "0-1"}
  reserved: 2
  resources: {licence: 2}
blocks: {nodes: 2, walltime: 30min, init: 1, min: 0, max: 4, idle: 90s}
queue: long
queues:
  short: {nodes: 2, walltime: 1h, jobs_per_user: 1}
  long:
    nodes: 2-100
    walltime: 10min-1-00:00:00
    queued_per_project: 100
    routes:
      small: {nodes: 2-9, walltime: 3h}
      large: {nodes: 10-100, walltime: 24h}
  any: {nodes: 3-, walltime: 5min-, rerunnable: true, jobs_per_project: 20}
pbs: {account: 007, select: "system=x", directives: ["-l mem=60gb"], required: [account]}
worker_init: |
  module load python
latency_wait: 10s
"""


def load(text: str, *sets: str, environ: dict[str, str] | None = None, launcher: str | None = None) -> Profile:
    """The profile of a text."""
    return load_profile(Source("p/profile.yaml", text, "p"), "p", Overrides(environ or {}, sets, launcher))


def with_node(rest: str, scheduler: str = "pbs") -> str:
    """A profile of a batch system whose node needs no words."""
    return f"scheduler: {scheduler}\nlauncher: ssh\nnode: {{cpus: 8}}\n{rest}"


def gpus(*slots: str, cpus: int = 8, more: str = "") -> str:
    lines = "".join(f"      - {slot}\n" for slot in slots)
    return f"scheduler: pbs\nlauncher: ssh\nnode:\n  cpus: {cpus}\n{more}  gpus:\n    env: X\n    slots:\n{lines}"


QUEUES = """\
queues:
  debug: {nodes: 1-2, walltime: 5min-1h}
  prod: {nodes: 10-20, walltime: 5min-24h}
"""

MISTAKES: dict[str, tuple[str, Overrides]] = {
    name: (text, more[0] if more else Overrides())
    for name, text, *more in (
        ("no-mapping", "- scheduler: pbs\n"),
        ("no-yaml", "scheduler: [pbs\nlauncher: ssh\n"),
        ("key-twice", "scheduler: pbs\nscheduler: slurm\nnode: {cpus: 1}\n"),
        ("unknown-key", with_node("bloks: {nodes: 2}\n")),
        ("unknown-key-below", with_node("blocks: {nods: 2, max_blocks: 3}\n")),
        ("key-in-the-wrong-place", with_node("walltime: 1h\naccount: me\n")),
        ("unknown-key-of-a-queue", with_node("queues:\n  debug: {nodes: 1, jobs_per_usr: 5}\n")),
        (
            "names-with-dots",
            with_node("queues:\n  de.bug: {nodes: 1}\n  a: {routes: {b.c: {nodes: 1}, '': {nodes: 1}}}\n"),
        ),
        ("key-of-a-gpu", gpus('{id: "0", cpu: "0-3"}')),
        ("section-that-is-none", "scheduler: pbs\nnode: 64\nblocks: [1]\nqueues: debug\n"),
        ("scheduler", "scheduler: PBS\nlauncher: mpirun\n"),
        ("count", with_node("blocks: {nodes: 0, init: -1, min: 1.5, max: many}\n")),
        ("flag", with_node("queues:\n  a: {rerunnable: yes}\n")),
        ("quoted-flag", with_node('queues:\n  a: {rerunnable: "true"}\n')),
        ("time-without-unit", with_node("blocks: {walltime: 60}\nlatency_wait: 5\n")),
        ("unknown-unit", with_node("blocks: {walltime: 1hour}\n")),
        ("size-for-time", with_node("blocks: {walltime: 10GB}\n")),
        ("time-for-size", "scheduler: pbs\nnode: {cpus: 1, mem: 10min}\n"),
        ("size-unit", "scheduler: pbs\nnode: {cpus: 1, mem: 512G}\n"),
        ("range", with_node("queues:\n  a: {nodes: 1..2}\n  b: {nodes: [1, 2]}\n  c: {walltime: 60}\n")),
        ("range-reversed", with_node("queues:\n  a: {nodes: 5-2, walltime: 2h-1h}\n")),
        ("range-from-zero", with_node("queues:\n  a: {nodes: 0-4}\n  b: {nodes: 0}\n")),
        ("range-unit", with_node("queues:\n  a: {walltime: 5-60min}\n")),
        ("threads", gpus('{id: "0", cpus: "0-"}', '{id: "1", cpus: "3-1"}', '{id: "2", cpus: [4, 5]}')),
        ("thread-that-is-not-there", gpus('{id: "0", cpus: "0-8"}', more='  reserved: "11"\n')),
        ("thread-beside-two-gpus", gpus('{id: "0", cpus: "0-3"}', '{id: "1", cpus: "3-7"}')),
        ("thread-reserved", gpus('{id: "0", cpus: "0-3"}', more='  reserved: "3"\n')),
        ("thread-twice", gpus('{id: "0", cpus: "0-3,2"}')),
        ("all-threads-reserved", 'scheduler: pbs\nlauncher: ssh\nnode: {cpus: 4, reserved: "0-3"}\n'),
        ("gpu-twice", gpus('{id: "0", cpus: "0-3"}', "{id: 0}")),
        ("gpu-without-id", gpus('{cpus: "0-3"}', "1")),
        ("gpu-name", gpus('{id: "0,1"}')),
        ("gpus-without-variable", "scheduler: pbs\nnode:\n  cpus: 8\n  gpus:\n    slots: [{id: 0}]\n"),
        ("variable", "scheduler: pbs\nnode: {cpus: 8, gpus: {env: CUDA VISIBLE}}\n"),
        ("no-cpus", "scheduler: slurm\nlauncher: ssh\nnode: {mem: 10GB}\n"),
        ("no-node", "scheduler: slurm\n"),
        ("min-above-max", with_node("blocks: {min: 5, init: 7, max: 4}\n")),
        ("min-above-default-max", with_node("blocks: {min: 5}\n")),
        ("no-walltime", with_node("blocks: {walltime: 0s}\n")),
        ("local-with-nodes", "scheduler: pbs\nlauncher: local\nnode: {cpus: 8}\nblocks: {nodes: 2}\n"),
        ("unknown-queue", with_node("queue: prd\n" + QUEUES)),
        ("unknown-queue-far", with_node("queue: night\n" + QUEUES)),
        ("no-queue-for-nodes", with_node("blocks: {nodes: 5, walltime: 30min}\n" + QUEUES)),
        ("no-queue-for-walltime", with_node("blocks: {nodes: 2, walltime: 2h}\nqueue: debug\n" + QUEUES)),
        (
            "no-route",
            with_node(
                "blocks: {nodes: 10, walltime: 4h}\nqueues:\n  prod:\n    nodes: 10-\n"
                "    routes: {small: {nodes: 10-24, walltime: 3h}, large: {nodes: 25-, walltime: 24h}}\n"
            ),
        ),
        (
            "route-beyond-queue",
            with_node("queues:\n  a:\n    nodes: 1-4\n    routes: {r: {nodes: 2-5}, s: {nodes: 1-}}\n"),
        ),
        ("name-of-queue", with_node('queues:\n  "a b": {nodes: 1}\n  auto: {nodes: 1}\n')),
        ("text-that-breaks-a-line", with_node('pbs: {account: "a\\n#PBS -q x", select: "x=\'y\'", place: "$HOME"}\n')),
        ("text-of-the-wrong-kind", with_node("pbs: {account: true, select: [a], directives: -l x=1}\n")),
        ("required-key", with_node("pbs: {required: [acount, filesystems]}\n")),
        ("independent", "scheduler: pbs\nlauncher: shh\nnode: {cpu: 3}\nblocks: {walltime: 5}\nqueus: {}\n"),
        ("set", with_node(""), Overrides(sets=("blocks.nodes", "=3", "blocks..nodes=2", "blocks.nods=2"))),
        ("set-value", with_node(""), Overrides(sets=("blocks.nodes=many", "pbs.directives=[a", "queue.x=1"))),
        ("set-below-a-value", with_node("blocks: 3\n"), Overrides(sets=("blocks.nodes=2",))),
        ("set-contradiction", with_node(QUEUES), Overrides(sets=("blocks.nodes=5",), launcher="local")),
        ("launcher", with_node(""), Overrides(launcher="mpi")),
        ("set-bytes", with_node(""), Overrides({"FLOWRULES_SET_BLOCKS__MAX": "\udcff"}, ("blocks.nodes=\udcff",))),
        (
            "environment",
            with_node(""),
            Overrides({"FLOWRULES_SET_BLOCKS__NODES": "x", "FLOWRULES_SET_BLOKS__MAX": "1", "FLOWRULES_SETUP": "y"}),
        ),
    )
}


@pytest.mark.parametrize("case", MISTAKES)
def test_message(case, golden):
    text, overrides = MISTAKES[case]
    with pytest.raises(FlowfileError) as caught:
        load_profile(Source("p/profile.yaml", text, "p"), "p", overrides)
    golden(GOLDEN / f"{case}.txt", f"{text}---\n{render_error(caught.value)}\n")


def test_no_message_without_a_case():
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(MISTAKES)


def test_everything():
    profile = load(GOOD)
    assert (profile.name, profile.folder, profile.scheduler, profile.launcher) == ("p", "p", "pbs", "mpiexec")
    node = profile.node
    assert (node.cpus, node.mem, node.gpu_variable, node.reserved) == (8, 64 * 10**9, "CUDA_VISIBLE_DEVICES", (2,))
    assert node.gpus == (GpuSlot("0", (4, 5, 6, 7)), GpuSlot("1", (0, 1)))
    assert node.resources == {"licence": 2.0}
    blocks = profile.blocks
    assert (blocks.nodes, blocks.walltime, blocks.init, blocks.min, blocks.max, blocks.idle) == (2, 1800, 1, 0, 4, 90)
    assert profile.queue == "long"
    assert profile.queues == (
        Queue("short", (1, 2), (0, 3600), jobs_per_user=1),
        Queue(
            "long",
            (2, 100),
            (600, 86400),
            queued_per_project=100,
            routes=(Route("small", (2, 9), (0, 10800)), Route("large", (10, 100), (0, 86400))),
        ),
        Queue("any", (3, None), (300, None), jobs_per_project=20, rerunnable=True),
    )
    assert profile.options["account"] == "007", "as it is written"
    assert profile.options["directives"] == ("-l mem=60gb",)
    assert profile.options["place"] is None
    assert profile.worker_init == "module load python\n"
    assert profile.latency_wait == 10


def test_nothing_but_defaults():
    profile = load("# nothing\n")
    assert profile == Profile("p", "p", origins=profile.origins)
    assert set(profile.origins.values()) == {"default"}
    assert not profile.options


def test_null_is_not_given():
    assert load("node: null\nblocks: {nodes: null}\nqueues: {a: null}\n").queues == ()


def test_precedence_and_origins():
    environ = {"FLOWRULES_SET_BLOCKS__NODES": "3", "FLOWRULES_SET_LAUNCHER": "ssh", "FLOWRULES_SET_PBS__ACCOUNT": "e"}
    profile = load(GOOD, "blocks.nodes=4", "blocks.nodes=5", environ=environ, launcher="parallel")
    assert profile.blocks.nodes == 5
    assert profile.origins["blocks.nodes"] == "--set blocks.nodes=5"
    assert profile.launcher == "parallel"
    assert profile.origins["launcher"] == "--launcher parallel"
    assert profile.options["account"] == "e"
    assert profile.origins["pbs.account"] == "FLOWRULES_SET_PBS__ACCOUNT"
    assert profile.origins["node.cpus"] == "profile.yaml:4"
    assert profile.origins["pbs.place"] == "default"
    assert profile.origins["queues.long.routes.small.nodes"] == "profile.yaml:22"
    assert not any(key.startswith("slurm.") for key in profile.origins)
    assert {general(key) for key in profile.origins} <= set(KEYS)


def test_set_takes_yaml_and_text_as_it_is():
    sets = (
        "pbs.select=system=polaris:host=a",
        "pbs.directives=['-l x=1', -m n]",
        "queues.new={nodes: 1-4, walltime: 1h}",
        "queues.any=null",
        "queues.short.walltime=5min-2h",
        "node.gpus.slots=[{id: a, cpus: 3}]",
        "node.reserved=0-1,7",
        "pbs.account=",
        "blocks.walltime=00:20:00",
        'pbs.filesystems="home:x"',
        "worker_init=module load a: b",
    )
    profile = load(GOOD, *sets)
    assert profile.options["select"] == "system=polaris:host=a"
    assert profile.options["directives"] == ("-l x=1", "-m n")
    assert profile.options["account"] is None
    assert profile.options["filesystems"] == "home:x"
    assert [queue.name for queue in profile.queues] == ["short", "long", "new"]
    assert profile.queues[0].walltime == (300, 7200)
    assert profile.node.gpus == (GpuSlot("a", (3,)),)
    assert profile.node.reserved == (0, 1, 7)
    assert profile.blocks.walltime == 1200
    assert profile.worker_init == "module load a: b"


def test_variables_find_keys_that_no_variable_can_spell():
    text = with_node("queues:\n  Debug-Scaling: {nodes: 1-2}\n")
    profile = load(text, environ={"FLOWRULES_SET_QUEUES__DEBUG_SCALING__NODES": "1-9"})
    assert profile.queues[0] == Queue("Debug-Scaling", (1, 9))


def test_the_table_of_keys():
    for key, meant in KEYS.items():
        if meant.kind == "section":
            assert below(key), f"`{key}` has no keys"
        parent = key.rpartition(".")[0]
        assert not parent or KEYS[parent].kind in ("section", "names")
    assert general("queues.a.b") is None
    assert general("queues.a.nodes") == "queues.*.nodes"
    assert general("") is None


@pytest.mark.parametrize("name", sorted(path.parent.name for path in PACKAGED.glob("*/profile.yaml")))
def test_packaged(name):
    text = (PACKAGED / name / "profile.yaml").read_text()
    profile = load(text)
    assert text.startswith("# ")
    if profile.scheduler == "none":
        return
    assert profile.node.cpus > 1
    threads = [cpu for gpu in profile.node.gpus for cpu in gpu.cpus]
    assert len(threads) == len(set(threads))
    assert len({len(gpu.cpus) for gpu in profile.node.gpus}) <= 1, "slots are alike"
    if profile.queues:
        assert profile.options["required"], "a site wants an account"


def test_tiles_of_aurora_and_gpus_of_polaris():
    aurora = load((PACKAGED / "aurora" / "profile.yaml").read_text())
    assert [gpu.id for gpu in aurora.node.gpus] == [f"{g}.{t}" for g in range(6) for t in range(2)]
    assert aurora.node.gpu_variable == "ZE_AFFINITY_MASK"
    for gpu in aurora.node.gpus:
        low, high = gpu.cpus[:8], gpu.cpus[8:]
        assert high == tuple(cpu + 104 for cpu in low), "siblings are i and i+104"
        assert (int(gpu.id[0]) < 3) == (low[-1] < 52), "GPUs 0 to 2 are at the first socket"
    polaris = load((PACKAGED / "polaris" / "profile.yaml").read_text())
    assert [gpu.cpus[0] for gpu in polaris.node.gpus] == [24, 16, 8, 0]
    assert sorted(cpu for gpu in polaris.node.gpus for cpu in gpu.cpus) == list(range(64))


@pytest.mark.parametrize(
    "text", [GOOD, *(path.read_text() for path in sorted(PACKAGED.glob("*/profile.yaml")))], ids=lambda text: text[:20]
)
def test_what_is_shown_is_the_profile_again(text):
    profile = load(text)
    again = load(render_profile(profile, "text") + "\n")
    assert replace(again, origins={}) == replace(profile, origins={})


def value(method: str, path: str, text: object) -> object:
    """What a value is read as, and how many mistakes there are."""
    problems = Problems()
    source = Source("x", str(text))
    got = getattr(Values(problems), method)(Node(text, Span(source, 0, len(source.text))), path)
    assert (got is None) == bool(len(problems))
    return got


@given(st.sets(st.integers(0, 300), min_size=1))
def test_threads_are_read_as_they_are_written(cpus):
    from flowrules.show.profiles import _threads

    assert value("threads", "node.reserved", _threads(sorted(cpus)).strip('"')) == tuple(sorted(cpus))


@given(st.text(alphabet="0123456789-, hmind:.x", max_size=12))
def test_no_text_of_a_range_is_a_crash(text):
    for method, path in (
        ("threads", "node.reserved"),
        ("counts", "queues.a.nodes"),
        ("times", "queues.a.walltime"),
        ("time", "blocks.idle"),
    ):
        value(method, path, text)
