"""Batch systems: PBS, Slurm, and one that is emulated on this machine."""
