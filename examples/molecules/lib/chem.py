"""The chemistry of the example: one function for each rule, called with the job it has to do. Energies are in eV."""

import json

import ase.io
from ase import Atoms
from ase.build import molecule
from ase.calculators.calculator import CalculationFailed
from ase.optimize import BFGS
from tblite.ase import TBLite


def geometry(job):
    """Writes the start geometry of one molecule, from the table that comes with ase."""
    known = molecule(job.wildcards.mol)
    unpaired = round(abs(known.get_initial_magnetic_moments().sum()))
    save(job.output.xyz, known, unpaired)


def relax(job):
    """Moves the atoms until no force on one is larger than `fmax` eV/Å; the steps are written to the log."""
    atoms, unpaired = load(job.input.xyz)
    atoms.calc = calculator(job.params.method, charge=0, unpaired=unpaired)
    with BFGS(atoms, logfile=job.log[0]) as optimizer:
        if not optimizer.run(fmax=job.params.fmax, steps=job.params.steps):
            raise RuntimeError(f"{job.wildcards.mol} is not relaxed after {job.params.steps} steps")
    save(job.output.xyz, atoms, unpaired)


def ionize(job):
    """Writes the vertical ionization energy: what the cation has more than the molecule, the atoms where they are.

    The electron that leaves was alone or leaves another one alone; of the two cations the one with less energy counts.
    """
    atoms, unpaired = load(job.input.xyz)
    neutral = energy(atoms, job.params.method, charge=0, unpaired=unpaired)
    cation, unpaired_then = lowest_cation(atoms, job.params.method, unpaired)
    result = {
        "molecule": job.wildcards.mol,
        "formula": atoms.get_chemical_formula(mode="hill"),
        "unpaired_electrons": unpaired,
        "unpaired_electrons_of_cation": unpaired_then,
        "energy": round(neutral, 6),
        "ionization_energy": round(cation - neutral, 6),
    }
    with open(job.output.energy, "w", encoding="utf-8") as file:
        json.dump(result, file, indent=2)
        file.write("\n")


def lowest_cation(atoms, method, unpaired):
    """Energy of the cation and its number of unpaired electrons.

    Raises:
        CalculationFailed: the electrons of none of the possible cations settle.
    """
    found, failure = [], None
    for spin in (unpaired - 1, unpaired + 1):
        try:
            if spin >= 0:
                found.append((energy(atoms, method, charge=1, unpaired=spin), spin))
        except CalculationFailed as error:
            failure = error
    if not found:
        raise failure
    return min(found)


def energy(atoms, method, charge, unpaired):
    """Energy of atoms where they are."""
    atoms = atoms.copy()
    atoms.calc = calculator(method, charge, unpaired)
    return float(atoms.get_potential_energy())


def calculator(method, charge, unpaired):
    """tblite for a molecule of this charge and number of unpaired electrons."""
    return TBLite(method=method, charge=charge, multiplicity=unpaired + 1, verbosity=0)


def save(path, atoms, unpaired):
    """Writes symbols, positions and the number of unpaired electrons as extended XYZ."""
    plain = Atoms(atoms.symbols, atoms.positions, info={"unpaired": unpaired})
    ase.io.write(path, plain, format="extxyz")


def load(path):
    """What `save` wrote: the atoms and the number of unpaired electrons."""
    atoms = ase.io.read(path, format="extxyz")
    return atoms, int(atoms.info["unpaired"])
