"""State and block folders are private whatever the umask; what others planted there is refused, not read."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from flowrules.errors import StateError
from flowrules.record.blockfiles import read_spec
from flowrules.record.polled import Appender, Follower
from flowrules.record.remembered import read_plan, write_plan
from flowrules.record.state import state_folder
from flowrules.record.store import Store

OTHER = 54321
"""A user who is not this one."""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
FLOWFILE = 'rule all:\n    output: "out.txt"\n    shell: "umask > {output}"\n'
MACHINE = "scheduler: pbs\nlauncher: ssh\nnode: {cpus: 4}\nblocks: {nodes: 1, walltime: 20min, min: 0, max: 1}\n"


@pytest.mark.slow
@pytest.mark.parametrize("how", [(), ("--profile", "./machine", "--sandbox")], ids=["this machine", "sandbox"])
def test_folders_are_private_whatever_the_umask(how: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "Flowfile").write_text(FLOWFILE)
    (tmp_path / "machine").mkdir()
    (tmp_path / "machine/profile.yaml").write_text(MACHINE)
    command = [sys.executable, "-m", "flowrules", "-q", "-j", "1", *how]
    done = subprocess.run(command, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, umask=0, timeout=300)
    assert done.returncode == 0, done.stderr
    state = tmp_path / ".flowrules"
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    folders = [p for p in state.rglob("*") if p.is_dir()]
    kept = ("blocks", "driver", "plans", "sandbox", "runs", "cmd", "jobs")
    private = [p for p in folders if any(part in kept for part in p.relative_to(state).parts)]
    assert private != []
    assert {
        str(p.relative_to(state)): oct(stat.S_IMODE(p.stat().st_mode)) for p in private if p.stat().st_mode & 0o077
    } == {}
    secret = [p for p in state.rglob("*") if p.is_file() and p.name in ("journal", "block.json", "owner", "version")]
    assert {oct(stat.S_IMODE(p.stat().st_mode)) for p in secret} == {"0o600"}


def test_a_folder_that_is_open_is_closed(tmp_path: Path) -> None:
    state = tmp_path / ".flowrules"
    state.mkdir(mode=0o777)
    state.chmod(0o777)
    Store.open(str(tmp_path)).close()
    assert stat.S_IMODE(state.stat().st_mode) == 0o700


def test_a_block_folder_that_is_open_is_refused(tmp_path: Path) -> None:
    block = tmp_path / "b001"
    block.mkdir()
    block.chmod(0o750)
    with pytest.raises(StateError, match="is not private, or belongs to another user"):
        read_spec(str(block))
    block.chmod(0o700)
    (tmp_path / "link").symlink_to(block)
    with pytest.raises(StateError, match="is not private, or belongs to another user"):
        read_spec(str(tmp_path / "link"))


# ── planted ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder with a history, in the working directory."""
    monkeypatch.chdir(tmp_path)
    store = Store.open()
    store.started(["a"], "r", {})
    store.close()
    write_plan("0" * 32, b"a plan")
    assert read_plan("0" * 32) == b"a plan"
    return tmp_path / ".flowrules"


@as_root
@pytest.mark.parametrize("read_only", [True, False])
def test_a_journal_of_another_user(state: Path, read_only: bool) -> None:
    os.chown(state / "journal", OTHER, OTHER)
    with pytest.raises(StateError) as caught:
        Store.open(".", read_only)
    assert caught.value.message == f"`.flowrules/journal` belongs to another user (uid {OTHER})"
    assert caught.value.hint == "somebody could write in this folder: remove the file, and what else there is not yours"


@as_root
@pytest.mark.parametrize("name", ["driver", "blocks", "campaign", "failed.000001"])
@pytest.mark.parametrize("create", [True, False])
def test_whatever_another_user_put_into_an_open_folder(state: Path, name: str, create: bool) -> None:
    (state / name).mkdir(exist_ok=True)
    os.chown(state / name, OTHER, OTHER)
    state.chmod(0o770)
    for _ in range(2):  # it is not made private with the file in it, and believed the next time
        with pytest.raises(StateError, match=rf"`\.flowrules/{name}` belongs to another user"):
            state_folder(".", create=create)


@as_root
def test_the_folder_of_another_user(state: Path) -> None:
    os.chown(state, OTHER, OTHER)
    for create in (True, False):
        with pytest.raises(StateError, match=r"`\.flowrules` belongs to another user"):
            state_folder(".", create=create)
    assert read_plan("0" * 32) is None


@as_root
def test_a_plan_of_another_user(state: Path) -> None:
    os.chown(state / "plans" / ("0" * 32), OTHER, OTHER)
    assert read_plan("0" * 32) is None


@as_root
def test_a_block_of_another_user(tmp_path: Path) -> None:
    block = tmp_path / "b001"
    block.mkdir(mode=0o700)
    os.chown(block, OTHER, OTHER)
    with pytest.raises(StateError, match="belongs to another user"):
        read_spec(str(block))


def log(path: Path) -> None:
    appender = Appender(str(path))
    appender.append("beat", (), b"{}")
    appender.flush()
    appender.close()


@as_root
def test_lines_of_another_user_in_a_block(tmp_path: Path) -> None:
    log(tmp_path / "log")
    os.chown(tmp_path / "log", OTHER, OTHER)
    for use in (lambda: Follower(str(tmp_path / "log")).poll(), lambda: Appender(str(tmp_path / "log"))):
        with pytest.raises(StateError, match="belongs to another user"):
            use()


def reads(path: Path) -> list[Callable[[], object]]:
    return [lambda: Follower(str(path)).poll(), lambda: Appender(str(path))]


def test_what_is_no_file_is_refused_and_waited_for_by_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "real").write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "folder").mkdir()
    for name in ("fifo", "link", "folder"):
        for use in reads(tmp_path / name):
            with pytest.raises(StateError):
                use()


@pytest.mark.parametrize("read_only", [True, False])
def test_a_journal_that_is_no_file(state: Path, read_only: bool) -> None:
    (state / "journal").unlink()
    os.mkfifo(state / "journal")
    with pytest.raises(StateError, match=r"`\.flowrules/journal` is no file"):
        Store.open(".", read_only)


def test_links_in_the_place_of_files_that_are_written(state: Path, tmp_path: Path) -> None:
    """What they lead to is not written."""
    victim = tmp_path / "victim"
    victim.write_text("as it was")
    for name in ("journal.new", "version.1.tmp"):
        (state / name).symlink_to(victim)
    (state / "plans" / ("1" * 32)).symlink_to(victim)
    write_plan("1" * 32, b"another")
    Store.open().close()
    assert victim.read_text() == "as it was"
    assert not (state / "plans" / ("1" * 32)).is_symlink()
