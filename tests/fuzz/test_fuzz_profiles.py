"""Profiles and templates of job scripts, damaged in every way: read, or refused with a place."""

import pytest
from fuzzing import ROOT, cases, lawful, mutated

from flowrules.app.profiles import open_profile
from flowrules.errors import FlowfileError
from flowrules.execute.jobscript import ScriptBlock, render_script
from flowrules.load.profile_settings import Overrides
from flowrules.load.profiles import load_profile
from flowrules.show.problems import render_error
from flowrules.span import Source

TEXTS = {path.parent.name: path.read_text() for path in sorted(ROOT.glob("profiles/*/profile.yaml"))}
TEMPLATES = {path.parent.name: path.read_text() for path in sorted(ROOT.glob("profiles/*/job.sh.j2"))}
PIECES = (
    ": ", "- ", "[", "]", "{", "}", "&a ", "*a", "<<: *a", "!!python/name:os.system", "|\n", '"', "'", "\n", "  ",
    "\t", "node: ", "cpus: ", "gpus: ", "slots: ", "queues: ", "routes: ", "walltime: ", "0-", "-1", "9-1", "1e99",
    "9" * 5000, "null", "true", "scheduler: slurm\n", "launcher: parallel\n", "pbs: ", "directives: ",
    "0-99999999999", "1.5GB", "é", "\0",
)  # fmt: skip
KEYS = (
    "node.cpus",
    "blocks.nodes",
    "pbs.account",
    "queues",
    "node.gpus",
    "node.gpus.slots.0.id",
    "a.b",
    "",
    "worker_init",
)


def test_profiles_with_damage() -> None:
    for label, chance in cases("profiles", 60):
        name = chance.choice(list(TEXTS))
        text = mutated(chance, TEXTS[name], PIECES).encode("utf-8", "replace").decode()
        error = lawful(f"{label} of {name}", load_profile, Source("profile.yaml", text), name, shown=text)
        if isinstance(error, FlowfileError):
            render_error(error)


def test_settings_beside_a_profile() -> None:
    for label, chance in cases("settings", 60):
        sets = tuple(f"{chance.choice(KEYS)}={mutated(chance, '2', PIECES)}" for _ in range(2))
        environ = {
            "FLOWRULES_SET_" + chance.choice(("NODE__CPUS", "PBS__ACCOUNT", "X", "", "__")): chance.choice(PIECES)
        }
        overrides = Overrides(environ, sets, chance.choice((None, "ssh", "nope", "")))
        lawful(
            label, load_profile, Source("profile.yaml", TEXTS["polaris"]), "polaris", overrides, shown=(sets, environ)
        )


TEMPLATE_PIECES = (
    "{{ ", " }}", "{% ", " %}", "{# ", " #}", "block.name", "options.account", "profile.folder", "command", "| quote",
    "for x in range(9)", "endfor", "if ", "endif", "set x = ", "x.__class__", "''.__class__.__mro__",
    "| attr('__init__')", "include 'x'", "import 'x' as y", "extends 'x'", "macro m()", "endmacro", "raw", "endraw",
    "self", "loop", "cycler", "\n",
)  # fmt: skip


@pytest.fixture
def block(tmp_path) -> ScriptBlock:
    return ScriptBlock("fr-1a2b-b001", 2, 1800, "", str(tmp_path), str(tmp_path))


@pytest.mark.parametrize("name", list(TEMPLATES))
def test_templates_with_damage(name, tmp_path, block) -> None:
    folder = tmp_path / "profile"
    folder.mkdir()
    (folder / "profile.yaml").write_text(TEXTS[name])
    for label, chance in cases(f"templates {name}", 30, 0.1):
        text = mutated(chance, TEMPLATES[name], TEMPLATE_PIECES)
        (folder / "job.sh.j2").write_bytes(text.encode("utf-8", "surrogatepass"))

        def render() -> None:
            of = open_profile(str(folder), {}, (f"{name}.account=proj",))
            render_script(of, block, "/opt/python -m flowrules.app.block.runner x")

        lawful(label, render, shown=text)


HOSTILE = {
    "walk": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "globals": "{{ block.__init__.__globals__ }}",
    "attr": "{{ block | attr('__class__') | attr('__init__') }}",
    "format": "{{ '{0.__class__}'.format(block) }}",
    "cycler": "{{ cycler.__init__.__globals__.os.system('touch x') }}",
    "change": "{% do options.update({'a': 1}) %}{{ options.update({'a': 1}) }}",
    "range": "{{ range(99999999) | list }}",
    "file": "{% include '/etc/passwd' %}",
}


@pytest.mark.parametrize("case", list(HOSTILE))
def test_a_template_reaches_nothing_but_its_values(case, tmp_path, block) -> None:
    (tmp_path / "profile.yaml").write_text(TEXTS["pbs"])
    (tmp_path / "job.sh.j2").write_text("#!/bin/bash\n# {{ block.name }}\n" + HOSTILE[case] + "\n{{ command }}\n")
    of = open_profile(str(tmp_path), {}, ("pbs.account=proj",))
    error = lawful(case, lambda: render_script(of, block, "run it"))
    assert error is not None, "it was rendered"
