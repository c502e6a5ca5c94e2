"""Parsl: the jobs of names.txt, two at once, in threads (bash) or processes (HTEX: bash, or functions without work).

Prints how many jobs a second there were once it had started.
"""

import os
import sys
import time

import parsl
from parsl.config import Config
from parsl.executors import HighThroughputExecutor, ThreadPoolExecutor
from parsl.providers import LocalProvider

kind = sys.argv[1]
with open("names.txt") as file:
    names = file.read().split()
if kind == "threads":
    executor = ThreadPoolExecutor(max_threads=2)
else:
    provider = LocalProvider(init_blocks=1, max_blocks=1)
    executor = HighThroughputExecutor(max_workers_per_node=2, provider=provider, cores_per_worker=0.5)


@parsl.bash_app
def echo(name):
    return f"echo {name} > out/{name}"


@parsl.python_app
def nothing(name):
    return None


app = nothing if kind == "nothing" else echo
with parsl.load(Config(executors=[executor], initialize_logging=False, run_dir="parsl")):
    first = app(names[0])  # it has started when the first job has ended
    first.result()
    begun = time.perf_counter()
    for future in [app(name) for name in names[1:]]:
        future.result()
    print(f"once started: {(len(names) - 1) / (time.perf_counter() - begun):.1f}")
    sys.stdout.flush()
os._exit(0)
