"""The reference names everything the language has, and nothing it has not."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from flowrules.codes import CODES
from flowrules.execute.jobscript import ScriptBlock, _Shown
from flowrules.expr import methods, names
from flowrules.expr.flags import FLAG_FUNCTIONS
from flowrules.load import draft
from flowrules.load.profile_keys import KEYS
from flowrules.load.profiles import load_profile
from flowrules.model.profile import Profile
from flowrules.model.quantity import UNITS
from flowrules.show.profiles import render_profile
from flowrules.span import Source
from flowrules.syntax import words

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
LANGUAGE = (REFERENCE / "language.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """The text below a heading, up to the next one of its rank."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", LANGUAGE, re.DOTALL | re.MULTILINE)
    assert found, f"the reference has no section `{title}`"
    return found[1]


def first_cells(title: str) -> list[str]:
    """The code at the start of each row of the section's table."""
    return re.findall(r"^\| `([^`]+)`", section(title), re.MULTILINE)


def words_at_start(title: str) -> set[str]:
    return {re.match(r"\w+", cell)[0] for cell in first_cells(title)}


def test_functions():
    assert words_at_start("Functions") == (names.FUNCTIONS - set(FLAG_FUNCTIONS)) | {"temp"}


def test_flags():
    assert words_at_start("File flags") == set(FLAG_FUNCTIONS)


@pytest.mark.parametrize("kind", ["TEXT", "PATTERN", "LIST", "DICT"])
def test_methods(kind):
    row = re.search(rf"^\| {kind.lower()}\b[^|]*\|(.*)\|$", section("Methods"), re.MULTILINE)
    assert re.findall(r"`\.(\w+)\(", row[1]) == list(getattr(methods, kind))


def test_directives():
    assert words_at_start("Directives") == draft.DIRECTIVES - set(draft.ACTIONS)
    assert words_at_start("Actions") == set(draft.ACTIONS)


def test_statements():
    begin = words_at_start("Statements")
    assert begin == set(words.STATEMENTS) - {"elif", "else"}
    assert "`elif test:`" in section("Statements")


def test_units():
    block = section("Expressions")
    for unit in UNITS - {"KB"}:
        assert re.search(rf"\b{unit}\b", block), unit


def test_what_is_not_there_yet():
    named = set(re.findall(r"`(\w+)`", section("Not in this version")))
    assert named == words.LATER | draft.LATER | names.UNAVAILABLE


def test_keys_of_profiles():
    page = (REFERENCE / "profiles.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| `([a-z_.*]+)` \|([^|]*)\|([^|]*)\|", page.partition("## Keys")[2].partition("\n## ")[0], re.MULTILINE
    )
    table = {key: (kind.strip(), default.strip()) for key, kind, default in rows}
    assert list(table) == list(KEYS)
    kinds = {"counts": "range of counts", "times": "range of times", "script": "shell text", "gpus": "list"}
    for key, meant in KEYS.items():
        kind, default = table[key]
        if meant.choices:
            assert kind == ", ".join(f"`{choice}`" for choice in meant.choices), key
        elif meant.kind == "flag":
            assert kind == "`true`, `false`"
        elif meant.kind == "lines":
            assert kind in ("list of texts", "list of keys")
        else:
            assert kind == kinds.get(meant.kind, meant.kind), key
    shown = render_profile(load_profile(Source("profile.yaml", "scheduler: pbs\nnode: {cpus: 1}"), "x"), "text")
    for section, name in (("blocks", "nodes"), ("blocks", "walltime"), ("blocks", "idle"), ("", "latency_wait")):
        default = table[f"{section}.{name}".strip(".")][1].strip("`")
        assert re.search(rf"^ *{name}: {default} +# default$", shown, re.MULTILINE), name


def test_names_in_templates_of_job_scripts():
    page = (REFERENCE / "profiles.md").read_text(encoding="utf-8")
    block = _Shown(ScriptBlock("a", 1, 1, "", "/", "/"), Profile("x", "."))
    assert set(re.findall(r"^\| `block\.(\w+)` ", page, re.MULTILINE)) == set(vars(block))


def test_codes_page_is_up_to_date():
    spec = importlib.util.spec_from_file_location("make_codes", REFERENCE / "make_codes.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (REFERENCE / "codes.md").read_text(encoding="utf-8") == module.codes_page(), "run `make docs`"
    assert set(re.findall(r"^\| \[`(\w\d+)`\]", module.codes_page(), re.MULTILINE)) == set(CODES)


def test_every_code_has_a_title_and_a_use():
    used = set()
    for path in (ROOT / "flowrules").rglob("*.py"):
        if path.name != "codes.py":
            used |= set(re.findall(r"[\"']([FWL]\d{3})[\"']", path.read_text(encoding="utf-8")))
    assert used == set(CODES)


def test_links_between_pages():
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")):
        for target in re.findall(r"\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
