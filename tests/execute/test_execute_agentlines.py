"""What lines of agents, and of their launchers, mean in words."""

from __future__ import annotations

import pytest

from flowrules.execute.agentlines import why_gone

DENIED = "ada@x3006c0s1b0n0: Permission denied (publickey,hostbased)."
LAUNCH = "x3006c0s1b0n0: launch failed: Couldn't forward RPC launch(1f3b) to child"


@pytest.mark.parametrize(
    ("launcher", "status", "said", "was_ready", "words"),
    [
        ("ssh", 255, "", True, "its agent is gone, `ssh` ended with status 255"),
        ("mpiexec", 0, "", True, "its agent is gone, `mpiexec` ended with status 0"),  # which proves nothing
        (
            "mpiexec",
            255,
            LAUNCH,
            False,
            f"its agent could not be started, `mpiexec` ended with status 255: {LAUNCH}",
        ),
        (
            "parallel",
            255,
            DENIED,
            False,
            f"its agent could not be started, `parallel` ended with status 255: {DENIED} (nodes let each other in by a "
            "key in `~/.ssh/authorized_keys`, with `$HOME` and `~/.ssh` of mode 700)",
        ),
        ("ssh", 1, DENIED, True, f"its agent is gone, `ssh` ended with status 1: {DENIED}"),
        ("local", 126, DENIED, False, f"its agent could not be started, `local` ended with status 126: {DENIED}"),
    ],
)
def test_why_a_node_is_gone(launcher, status, said, was_ready, words):
    assert why_gone(launcher, status, said, was_ready=was_ready) == words
