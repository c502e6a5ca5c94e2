"""doit: for each sample a chain of three, then one merge."""

with open("samples.txt") as file:
    NAMES = file.read().split()


def task_copy():
    for source, target in (("src", "a"), ("a", "b"), ("b", "c")):
        for name in NAMES:
            yield {
                "name": f"{target}/{name}",
                "actions": [f"cp {source}/{name}.txt {target}/{name}.txt"],
                "file_dep": [f"{source}/{name}.txt"],
                "targets": [f"{target}/{name}.txt"],
            }


def task_merge():
    parts = [f"c/{name}.txt" for name in NAMES]
    return {"actions": ["cat c/*.txt > merged.txt"], "file_dep": parts, "targets": ["merged.txt"]}
