"""Loads Flowfiles written in tests."""

from collections.abc import Sequence
from types import ModuleType

import pytest

from flowrules.errors import Diagnostic, FlowfileError
from flowrules.load.lower import load_workflow
from flowrules.load.options import LoadOptions
from flowrules.model.rule import Rule
from flowrules.model.workflow import Workflow
from flowrules.testing import FakeFiles


def load(text: str, files: dict[str, str] | None = None, flowfile: str = "Flowfile", **options: object) -> Workflow:
    """The workflow of a Flowfile; ``files`` are others on disk, ``options`` fields of LoadOptions."""
    return load_workflow(flowfile, FakeFiles({flowfile: text, **(files or {})}), LoadOptions(**options))


def messages(
    text: str, files: dict[str, str] | None = None, flowfile: str = "Flowfile", **options: object
) -> Sequence[Diagnostic]:
    """What is wrong with a Flowfile."""
    with pytest.raises(FlowfileError) as caught:
        load(text, files, flowfile, **options)
    return caught.value.diagnostics


def told(text: str, files: dict[str, str] | None = None, flowfile: str = "Flowfile", **options: object) -> list[str]:
    """What is wrong with a Flowfile: `file:line:column code message`."""
    return [f"{d.span or '-'} {d.code} {d.message}" for d in messages(text, files, flowfile, **options)]


def files_of(rule: Rule) -> list[str]:
    """Outputs, logs and benchmarks as text."""
    return [str(o.path) for o in (*rule.outputs, *rule.logs, *rule.benchmarks)]


def module(text: str) -> ModuleType:
    """A Python module made of a text."""
    made = ModuleType("helpers")
    exec(text, made.__dict__)
    return made


def rule(name: str, *lines: str) -> str:
    """A rule that touches its outputs; ``lines`` are its other directives."""
    body = "".join(f"    {line}\n" for line in lines)
    return f'rule {name}:\n{body}    shell: "touch {{output}}"\n'
