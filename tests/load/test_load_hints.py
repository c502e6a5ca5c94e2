"""Hints work when they are followed: what they say to write can be read."""

import pytest
from loading import messages


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("resources: memory=3GB", "write `mem=3GB`"),
        ("resources: memory=3GB * attempt", "write `mem=3GB * attempt`"),
        ("resources: mem_mb=8000", "write `mem=8000MB`"),
        ("resources: mem_gb=8 * attempt", "write `mem=(8 * attempt) * 1GB`"),
        ("resources: time=2h", "write `walltime=2h`"),
        ("threads: 1\n    message: '{resources.mem_mb}'", "write `{resources.mem:MB}` for a whole number"),
        ("threads: 1\n    message: '{resources.runtime}'", "write `{resources.walltime:min}` for a whole number"),
    ],
)
def test_resources_of_other_programs(line: str, hint: str) -> None:
    text = f'rule a:\n    output: "a"\n    {line}\n    shell: "true"\n'
    assert [d.hint for d in messages(text)] == [hint]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("mem=20min", "`mem` is a size such as `16GB`, not a time"),
        ("walltime=3GB", "`walltime` is a time such as `20min`, not a size"),
        ("mem=[1]", "`mem` is a size such as `16GB`, not a list"),
    ],
)
def test_quantities_of_the_wrong_kind(line: str, message: str) -> None:
    text = f'rule a:\n    output: "a"\n    resources: {line}\n    shell: "true"\n'
    assert [d.message for d in messages(text)] == [message]


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ('"x/{m}.{s}"', 'write an f-string: `f"x/{m}.{{s}}"`, or fill it in with `expand("x/{m}.{s}", m=…)`'),
        ('"{M}/{m}"', 'write an f-string: `f"{M}/{m}"`, or fill it in with `expand("{M}/{m}", m=…)`'),
        ("'\"{m}'", 'write an f-string, `f"…"`, or fill it in with `expand(…, m=…)`'),
    ],
)
def test_loop_variables_in_plain_strings(written: str, hint: str) -> None:
    text = f'let M = "m"\nrule a:\n    input: [{written} for m in ["b"]]\n    output: "{{s}}.a"\n    shell: "true"\n'
    assert [d.hint for d in messages(text)] == [hint]


def test_a_mistake_of_a_function_is_told_once() -> None:
    assert [d.code for d in messages("let f(X) = 1\nlet g(x=1, y) = y\nrule a:\n    input: []\n")] == ["F206", "F012"]


def test_an_empty_constraint() -> None:
    [found] = messages('rule a:\n    output: "{s,}.a"\n    shell: "true"\n')
    assert (found.code, found.hint) == ("F121", "leave the comma out, `{s}`, or write one: `{s,[a-z]+}`")
