"""Flowfiles, their shell text and their configuration, damaged in every way: loaded and planned, or refused with a place."""

import random

import pytest
from flow_text import FlowText
from fuzzing import cases, flowfiles, lawful, mutated

from flowrules.errors import FlowfileError
from flowrules.expr.shell import Section, ShellNames, parse_message, parse_shell
from flowrules.load.lower import load_workflow
from flowrules.load.options import LoadOptions
from flowrules.model.values import NamedList
from flowrules.plan.build import make_plan
from flowrules.plan.policy import Policy
from flowrules.syntax.reader import decode_source
from flowrules.testing import FakeFiles, FakeHistory

PIECES = (
    "(", ")", "[", "]", "{", "}", '"', "'", '"""', "\n", "\t", "    ", ":", ",", "=", "#", "\\", "**", "{{", "}}",
    " if ", " else ", " for x in ", "\nrule x:\n", "lambda x: ", "let A = ", "\n    run:\n", "\nelse:\n",
    "wildcards.", "rules.all.output", "config.a.b", "{x,(a+)+}", "{input}", "{output[9]}", "{wildcards.s}",
    "glob('*')", "expand(", "temp(", "directory(", "1e999", "9" * 400, "1h30m", "-1GB", "__class__", "f'{1}'",
    "checkpoint c:\n", "include 'a'", "../", "/", "..", "NONE", "null", "true", "\u2028", "é", "\r\n",
    "envvars 'X'\n", "config 'c.yaml'\n", "table('t.csv')",
)  # fmt: skip
FILES = {
    "c.yaml": "a: {b: 1, c: [x, y]}\nsamples: [s1, s2]\n",
    "t.csv": "a,b\n1,2\nx,y\n",
    "a": 'let B = "b"\nrule inner:\n    output: "inner"\n    shell: "touch {output}"\n',
    "words.txt": "one\ntwo\n",
}
TEXTS = flowfiles()


def plan(files: FakeFiles) -> None:
    workflow = load_workflow("Flowfile", files, LoadOptions(environ={"HOME": "/h", "X": "y"}, no_python=True))
    make_plan(workflow, (), files, FakeHistory(), Policy())


def test_flowfiles_with_damage() -> None:
    refused = 0
    for label, chance in cases("flowfiles", 60):
        name = chance.choice(list(TEXTS))
        text = mutated(chance, TEXTS[name], PIECES)
        files = FakeFiles({**FILES, "Flowfile": text.encode("utf-8", "surrogatepass")})
        refused += lawful(f"{label} of {name}", plan, files, shown=text) is not None
    assert refused, "no mutation was a mistake: they do not mutate"


def test_bytes_that_are_no_flowfile() -> None:
    for label, chance in cases("bytes", 60):
        raw = chance.randbytes(chance.choice((0, 1, 3, 40, 400)))
        if chance.random() < 0.5:
            raw = bytes(chance.choice(b"ab \n\t():,=\"'[]{}#rule.input") for _ in range(200))
        lawful(label, plan, FakeFiles({"Flowfile": raw}), shown=raw)
        lawful(label, decode_source, "Flowfile", raw, "")


YAML_PIECES = (
    ": ", "- ", "[", "]", "{", "}", "&a ", "*a", "<<: *a", "!!python/object:os.system ", "!x ", "|\n", ">\n", '"',
    "'", "\n", "  ", "\t", "#", "? ", "---\n", "...\n", "%YAML 1.1\n", "0x", "1e400", "9" * 5000, ".nan", "~", "@",
    "`", "\\x",
)  # fmt: skip


def test_configuration_with_damage() -> None:
    flow = 'config "c.yaml"\nrule all:\n    output: "x"\n    shell: "echo {config.a.b} > {output}"\n'
    for label, chance in cases("configuration", 60):
        text = mutated(chance, FILES["c.yaml"], YAML_PIECES)
        files = FakeFiles({"Flowfile": flow, "c.yaml": text.encode("utf-8", "surrogatepass")})
        lawful(label, plan, files, shown=text)


# ── shell text ───────────────────────────────────────────────────────────────────────────────────────────────────


NAMES = ShellNames(
    sections={"input": Section(("one",)), "output": Section(), "params": Section(), "resources": Section()},
    wildcards=("w",),
)
VALUES = {
    "wildcards": {"w": "it's $HOME"},
    "input": NamedList(["a b", "-c"], {"one": (0, 1)}),
    "output": NamedList(["o"]),
}
SHELL_PIECES = (
    "{input}", "{w}", "{output[0]}", "{input.one:q}", "{w:raw}", "{{", "}}", "'", '"', "$(", ")", "`", "${", "}",
    "$((", "))", "<<EOF\n", "\nEOF\n", "<<-'E'\n", "\\", "\n", ";", "|", "&&", "case x in ", "esac", "#", "[[ ", "]]",
    "<(", "$'", "!", "(", "if ", "then ", "fi", "for f in ", "do ", "done", "{a,{w}}", ">", "2>&1", " ", "\t",
    "eval ", "trap ", "awk '{print $1}'",
)  # fmt: skip


def shell_text(chance: random.Random) -> str:
    return "".join(chance.choice(SHELL_PIECES) for _ in range(chance.randint(1, 14)))


def render(parse, text: str) -> None:
    template, told = parse(FlowText(text), NAMES)
    for d in told:
        assert 0 <= d.span.start <= d.span.end <= len(text)
    if not [d for d in told if d.severity == "error"]:
        template.render(VALUES)


@pytest.mark.parametrize("parse", [parse_shell, parse_message])
def test_shell_text(parse) -> None:
    for label, chance in cases(f"shell text {parse.__name__}", 300):
        text = shell_text(chance)

        lawful(label, render, parse, text)


def test_deep_shell_text_ends() -> None:
    for piece in ("$(", "`", '"$(', "${a:-", "(", "{ ", "$((", "if ", "case x in x) ", "<<A\n", "\\", "$'", "[[ ( "):
        lawful(piece, parse_shell, FlowText(piece * 20_000 + "{w}"), NAMES, shown=piece)


def test_a_mistake_has_a_place() -> None:
    """The law above would hold for a program that says nothing: this one says something, and where."""
    files = FakeFiles({"Flowfile": 'let A = "x"\nrule all:\n    output: "x"\n    shell: B\n'})
    with pytest.raises(FlowfileError) as caught:
        plan(files)
    assert str(caught.value.diagnostics[0].span).startswith("Flowfile:4:")
