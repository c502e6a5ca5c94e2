"""`run` with a profile, as it is called: which profile, from where, and what is refused."""

from __future__ import annotations

import os

MINE = "scheduler: pbs\nnode: {cpus: 4}\npbs: {account: null, required: [account]}\n"


def packing(text: str) -> str:
    """The line that says for which machine a dry run packs."""
    return next(line.split(":")[0] for line in text.splitlines() if line.startswith("packing on"))


def test_a_path_is_seen_from_where_the_user_stands(desk, monkeypatch) -> None:
    desk.write("mine/profile.yaml", MINE)
    desk.write("below/Flowfile", desk.read("Flowfile").replace('config "config.yaml"\n', ""))
    desk.write("below/in/a.txt", "a\n")
    call = ("-n", "-d", "below", "-C", "word=x", "out/a.txt")
    assert packing(desk.ok(*call, "--profile", "./mine")) == "packing on profile mine (pbs; launcher local)"
    assert "there is no profile in " in desk.wrong(*call, "--profile", "./none")
    monkeypatch.setenv("FLOWRULES_PROFILE", "mine/profile.yaml")
    assert packing(desk.ok(*call)) == "packing on profile mine (pbs; launcher local)"


def test_a_variable_names_the_profile_where_the_call_names_none(desk, monkeypatch) -> None:
    monkeypatch.setenv("FLOWRULES_PROFILE", "polaris")
    assert packing(desk.ok("-n")) == "packing on profile polaris (pbs; launcher mpiexec)"
    assert packing(desk.ok("-n", "--sandbox")) == "packing on profile polaris (pbs, emulated here; launcher local)"
    assert packing(desk.ok("-n", "--profile", "pbs")) == "packing on profile pbs (pbs; launcher ssh)"
    assert "packing" not in desk.ok("-n", "--profile", "local")
    monkeypatch.setenv("FLOWRULES_PROFILE", "")
    assert "packing" not in desk.ok("-n")
    assert "`--sandbox` goes with `--profile`" in desk.wrong("-n", "--sandbox")


def test_the_profile_local_is_this_machine(desk) -> None:
    assert "3 jobs" in desk.ok("--profile", "local", "-j", "2")
    assert "campaign" not in os.listdir(".flowrules")
    assert "no batch system that a sandbox could stand for" in desk.wrong("--profile", "local", "--sandbox")
    assert "no batch system to submit to" in desk.wrong("--profile", "local", "--submit")
    assert "and so no job scripts" in desk.wrong("--profile", "local", "--write-scripts", "scripts")


def test_what_a_site_demands_is_told_before_anything_is_done(desk) -> None:
    desk.write("mine/profile.yaml", MINE)
    assert "needs `pbs.account`" in desk.wrong("--profile", "./mine")
    assert not desk.exists(".flowrules")


def test_options_of_a_profile_go_with_one(desk) -> None:
    for option in (
        ("--set", "blocks.nodes=2"),
        ("--launcher", "ssh"),
        ("--sandbox",),
        ("--submit",),
        ("--local-cores", "2"),
    ):
        assert f"`{option[0]}` goes with `--profile`" in desk.wrong(*option)


SLURM = """\
scheduler: slurm
launcher: local
node: {cpus: 2}
"""

BLOCKS = """\
error[F602]: blocks of profile `polaris` (pbs, emulated) may still run jobs here{other}: {blocks}
   hint: `flowrules --profile polaris --sandbox` goes on with them; interrupt that twice to cancel them
"""


def test_no_run_begins_beside_blocks_that_it_would_not_go_on_with(desk) -> None:
    desk.write(".flowrules/campaign", '{"id": "c0ffee", "profile": "polaris", "scheduler": "pbs", "sandbox": true}')
    for block in ("b001", "b002"):
        desk.write(f".flowrules/blocks/{block}/block.json", "{}")
    desk.write(".flowrules/blocks/b001/over", "")
    desk.write(".flowrules/version", "1\n")
    (desk.path / ".flowrules").chmod(0o700)
    desk.write("mine/profile.yaml", MINE)
    desk.write("slurm/profile.yaml", SLURM)
    mine = ("--profile", "./mine", "--set", "pbs.account=a")
    for call, other in (
        ((), ""),
        (("--profile", "local"), ""),
        ((*mine, "--submit"), ""),
        (mine, ", and this run is for profile `./mine` (pbs)"),
        ((*mine, "--sandbox"), ", and this run is for profile `./mine` (pbs, emulated)"),
        (("--profile", "./slurm"), ", and this run is for profile `./slurm` (slurm)"),
    ):
        assert desk.wrong(*call) == BLOCKS.format(other=other, blocks="b002")
    desk.write(".flowrules/blocks/b002/submitted", '{"id": "7.sandbox"}')
    assert desk.wrong() == BLOCKS.format(other="", blocks="b002 (batch job `7.sandbox`)")
    for number in range(3, 8):
        desk.write(f".flowrules/blocks/b00{number}/block.json", "{}")
    told = "b002 (batch job `7.sandbox`), b003, b004 and 3 more"
    assert desk.wrong() == BLOCKS.format(other="", blocks=told)


def test_a_login_node_without_room_for_a_driver_is_told(desk, monkeypatch) -> None:
    """The batch system refuses the block for good, so that nothing more is done."""
    desk.write("mine/profile.yaml", "scheduler: pbs\nnode: {cpus: 4}\nqueue: none\n")
    desk.write("bin/qsub", "#!/bin/sh\necho 'qsub: Unknown queue' >&2\nexit 170\n")
    (desk.path / "bin/qsub").chmod(0o755)
    monkeypatch.setenv("PATH", f"{desk.path}/bin:{os.environ['PATH']}")
    monkeypatch.setattr("flowrules.app.drive.manners.tasks", lambda environ: (125, 128))
    said = desk.call("--profile", "./mine")
    assert said.status == 1
    assert (
        "125 of 128 processes and threads that you may have on this host are there; a driver takes up to 16, and beyond "
        "the limit programs fail to start, or hang: end some, or go to another login node"
    ) in said.out
    assert "block b001 was not taken: " in said.out
    monkeypatch.setattr("flowrules.app.drive.manners.tasks", lambda environ: (1, 128))
    assert "processes and threads" not in desk.call("--profile", "./mine").out
