"""A real PBS, where its commands are on the PATH and its server answers.

`FLOWRULES_TEST_PBS` replaces the resources of a batch job: `-A project -q debug -l select=1 -l walltime=00:05:00 …`.
"""

import os
import subprocess
import time

import pytest
from batch_box import Prompt, has_command

from flowrules.errors import BatchError
from flowrules.execute.batch.pbs import Pbs
from flowrules.model.batch import BatchState, BatchStatus


def real_pbs() -> str:
    """Why there is no PBS to try, "" where there is one."""
    if not (has_command("qsub") and has_command("qselect")):
        return "there is no `qsub` on the PATH"
    try:
        found = subprocess.run(["qstat", "-B"], capture_output=True, timeout=10)
    except subprocess.TimeoutExpired:
        return "the PBS server does not answer"
    return "" if found.returncode == 0 else "the PBS server does not answer"


@pytest.mark.pbs
class TestRealPbs:
    """Against the server that the commands on the PATH speak to; needs room for one batch job of one node."""

    @pytest.fixture(autouse=True)
    def real(self, tmp_path):
        if why := real_pbs():
            pytest.skip(why)
        self.pbs = Prompt(Pbs(directory=str(tmp_path)))
        self.name = f"t{os.getpid()}x{time.monotonic_ns() % 10**6}"

    def submit(self, text: str) -> str:
        head = os.environ.get("FLOWRULES_TEST_PBS", "-l select=1 -l walltime=00:01:00")
        return self.pbs.submit(f"#!/bin/bash\n#PBS {head} -j oe -r n\n{text}\n", self.name)

    def until(self, id: str, state: BatchState) -> BatchStatus:
        end = time.monotonic() + 120
        while (found := self.pbs.status([id]).get(id)) is None or found.state is not state:
            assert time.monotonic() < end, f"{id} is {found}, not {state}"
            time.sleep(0.3)
        return found

    def test_it_runs_to_its_end(self):
        id = self.submit("exit 3")
        assert self.pbs.find(self.name) == [id]
        assert self.until(id, BatchState.ENDED).exit == 3
        assert self.pbs.find(self.name) == [id]

    def test_cancel(self):
        id = self.submit("sleep 60")
        self.until(id, BatchState.RUNNING)
        self.pbs.cancel(id)
        end = self.until(id, BatchState.ENDED)
        assert end.exit in (271, 143, None)  # 143: its shell saw the end of what it had started first
        assert end.detail.startswith("was deleted while it ran")
        self.pbs.cancel(id)

    def test_several_and_unknown(self):
        ids = [self.submit("sleep 60") for _ in range(2)]
        try:
            assert self.pbs.status([*ids, "99999999"]).keys() == set(ids)
        finally:
            for id in ids:
                self.pbs.cancel(id)

    def test_refusals(self):
        with pytest.raises(BatchError, match="Unknown queue") as error:
            self.pbs.submit("#!/bin/bash\n#PBS -q nosuchqueue\ntrue\n", self.name)
        assert error.value.final
        assert self.pbs.find(self.name) == []
