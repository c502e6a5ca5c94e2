"""A rule's names, a job's values and short ways to read shell text, for the tests of shell templates."""

from __future__ import annotations

from flow_text import FlowText

from flowrules.expr.shell import Params, Section, ShellNames, parse_message, parse_shell
from flowrules.model.quantity import parse_quantity
from flowrules.model.values import NamedList

LETS: dict[str, object] = {"OUT": "out dir", "N": 4, "MOLS": ["a", "b c"], "NONE": None}

NAMES = ShellNames(
    sections={
        "input": Section(("xyz", "ref", "many", "none")),
        "output": Section(("table",)),
        "params": Section(("flags", "list", "nothing", "title", "prefix")),
        "log": Section(),
        "resources": Section(("mem", "walltime"), open=True),
    },
    wildcards=("mol", "n"),
    lets=frozenset(LETS),
    let_value=LETS.__getitem__,
    config={
        "a": {"b": [1, "x y"], "odd-key": "v"},
        "s": "it's",
        "mem": "2GiB",
        "on": True,
        "none": None,
        "ref": "g.fa",
    },
    here="work flow",
    elsewhere={"sample": "align"},
)


def values(**more: object) -> dict[str, object]:
    return {
        "input": NamedList(
            ("a b.xyz", "-r", "m1", "m;2"), {"xyz": (0, 1), "ref": (1, 2), "many": (2, 4), "none": (4, 4)}
        ),
        "output": NamedList(("t.csv",), {"table": (0, 1)}),
        "log": NamedList(("l.log",)),
        "params": Params(["first"], {"flags": "-a -b", "list": ["u v", 3, True], "nothing": None, "title": "T"}),
        "resources": {"mem": parse_quantity("16GB"), "walltime": parse_quantity("90min"), "gpus": 0.5},
        "wildcards": {"mol": "H2O", "n": "3"},
        "threads": 8,
        "attempt": 1,
        "rule": "relax",
        "mpirun": "mpiexec -n 4",
        **more,
    }


def render(text: str, names: ShellNames = NAMES, **more: object) -> str:
    """The command for the job above; the text must be without a fault."""
    template, diagnostics = parse_shell(FlowText(text), names)
    assert [d.message for d in diagnostics] == []
    return template.render(values(**more))


def faults(text: str, names: ShellNames = NAMES, *, message: bool = False) -> list[str]:
    """What is noticed at load: column, code, message and hint."""
    _, diagnostics = (parse_message if message else parse_shell)(FlowText(text), names)
    return [
        f"{d.span.column if d.span else 0}: {d.code} {d.message}" + (f" [{d.hint}]" if d.hint else "")
        for d in diagnostics
    ]
