"""`profiles list`, `show` and `check` as they are called, and where profiles are looked for."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest

PACKAGED = ["aurora", "frontier", "local", "pbs", "perlmutter", "polaris", "slurm"]
MINE = "# A machine of mine.\nscheduler: pbs\nlauncher: ssh\nnode: {cpus: 4}\n"


@pytest.fixture(autouse=True)
def own_folder(desk, monkeypatch):
    """No profiles of whoever runs the tests, and none of their settings."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(desk.path / "config"))
    monkeypatch.setenv("HOME", str(desk.path / "nobody"))
    monkeypatch.setattr("flowrules.app.drive.manners.tasks", lambda environ: None)
    for name in list(os.environ):
        if name.startswith("FLOWRULES_SET_") or name in ("PBS_JOBID", "SLURM_JOB_ID"):
            monkeypatch.delenv(name)


def program(desk, name: str) -> None:
    """A command that can be found."""
    desk.write(f"bin/{name}", "#!/bin/sh\nexit 1\n")
    (desk.path / "bin" / name).chmod(0o755)


def test_list(desk) -> None:
    lines = desk.ok("profiles", "list").splitlines()
    assert [line.split()[0] for line in lines] == ["profile", *PACKAGED]
    desk.write("config/flowrules/profiles/mine/profile.yaml", MINE)
    desk.write("config/flowrules/profiles/polaris/profile.yaml", MINE)
    desk.write("config/flowrules/profiles/no-profile/job.sh.j2", "")
    listed = [json.loads(line) for line in desk.ok("profiles", "list", "--format", "json").splitlines()]
    assert [found["name"] for found in listed] == sorted([*PACKAGED, "mine"])
    (mine,) = [found for found in listed if found["name"] == "mine"]
    assert (mine["whose"], mine["about"]) == ("yours", "A machine of mine.")
    assert mine["folder"] == str(desk.path / "config/flowrules/profiles/mine")
    assert [found["whose"] for found in listed if found["name"] == "polaris"] == ["yours"], "it hides the program's"


