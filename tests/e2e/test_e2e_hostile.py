"""`flowrules -n` on Flowfiles that mean harm: it ends within seconds, with a diagnostic and status 2, in 1 GB of memory."""

import resource
from pathlib import Path

import pytest
from box import Box

MEMORY = 1_000_000_000  # bytes of address space
SECONDS = 20  # of CPU; most take tenths
SIZE = 8_300_000  # characters, just under what a Flowfile may have
MARKS = 190_000  # just under how many braces its strings may hold
ALL = "\nrule all:\n    input: str(A)\n"


def doubling(steps: int) -> str:
    """Functions, each of which calls the last one four times."""
    return "let f0(x) = x + x\n" + "".join(f"let f{i + 1}(x) = f{i}(f{i}(f{i}(f{i}(x))))\n" for i in range(steps))


def nested_lists(levels: int) -> str:
    return "let A0 = [0]\n" + "".join(f"let A{i + 1} = [{', '.join([f'A{i}'] * 10)}]\n" for i in range(levels))


def shell(text: str) -> str:
    return f'rule all:\n    output: "x"\n    shell: "{text}"\n'


BOMBS = {
    "text-times-number": 'let A = "x" * 10000000000' + ALL,
    "power": "let A = 9 ** 9 ** 9 ** 9" + ALL,
    "functions": doubling(12) + 'let A = f12("x")' + ALL,
    "lists-of-lists": nested_lists(12) + "let A = join([str(x) for x in A12], ' ')" + ALL,
    "loops": "let A = [0 for a in range(100000) for b in range(100000)]" + ALL,
    "range": "let A = range(10000000000)" + ALL,
    "expand": 'let N = range(10000)\nlet A = expand("{a}{b}{c}", a=N, b=N, c=N)' + ALL,
    "join": f'let A = join([str(i) for i in range(100000)], "{"x" * 10000}")' + ALL,
    "replace": 'let A = "aaaaaaaa"' + f'.replace("", "{"b" * 500}")' * 6 + ALL,
    "format": 'let A = f"{1:>1000000000}"' + ALL,
    "endless-rule": 'rule all:\n    input: "a"\nrule x:\n    input: "{x}a"\n    output: "{x}"\n    shell: "x"\n',
    "numbers-without-end": 'rule all:\n    input: "0"\nrule x:\n    input: str(int(wildcards.x) + 1)\n'
    '    output: "{x}"\n    shell: "x"\n',
}

WALKS = {
    "subclasses": 'let A = "".__class__.__mro__[1].__subclasses__()' + ALL,
    "class-of-a-list": "let A = [].__class__" + ALL,
    "globals-of-config": "let A = config.__class__.__init__.__globals__" + ALL,
    "globals-of-a-function": "let A = glob.__globals__" + ALL,
    "in-a-pattern": 'rule all:\n    input: "{config.__class__}"\n',
    "in-an-f-string": 'let A = f"{().__class__}"' + ALL,
    "in-shell": shell("{output.__class__} {wildcards.__init__.__globals__}"),
    "method": "let A = [].append" + ALL,
    "builtin": "let A = __import__('os')" + ALL,
    "getattr": "let A = getattr(config, 'x')" + ALL,
    "format-method": 'let A = "{0.__class__}".format(config)' + ALL,
}

REGEXES = {
    "match": f'let A = match("(a|aa)+b?c?", "{"a" * 60}d")' + ALL,
    "constraint": f'rule all:\n    input: "{"a" * 60}d"\nrule a:\n    output: "{{x,(a|aa)+b?c?}}"\n    shell: "x"\n',
    "global-constraint": 'wildcards: x = "(.*a){25}"\n'
    f'rule all:\n    input: "{"a" * 24}{"b" * 200}.c"\nrule a:\n    output: "{{x}}.c"\n    shell: "x"\n',
    "many-wildcards": f'rule all:\n    input: "{"a" * 3000}b"\nrule b:\n    output: "{{x}}{{y}}{{x}}c{{y}}b"\n    shell: "x"\n',
    "wildcards-without-end": f'rule all:\n    output: "{"{a}" * MARKS}"\n    shell: "x"\n',
}

NESTING = {
    "brackets": "let A = " + "[" * (SIZE // 2) + "]" * (SIZE // 2) + "\n",
    "parentheses": "let A = " + "(" * SIZE + "\n",
    "calls": "let A = " + "len(" * (SIZE // 5) + "1" + ")" * (SIZE // 5) + "\n",
    "not": "let A = " + "not " * (SIZE // 4) + "1\n",
    "minus": "let A = " + "-" * SIZE + "1\n",
    "plus": "let A = " + "1+" * (SIZE // 2) + "1\n",
    "attributes": "let A = config" + ".a" * (SIZE // 2) + "\n",
    "if-else": "let A = " + "1 if 1 else " * (SIZE // 12) + "1\n",
    "blocks": "".join(" " * i + "if 1:\n" for i in range(4000)),
    "run-block": 'rule all:\n    output: "x"\n    run:\n        ' + "(" * (SIZE - 100) + "\n",
    "python-sum": 'rule all:\n    output: "x"\n    run:\n        x = ' + "1+" * (SIZE // 2 - 100) + "1\n",
    "substitutions": shell("$({output}" * (MARKS // 2)),
    "placeholders": shell("{zutput}" * (MARKS // 2)),
    "too-many-placeholders": shell("{output}" * (SIZE // 8 - 10)),
    "escapes": shell('`\\"' * (SIZE // 3 - 100)),
    "f-string": 'let A = f"' + "{1}" * (SIZE // 3 - 10) + '"' + ALL,
    "long-shell-text": shell("x" * (SIZE - 100)),
    "unclosed": 'let A = "' + "x" * (SIZE - 20),
    "too-large": "#" * 10_000_000,
    "mistakes": "x\n" * (SIZE // 2),
}

FILES = {
    "device": 'rule all:\n    input: lines("/dev/zero")\n',
    "included-device": 'include "/dev/zero"\n',
    "config-device": 'config "/dev/urandom"\n',
    "memory": 'rule all:\n    input: lines("/proc/self/mem")\n',
    "itself": 'include "Flowfile"\n',
}

CASES = {
    f"{kind}-{name}": text
    for kind, cases in {"bomb": BOMBS, "walk": WALKS, "regex": REGEXES, "nesting": NESTING, "file": FILES}.items()
    for name, text in cases.items()
}


def limited() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_it_ends_with_a_diagnostic(case: str, tmp_path: Path) -> None:
    box = Box(tmp_path, "")
    box.write("Flowfile", CASES[case])
    done = box.run("-n", preexec_fn=limited)
    assert done.returncode == 2, done.stdout[-2000:] + done.stderr[-2000:]
    first = (done.stdout + done.stderr).splitlines()[0]
    assert first.startswith("Flowfile:") and "error[F" in first, first
    assert "Traceback" not in done.stdout + done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["Flowfile"]
