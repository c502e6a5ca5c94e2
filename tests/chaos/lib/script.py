"""A job as a script: see `job.py`, beside which it lies."""

from job import make

from flowrules import job

make(job)