def test_folder_of_the_user_without_xdg(desk, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    monkeypatch.setenv("HOME", str(desk.path))
    desk.write(".config/flowrules/profiles/mine/profile.yaml", MINE)
    assert "mine " in desk.ok("profiles", "list")
    assert "cpus: 4" in desk.ok("profiles", "show", "mine")


def test_show(desk, monkeypatch) -> None:
    monkeypatch.setenv("FLOWRULES_SET_PBS__ACCOUNT", "proj")
    text = desk.ok("profiles", "show", "polaris", "--set", "blocks.nodes=4", "--launcher", "ssh")
    assert text.startswith("# profile polaris\n# folder ")
    shown = {line.partition("#")[0].strip(): line.partition("# ")[2] for line in text.splitlines()}
    assert shown["nodes: 4"] == "--set blocks.nodes=4"
    assert shown["launcher: ssh"] == "--launcher ssh"
    assert shown["account: proj"] == "FLOWRULES_SET_PBS__ACCOUNT"
    assert shown["cpus: 64"].startswith("profile.yaml:")
    assert shown["idle: 5min"] == "default"
    assert '- {id: "0", cpus: "24-31,56-63"}' in shown


def test_show_as_json(desk) -> None:
    found = json.loads(desk.ok("profiles", "show", "aurora", "--format", "json", "--set", "blocks.walltime=30min"))
    assert found["blocks"]["walltime"] == 1800
    assert found["origins"]["blocks.walltime"] == "--set blocks.walltime=30min"
    assert len(found["node"]["gpus"]) == 12
    assert found["queues"][0]["nodes"] == [1, 2]
    assert found["options"]["account"] is None


@pytest.mark.parametrize("name", PACKAGED)
def test_what_is_shown_is_a_profile(desk, name) -> None:
    desk.write("mine/profile.yaml", desk.ok("profiles", "show", name))
    first = json.loads(desk.ok("profiles", "show", name, "--format", "json"))
    again = json.loads(desk.ok("profiles", "show", "./mine", "--format", "json"))
    for key in first.keys() - {"name", "folder", "origins"}:
        assert first[key] == again[key]


def test_paths(desk) -> None:
    desk.write("mine/profile.yaml", MINE)
    desk.write("mine/job.sh.j2", "")
    for path in ("./mine", "mine/", "mine/profile.yaml", str(desk.path / "mine")):
        assert re.search(r"\n  cpus: 4 +# profile.yaml:4\n", desk.ok("profiles", "show", path))
    assert "job.sh.j2" in desk.ok("profiles", "show", "./mine")
    os.chdir("mine")
    assert "# profile mine\n" in desk.ok("profiles", "show", ".")


def test_unknown(desk) -> None:
    assert desk.wrong("profiles", "show", "polariss").endswith("hint: did you mean `polaris`?\n")
    assert "there are `aurora`, `frontier`," in desk.wrong("profiles", "check", "x")
    assert desk.wrong("profiles", "show", "./x") == (
        "error: there is no profile in `./x`\n   hint: a profile is a folder with a file `profile.yaml`\n"
    )
    desk.write("mine/profile.yaml", MINE)
    assert "a folder here is written as a path: `./mine`" in desk.wrong("profiles", "show", "mine")
    assert "there is no profile ``" in desk.wrong("profiles", "show", "")
    assert "`NAME` is missing" in desk.wrong("profiles", "show")


def test_mistakes(desk) -> None:
    desk.write("mine/profile.yaml", "scheduler: pbs\nnode: {cpus: 4, mem: 1}\nblocks: {nods: 1}\n")
    text = desk.wrong("profiles", "check", "./mine", "--set", "latency_wait=x")
    assert "mine/profile.yaml:2:22: error[F803]: `node.mem` needs a unit" in text
    assert "mine/profile.yaml:3:10: error[F801]: unknown key `nods` in `blocks`" in text
    assert "command line:1:20: error[F803]: `latency_wait`" in text
    assert text.endswith("3 errors\n")
    said = desk.call("profiles", "check", "./mine", "--format", "json")
    assert [json.loads(line)["code"] for line in said.out.splitlines()] == ["F803", "F801"]


def test_files_that_cannot_be_read(desk) -> None:
    desk.write("mine/profile.yaml", "x" * (1 << 20) + "y")
    assert "is larger than 1MiB" in desk.wrong("profiles", "show", "./mine")
    (desk.path / "mine" / "profile.yaml").write_bytes(b"scheduler: \xff\n")
    assert "is not UTF-8 text" in desk.wrong("profiles", "show", "./mine")


def findings(desk, status: int, *args: str) -> dict[str, tuple[str, str]]:
    """What a check found, by what was looked at."""
    said = desk.call("profiles", "check", *args, "--format", "json")
    assert (said.status, said.err) == (status, "")
    found = [json.loads(line) for line in said.out.splitlines()]
    return {one["what"]: (one["state"], one["said"]) for one in found}


def test_check_away_from_the_machine(desk, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(desk.path / "bin"))
    found = findings(desk, 1, "polaris")
    assert found["profile.yaml"] == ("ok", "no mistakes")
    assert {found[name][0] for name in ("qsub", "qstat", "qdel")} == {"wrong"}
    assert found["mpiexec"][0] == "note", "it is needed on compute nodes only"
    assert found["job script"][0] == "wrong"
    assert "`pbs.account`" in found["job script"][1]
    assert found["node"][0] == "note"
    assert "looked at" in desk.call("profiles", "check", "polaris").out


def test_check_on_a_login_node(desk, monkeypatch) -> None:
    for name in ("qsub", "qstat", "qdel"):
        program(desk, name)
    monkeypatch.setenv("PATH", str(desk.path / "bin"))
    found = findings(desk, 0, "polaris", "--set", "pbs.account=proj")
    assert found["qsub"] == ("ok", str(desk.path / "bin" / "qsub"))
    assert found["job script"] == ("ok", "10 nodes for 1h, queue debug-scaling")


def test_check_of_queues(desk, monkeypatch) -> None:
    """By what a real server once said of its own, which are not quite those of Polaris."""
    said = Path(__file__).parents[1] / "execute/pbs/queues.json"
    for name in ("qsub", "qdel"):
        program(desk, name)
    qstat = desk.path / "bin" / "qstat"
    qstat.write_text(f"#!/bin/sh\n/bin/cat {said}\n")
    qstat.chmod(0o755)
    monkeypatch.setenv("PATH", str(desk.path / "bin"))
    call = ("profiles", "check", "polaris", "--set", "pbs.account=proj")
    told = [json.loads(line) for line in desk.call(*call, "--format", "json").out.splitlines()]
    assert [one["said"] for one in told if one["what"] == "queues"] == [
        "the queue `capacity` does not exist",
        "the queue `debug-scaling` takes 1 to 4 nodes today, the profile says 1 to 10",
        "the queue `small` takes 1 to 2 nodes today, the profile says 10 to 24",
        "the queue `medium` takes 3 to 4 nodes today, the profile says 25 to 99",
        "the queue `prod` does not lead to `large` today",
        "the queue `preemptable` takes 1 to 4 nodes today, the profile says 1 to 10",
    ]
    assert findings(
        desk, 1, "polaris", "--set", "pbs.account=proj", "--set", "queue=capacity", "--set", "blocks.nodes=1"
    )["queues"] == (
        "wrong",
        "no batch job can be submitted: `capacity` does not exist",
    )
    assert (
        findings(desk, 0, "polaris", "--set", "pbs.account=proj", "--set", "queue=debug", "--set", "blocks.nodes=2")[
            "queues"
        ][0]
        == "ok"
    )
    qstat.write_text("#!/bin/sh\nexit 1\n")
    assert findings(desk, 0, "polaris", "--set", "pbs.account=proj")["queues"][0] == "note"


@pytest.mark.parametrize(
    ("now", "state", "said"),
    [
        (
            112,
            "ok",
            "112 of 128 processes and threads that you may have on this host are there; a driver takes up to 16",
        ),
        (
            113,
            "wrong",
            "113 of 128 processes and threads that you may have on this host are there; a driver takes up to 16, and "
            "beyond the limit programs fail to start, or hang: end some, or go to another login node",
        ),
    ],
)
def test_check_of_what_a_login_node_lets_a_user_have(desk, monkeypatch, now, state, said) -> None:
    monkeypatch.setattr("flowrules.app.drive.manners.tasks", lambda environ: (now, 128))
    monkeypatch.setenv("PATH", str(desk.path / "bin"))
    assert findings(desk, 1, "polaris")["processes"] == (state, said)
    monkeypatch.setenv("PBS_JOBID", "1.host")
    assert "processes" not in findings(desk, 1, "polaris"), "compute nodes are another matter"


@pytest.mark.parametrize(
    ("home", "ssh", "keys", "found"),
    [
        (0o700, 0o700, True, [("ok", "`$HOME` and `~/.ssh` are private, `authorized_keys` is there")]),
        (
            0o700,
            0o755,
            True,
            [("note", "`~/.ssh` has mode 755, and sshd of a node may refuse keys then: `chmod 700 ~/.ssh`")],
        ),
        (
            0o770,
            0o700,
            True,
            [("wrong", "`$HOME` has mode 770, and sshd of a node refuses keys then: `chmod 700 $HOME`")],
        ),
        (
            0o700,
            None,
            False,
            [
                (
                    "note",
                    "there is no `~/.ssh/authorized_keys`: unless hosts of this site trust each other, add your "
                    "public key",
                )
            ],
        ),
    ],
)
def test_check_of_what_ssh_between_nodes_needs(desk, monkeypatch, home, ssh, keys, found) -> None:
    place = desk.path / "ada"
    place.mkdir(mode=0o700)
    if ssh is not None:
        (place / ".ssh").mkdir()
        (place / ".ssh").chmod(ssh)
    if keys:
        (place / ".ssh/authorized_keys").touch()
    place.chmod(home)
    monkeypatch.setenv("HOME", str(place))
    monkeypatch.setenv("PATH", str(desk.path / "bin"))

    def told(launcher: str) -> list[tuple[str, str]]:
        said = desk.call("profiles", "check", "polaris", "--launcher", launcher, "--format", "json").out.splitlines()
        every = [json.loads(line) for line in said]
        return [(one["state"], one["said"]) for one in every if one["what"] == "ssh between nodes"]

    assert told("ssh") == found and told("parallel") == found
    assert told("mpiexec") == []


def test_check_in_a_batch_job(desk, monkeypatch) -> None:
    """This machine is the node; its profile says what is there, then more than that."""
    for name in ("qsub", "qstat", "qdel", "ssh"):
        program(desk, name)
    monkeypatch.setenv("PATH", str(desk.path / "bin"))
    monkeypatch.setenv("PBS_JOBID", "1.host")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    threads = os.cpu_count()
    slots = "{env: CUDA_VISIBLE_DEVICES, slots: [{id: 0}, {id: 1}]}"
    desk.write(
        "mine/profile.yaml", f"scheduler: pbs\nlauncher: ssh\nnode: {{cpus: {threads}, mem: 1MB, gpus: {slots}}}\n"
    )
    found = findings(desk, 0, "./mine")
    assert [found[name][0] for name in ("node.cpus", "node.mem", "node.gpus")] == ["ok"] * 3
    sets = ("node.cpus=90000", "node.mem=9PB", "node.gpus.slots=[{id: 0}]")
    found = findings(desk, 1, "./mine", *(word for text in sets for word in ("--set", text)))
    assert [found[name][0] for name in ("node.cpus", "node.mem", "node.gpus")] == ["wrong"] * 3
    assert found["node.gpus"][1] == "2 here, 1 in the profile"
    assert findings(desk, 1, "./mine", "--launcher", "mpiexec")["mpiexec"][0] == "wrong", "it is needed here"


def test_check_local(desk) -> None:
    assert findings(desk, 0, "local")["node"][0] == "note"


def test_completion(desk) -> None:
    from click.shell_completion import ShellComplete

    from flowrules.cli.main import cli

    def offered(*words: str) -> list[str]:
        complete = ShellComplete(cli, {}, "flowrules", "_FLOWRULES_COMPLETE")
        return [item.value for item in complete.get_completions(list(words[:-1]), words[-1])]

    assert offered("profiles", "") == ["list", "show", "check"]
    assert offered("profiles", "show", "p") == ["pbs", "perlmutter", "polaris"]
    assert offered("profiles", "check", "./m") == ["./m"], "files are the shell's"


def test_help_of_each(desk) -> None:
    for command in ("list", "show", "check"):
        text = desk.ok("profiles", command, "--help")
        assert "  flowrules profiles " in text
    assert "--set KEY=VALUE" in desk.ok("profiles", "show", "--help")


def test_as_a_process(desk) -> None:
    done = desk.process("profiles", "show", "local", env={"PYTHONPATH": ":".join(sys.path)})
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"scheduler: none" in done.stdout
