"""How a job starts its ranks: the texts, word for word as machines' manuals have them, and real ranks."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from flowrules.execute.launchers import numbers
from flowrules.execute.mpirun import MPIRUN, Place, Ranks, mpirun, places

GOLDEN = Path(__file__).parents[1] / "golden/mpirun"
POLARIS = {"0": "24-31,56-63", "1": "16-23,48-55", "2": "8-15,40-47", "3": "0-7,32-39"}
NEAR = {gpu: numbers(cpus) for gpu, cpus in POLARIS.items()}
TILES = {f"{n // 2}.{n % 2}": (n,) for n in range(12)}

RUNS = {
    "two nodes": (["x1", "x2"], Ranks(8, 4, 8)),
    "three ranks on two nodes": (["x1", "x2"], Ranks(3, 2, 1)),
    "one node": (["x2"], Ranks(4, 4, 16)),
    "this machine": ([], Ranks(4, 4, 2)),
    "a GPU a rank, eight threads beside it": (
        ["x1", "x2"],
        Ranks(8, 4, 8, "CUDA_VISIBLE_DEVICES", places(list(NEAR), NEAR, range(64), 4, gpus_per_rank=1, threads=8)),
    ),
    "two GPUs of a shared node": (
        ["x1"],
        Ranks(2, 2, 1, "CUDA_VISIBLE_DEVICES", places(["1", "3"], NEAR, (0, 16), 2, gpus_per_rank=0, threads=1)),
    ),
    "tiles": (
        ["x1"],
        Ranks(12, 12, 1, "ZE_AFFINITY_MASK", places(list(TILES), TILES, range(12), 12, gpus_per_rank=1, threads=1)),
    ),
}


@pytest.mark.parametrize("flavour", ["hydra", "pals", "slurm"])
def test_the_text(golden: Callable[[Path, str], None], flavour) -> None:
    said = [f"{name}\n    {mpirun(flavour, hosts, ranks)}\n" for name, (hosts, ranks) in RUNS.items()]
    golden(GOLDEN / f"{flavour}.txt", "".join(said))
    assert mpirun(flavour, ["x1"], Ranks(1, 1, 8)) == ""


@pytest.mark.parametrize("host", ["", "-x", "a b", "a,b", "$(id)"])
def test_a_host_is_never_an_option_or_a_command(host: str) -> None:
    with pytest.raises(ValueError, match="no name of a host"):
        mpirun("hydra", ["n1", host], Ranks(2, 1))


def place(gpus: str, cpus: str) -> Place:
    return Place(tuple(gpus), numbers(cpus))


@pytest.mark.parametrize(
    ("gpus", "ppn", "per_rank", "threads", "wanted"),
    [
        ("0123", 4, 1, None, [place(gpu, POLARIS[gpu]) for gpu in "0123"]),
        ("0123", 2, 2, 8, [place("01", "24-31"), place("23", "8-15")]),
        ("13", 4, 0.5, 4, [place("1", "16-19"), place("1", "48-51"), place("3", "0-3"), place("3", "32-35")]),
        ("2", 3, 0.33, 5, [place("2", "8-12"), place("2", "13-15,40-41"), place("2", "42-46")]),
        ("01", 3, 1, 1, [place("0", "24"), place("1", "16"), place("", "42")]),  # a third that is not checked here
        ("01", 2, 0, 2, [place("01", "0-1"), place("01", "32-33")]),
        ("", 2, 0, None, [place("", "0-31"), place("", "32-63")]),
    ],
)
def test_what_each_rank_has(gpus, ppn, per_rank, threads, wanted) -> None:
    assert list(places(gpus, NEAR, range(64), ppn, gpus_per_rank=per_rank, threads=threads)) == wanted


def test_threads_that_do_not_suffice_are_shared() -> None:
    assert places("0", {}, (3,), 2, gpus_per_rank=0.5, threads=1) == (place("0", "3"), place("0", "3"))


def run(command: str, text: str, **env: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "FLOWRULES_MPIRUN": text, **env}
    return subprocess.run(["bash", "-euo", "pipefail", "-c", command], env=environ, capture_output=True, text=True)


def test_the_text_vanishes_for_one_rank_and_passes_all_words_on(tmp_path) -> None:
    show = f"{MPIRUN} printf '%s|' a 'b c' '' '*' '$x'"
    assert run(show, "").stdout == "a|b c||*|$x|"
    assert run(show, 'exec env "$@"').stdout == "a|b c||*|$x|"


def test_a_rank_that_does_not_know_its_number_does_not_run() -> None:
    text = mpirun("hydra", [], Ranks(2, 2, 1, "GPU", (Place(("0",)), Place(("1",))))).replace("mpiexec -n 2", "env")
    done = run(f"{MPIRUN} echo ran", text)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "flowrules: the launcher does not tell ranks their number on the node\n"


SHOW = 'echo "$HOSTNAME $MPI_LOCALRANKID GPU ${GPU-none} CPU $(taskset -cp $$ | sed "s/.*: //") $1"'


@pytest.mark.skipif(not shutil.which("mpiexec"), reason="no `mpiexec` is installed")
@pytest.mark.parametrize("flavour", ["hydra", "pals"])
def test_each_rank_of_a_real_launch_has_its_own_gpu(request: pytest.FixtureRequest, flavour) -> None:
    """With PALS's flags, too, as far as Hydra has the same ones."""
    hosts = request.getfixturevalue("hosts")
    found = places(["a:0", "b'1", "c", "d"], {"c": (0,)}, (0, 1), 4, gpus_per_rank=1, threads=1)
    text = mpirun(flavour, hosts.names[:2], Ranks(8, 4, 1, "GPU", found))
    text = text.replace(' --cpu-bind none --env "TMPDIR=${TMPDIR:-/tmp}"', "").replace("PALS_LOCAL_", "MPI_LOCAL")
    text = text.replace("mpiexec", f"mpiexec -localhost {hosts.gateway}", 1)
    env = {"HYDRA_LAUNCHER": "ssh", "HYDRA_LAUNCHER_EXEC": str(hosts.ssh), "GPU": "all", "SHOW": SHOW}
    done = run(f"""{MPIRUN} bash -c "$SHOW" show 'a  "b"'""", text, **env)
    assert done.returncode == 0, done.stderr
    gpus = ["a:0", "b'1", "c", "d"]
    allowed = subprocess.run(["taskset", "-cp", str(os.getpid())], capture_output=True, text=True).stdout
    lines = sorted(line.split(" ", 2) for line in done.stdout.splitlines())
    assert [line[:2] for line in lines] == [[host, str(n)] for host in hosts.names[:2] for n in range(4)]
    for _, number, rest in lines:
        name, _, bound = rest.partition(" CPU ")
        assert name == f"GPU {gpus[int(number)]}" and bound.endswith(' a  "b"')
        if number == "2" and "0" in numbers_of(allowed):
            assert bound.split()[0] == "0"


def numbers_of(said: str) -> list[str]:
    return [str(n) for n in numbers(said.rpartition(": ")[2].strip())]
