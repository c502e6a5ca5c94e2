"""The functions of examples/molecules/lib/chem.py, called with a job as flowrules would."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from flowrules.jobdoc import JobView

pytest.importorskip("ase", reason="needs ase: pip install -r examples/molecules/requirements.txt")
pytest.importorskip("tblite", reason="needs tblite: pip install -r examples/molecules/requirements.txt")

EXAMPLE = Path(__file__).parents[2] / "examples" / "molecules"

# what numpy, ase and tblite warn of is not ours
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def chem():
    spec = importlib.util.spec_from_file_location("chem", EXAMPLE / "lib" / "chem.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def part(**entries):
    return {"items": list(entries.values()), "names": {name: [i, i + 1] for i, name in enumerate(entries)}}


def job(mol, *, input=None, output=None, params=None, log=None):
    return JobView(
        {
            "wildcards": {"mol": mol},
            "input": part(**(input or {})),
            "output": part(**(output or {})),
            "params": part(**(params or {})),
            "log": {"items": [log] if log else [], "names": {}},
        }
    )


def ionization(chem, folder, mol):
    """What the three rules write for one molecule."""
    start, relaxed, result = (str(folder / name) for name in ("start.xyz", "relaxed.xyz", "ionization.json"))
    method = {"method": "GFN2-xTB"}
    chem.geometry(job(mol, output={"xyz": start}))
    steps = {**method, "fmax": 0.02, "steps": 300}
    chem.relax(job(mol, input={"xyz": start}, output={"xyz": relaxed}, params=steps, log=str(folder / "log")))
    chem.ionize(job(mol, input={"xyz": relaxed}, output={"energy": result}, params=method))
    return json.loads(Path(result).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("mol", "energy", "unpaired"),
    [("H2O", 18.29, (0, 1)), ("O2", 17.40, (2, 1)), ("NO", 15.23, (1, 0)), ("CH2_s3B1d", 15.71, (2, 1))],
)
def test_ionization_energy(chem, tmp_path, mol, energy, unpaired):
    result = ionization(chem, tmp_path, mol)
    assert result["ionization_energy"] == pytest.approx(energy, abs=0.05)
    assert (result["unpaired_electrons"], result["unpaired_electrons_of_cation"]) == unpaired


def test_the_same_digits_again(chem, tmp_path):
    assert ionization(chem, tmp_path, "C2H4") == ionization(chem, tmp_path, "C2H4")


def test_too_few_steps_fail(chem, tmp_path):
    start = str(tmp_path / "start.xyz")
    chem.geometry(job("CH3CONH2", output={"xyz": start}))
    params = {"method": "GFN2-xTB", "fmax": 0.001, "steps": 2}
    relaxed = str(tmp_path / "relaxed.xyz")
    with pytest.raises(RuntimeError, match="CH3CONH2 is not relaxed after 2 steps"):
        chem.relax(
            job("CH3CONH2", input={"xyz": start}, output={"xyz": relaxed}, params=params, log=str(tmp_path / "log"))
        )
    assert not Path(relaxed).exists()


def test_list_of_molecules_is_that_of_ase():
    from ase.data.g2 import molecule_names

    assert (EXAMPLE / "molecules.txt").read_text(encoding="utf-8").split() == molecule_names
