"""The job that scripts see."""

import json
import os
import subprocess
import sys

import pytest

from flowrules.jobdoc import Fields, JobList, JobView, load_job


def files() -> JobList:
    return JobList("input", ["a", "b c", "d", "e"], {"x": [1, 2], "many": [2, 4], "none": [4, 4], "count": [0, 1]})


def test_a_list_with_names():
    x = files()
    assert (x[0], x[-1], x[1:3], len(x), list(x)) == ("a", "e", ("b c", "d"), 4, ["a", "b c", "d", "e"])
    assert (x.x, x["x"], x.many, x.none, x["count"]) == ("b c", "b c", ["d", "e"], [], "a")
    assert "d" in x
    assert x.keys() == ("x", "many", "none", "count")
    assert dict(**x) == {"x": "b c", "many": ["d", "e"], "none": [], "count": "a"}
    assert (x.get("x"), x.get("y"), x.get("y", 1)) == ("b c", None, 1)
    assert str(x) == "a 'b c' d e"
    assert x == files()
    assert hash(x) == hash(files())
    assert x != JobList("input", [], {})
    assert x != ["a"]
    assert not JobList("input", [], {})


def test_a_list_of_one_is_a_path():
    assert os.fspath(JobList("output", ["a"], {})) == "a"
    with pytest.raises(TypeError, match=r"^`job.input` has 4 entries, not one path: choose one of them$"):
        os.fspath(files())


def test_names_that_are_not_there():
    with pytest.raises(AttributeError, match=r"this job has no input called `y`; it has `x`, `many`, `none`, `count`"):
        _ = files().y
    with pytest.raises(KeyError, match="this job has no params called `y`"):
        _ = JobList("params", [], {})["y"]
    with pytest.raises(AttributeError, match="a job has no `inptu`; it has `rule`, `input`"):
        _ = JobView({}).inptu
    with pytest.raises(AttributeError, match="there is no `b` here; there is `a`"):
        _ = Fields(a=1).b


def test_config_has_attributes_all_the_way_down():
    config = JobView({"config": {"a": {"b": [{"c": 1}]}, "items": 2}}).config
    assert config.a.b[0].c == config["a"]["b"][0]["c"] == 1
    assert config["items"] == 2
    assert json.dumps(config) == '{"a": {"b": [{"c": 1}]}, "items": 2}'


def test_an_empty_document():
    job = JobView({})
    assert (job.rule, job.threads, job.attempt, len(job.input), job.config) == ("", 1, 1, 0, {})
    assert repr(JobView({"rule": "r", "wildcards": {"a": "1"}})) == "<job r a=1>"


def test_outside_of_a_job(monkeypatch):
    monkeypatch.delenv("FLOWRULES_JOB", raising=False)
    with pytest.raises(ImportError, match="works only in code that flowrules runs"):
        load_job()
    monkeypatch.setenv("FLOWRULES_JOB", "/no/such/file")
    with pytest.raises(ImportError, match="the description of the job cannot be read"):
        load_job()


def test_importing_the_job_is_light(tmp_path):
    document = tmp_path / "job.json"
    document.write_text('{"rule": "r"}')
    program = (
        "import sys; from flowrules import job; print(job.rule); "
        "print({'click', 'networkx', 'dataclasses', 'typing', 'pathlib', 'rich', 'lark'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {program}"],
        env={"FLOWRULES_JOB": str(document)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["r", "{'typing'}"]
