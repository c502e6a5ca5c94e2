"""Mistakes in what jobs are given are told before anything runs."""

import pytest
from planning import Desk


def errors(body: str, inputs: str = "") -> list[str]:
    rule = f'rule a:\n    {inputs}\n    output: "a"\n    {body}\n' + ("" if "shell:" in body else '    shell: "true"\n')
    return Desk(rule, "src").errors()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('params: 1\n    shell: "echo {params[3]}"', "F302 `{params[3]}` asks for entry [3], but `params` has 1 entry"),
        ('shell: "x {resources.nope}"', "F302 `{resources.nope}` asks for `nope`, which `resources` does not have"),
        ("params: input[2]", "F116 a list of files has no element 2"),
        ("resources: mem=8 * attempt", "F507 resource `mem` of rule `a` has no unit: 8"),
        ('resources: gpus="x"', "F508 resource `gpus` must be a number, not `x`"),
        ("resources: gpus=-1", "F508 resource `gpus` must be at least 0, not `-1`"),
        ("resources: disk=-1GB", "F508 resource `disk` must be at least 0, not `-1GB`"),
        ("resources: ranks=1.5", "F508 resource `ranks` must be a whole number, at least 1, not `1.5`"),
        ("resources: licence=[1]", "F508 resource `licence` must be a number or text, not a list"),
        ('params: size("no")', "F123 `no` cannot be read: no such file or directory"),
        ("env: X=attempt[0]", "F116 the number 1 has no elements"),
        (
            'message: "{params[0]}"\n    params: *[]',
            "F302 `{params[0]}` asks for entry [0], but `params` has 0 entries",
        ),
    ],
)
def test_told_at_once(body: str, message: str) -> None:
    assert errors(body) == [message]


@pytest.mark.parametrize("body", ["resources: gpus=0.25", 'resources: queue="long"', "resources: fast=true"])
def test_resources_of_other_kinds(body: str) -> None:
    assert Desk(f'rule a:\n    output: "a"\n    {body}\n    shell: "true"\n').todo() == ["a"]


def test_unusual_wildcards_are_tried_wherever_they_stand() -> None:
    names = [f"n{i}" for i in range(50)] + ["a b"]
    d = Desk(
        f"""
        rule all:
            input: expand("{{s}}.out", s={names!r})
        rule a:
            output: "{{s}}.out"
            params: flags="-x {{s}}"
            shell: "echo {{params.flags}} > {{output}}"
        """
    )
    [message] = d.errors()
    assert message.startswith("F308 `{params.flags}` is inserted as written and holds `a b`")


def test_a_value_that_ends_its_here_document() -> None:
    d = Desk(
        """
        rule a:
            output: "{s}.out"
            shell:
                '''
                cat > {output} <<END
                {s}
                END
                '''
        """
    )
    assert d.todo("x.out") == ["a s=x"]
    [message] = d.errors("END.out", "y.out")
    assert message.startswith("F307 a value holds the line `END`")


MADE = """
rule all:
    input: "a", "b"
rule a:
    output: "a"
    shell: "echo > {output}"
rule b:
    input: INPUT
    output: "b"
    params: n=len(lines("a")), m=8 * size("a")
    resources: mem=2 * size("a")
    shell: "echo {params.n} > {output}"
"""


def test_what_stands_in_inputs_that_will_be_made_is_not_known() -> None:
    assert Desk(MADE.replace("INPUT", '"a"')).todo() == ["a", "b"]


def test_what_another_rule_makes_is_no_input() -> None:
    assert Desk(MADE.replace("INPUT", "[]")).errors() == [
        "F506 `a` is read while planning, but rule `a` has yet to make it"
    ]


def test_the_same_mistake_of_many_jobs_is_told_once() -> None:
    d = Desk(
        """
        rule all:
            input: expand("{s}.out", s=range(100))
        rule a:
            output: "{s}.out"
            params: k=1
            shell: "echo {params[1]} > {output}"
        """
    )
    assert len(d.errors()) == 1


def test_who_only_looks_is_not_bothered() -> None:
    d = Desk('rule a:\n    output: "a"\n    params: 1\n    shell: "echo {params[3]}"')
    assert d.todo(only_look=True) == ["a"]
