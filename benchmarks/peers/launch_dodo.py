"""doit: the jobs of names.txt."""

DOIT_CONFIG = {"verbosity": 0}

with open("names.txt") as file:
    NAMES = file.read().split()


def task_echo():
    for name in NAMES:
        yield {"name": name, "actions": [f"echo {name} > out/{name}"], "targets": [f"out/{name}"]}
