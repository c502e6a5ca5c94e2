"""A `call` in a process of its own, as blocks run it."""

import subprocess
import sys
from pathlib import Path

from flowrules.execute.actions import Scratch
from flowrules.execute.calls import call_launch
from flowrules.model.order import Order
from flowrules.model.rule import CallAction
from flowrules.span import Source, Span


def launch(tmp_path: Path, text: str, function: str = "work") -> subprocess.CompletedProcess[str]:
    (tmp_path / "chem.py").write_text(text)
    action = CallAction(path="chem.py", module=None, function=function, span=Span(Source("Flowfile", ""), 0, 0))
    document = {
        "rule": "r",
        "input": {"items": [], "names": {}},
        "output": {"items": ["o.txt"], "names": {"o": [0, 1]}},
        "log": {"items": [], "names": {}},
        "params": {"items": [3], "names": {"n": [0, 1]}},
        "wildcards": {},
        "threads": 1,
        "resources": {},
        "config": {},
        "attempt": 1,
    }
    order = Order(job=1, attempt=2, rule="r", action=action, document=document)
    started = call_launch(order, action, sys.executable, Scratch(str(tmp_path)))
    return subprocess.run(started.argv, cwd=tmp_path, capture_output=True, text=True, check=False)


def test_it_runs(tmp_path: Path) -> None:
    done = launch(tmp_path, "def work(job):\n    open(job.output.o, 'w').write(str(job.params.n))\n    print('said')\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "said\n", "")
    assert (tmp_path / "o.txt").read_text() == "3"


def test_a_failure_begins_in_the_code_of_the_author(tmp_path: Path) -> None:
    done = launch(tmp_path, "def work(job):\n    raise ValueError('no')\n")
    assert done.returncode == 1
    assert 'chem.py", line 2, in work' in done.stderr
    assert "flowrules" not in done.stderr


def test_a_function_that_is_not_there(tmp_path: Path) -> None:
    done = launch(tmp_path, "def work(job):\n    pass\n", "wrok")
    assert done.returncode == 1
    assert "has no function `wrok`; did you mean `work`?" in done.stderr
