"""Nothing that is read becomes code: no pickle anywhere, YAML as plain events, templates that reach only their values."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import flowrules
from flowrules.errors import FlowfileError
from flowrules.expr.yaml12 import load_yaml

PACKAGE = Path(flowrules.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))
UNPICKLES = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"}
RUNS = {"eval", "exec", "compile", "__import__"}
MAY_RUN = {
    "execute/inside.py",  # the author's own Python: `run:` and `script:` of a job, in the job's process
    "load/runblock.py",  # compiled to find mistakes, never run
}


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


def test_nothing_is_unpickled() -> None:
    assert len(SOURCES) > 100
    assert [str(path) for path in SOURCES if imports(path) & UNPICKLES] == []


def test_only_the_authors_own_python_is_run() -> None:
    found = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in RUNS:
                found.add(str(path.relative_to(PACKAGE)))
    assert found <= MAY_RUN


def test_yaml_is_read_as_events_only() -> None:
    text = "".join(path.read_text() for path in SOURCES)
    assert set(re.findall(r"yaml\.(\w*load\w*|Loader|FullLoader|UnsafeLoader)\(", text)) == set()


def test_templates_are_sandboxed() -> None:
    for path in SOURCES:
        text = path.read_text()
        if "jinja2" in imports(path) and "Environment(" in text and "pages" not in path.parts:
            assert re.findall(r"(\w*)Environment\(", text) in (["ImmutableSandboxed"], ["Sandboxed"]), path


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['touch planted']",
        "!!python/name:os.system",
        "a: !!python/object/new:os.system [x]",
        "!!python/module:os",
        "? !!python/tuple [1]\n: x",
    ],
)
def test_tags_of_python_are_refused(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FlowfileError, match="is not known"):
        load_yaml(text, "c.yaml")
    assert list(tmp_path.iterdir()) == []


def test_scripts_of_pages_write_text_and_no_html() -> None:
    own = [path for path in (PACKAGE / "pages/assets").rglob("*.js") if "vendor" not in path.parts]
    assert len(own) > 5
    for path in own:
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\b", path.read_text()
        ), path
