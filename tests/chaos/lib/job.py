"""The same as `job.sh`, as a function that a warm process calls and as a script."""

import hashlib
import os
import sys
import time


def make(job):
    """Write the outputs of a job."""
    name = "-".join([job.rule, *job.wildcards.values()])
    tell(f"{name} begin")
    total = hashlib.md5(usedforsecurity=False)
    for path in job.input:
        for part in [f"{path}/{entry}" for entry in sorted(os.listdir(path))] if os.path.isdir(path) else [path]:
            with open(part, "rb") as file:
                total.update(file.read())
    for number, output in enumerate(job.output):
        folder = os.path.basename(output).startswith("d")
        if folder:
            os.makedirs(output, exist_ok=True)
        for line in range(1, 6):
            with open(f"{output}/{line}" if folder else output, "a") as file:
                file.write(f"{name} {number} {line} {total.hexdigest()}\n")
            time.sleep(job.params.nap)
            if line == 3 and job.attempt <= job.params.flaky:
                sys.exit(7)
    tell(f"{name} end")


def tell(words):
    """Add a line to the ledger, with the time."""
    ledger = os.open("../ledger", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(ledger, f"{words} {time.time():.6f}\n".encode())
    os.close(ledger)
