"""A packed campaign of 2,000 jobs, 37 of which fail in five ways: `failures` and `report` find just these."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from box import Box

FLOWFILE = """\
    rule all:
        input: expand("out/{n}.txt", n=range(2000))
    rule model:
        output: "out/{n}.txt"
        resources: gpus=1, walltime=10min
        shell:
            '''
            n={wildcards.n}
            echo "reading in/model-$n.xyz"
            if [ $n -lt 11 ]; then echo "step $n"; echo "error: no convergence after $n steps at 0x7f$n"; echo aborting; exit 1; fi
            if [ $((n / 9)) = 100 ]; then echo "error: cannot open the mesh of model-$n"; echo aborting; exit 1; fi
            if [ $((n / 8)) = 150 ]; then no-such-program --input $n; fi
            if [ $((n / 6)) = 300 ]; then kill -SEGV $$; fi
            if [ $((n / 3)) = 650 ]; then exit 0; fi
            echo $n > {output}
            '''
    """


@pytest.mark.slow
def test_five_ways_to_fail_in_two_thousand_jobs(tmp_path: Path) -> None:
    box = Box(tmp_path, FLOWFILE.replace("'''", '"""'))
    call = ("-q", "-k", "-j", "8", "--profile", "polaris", "--sandbox")
    done = box.run(*call, "--set", "worker_init=null", "--set", "latency_wait=2s", timeout=600)
    assert done.returncode == 1
    kinds = [json.loads(line) for line in box.ok("failures", "--format", "json").splitlines()]
    assert [kind["count"] for kind in kinds] == [11, 9, 8, 6, 3]
    assert {(kind["kind"], kind["exit"]) for kind in kinds} == {
        ("status", 1),
        ("command", 127),
        ("crash", -11),
        ("output", 0),
    }
    told = box.ok("failures")
    assert told.startswith("37 jobs failed, in 5 different ways\n")
    assert len(told.splitlines()) < 60
    box.ok("report")
    page = box.read("report.html")
    assert len(re.findall('<article class="failure">', page)) == 5
    assert "1,963" in page
