"""What happens to the files of a job: before it starts, after it ended well, after it failed."""

from __future__ import annotations

import hashlib
import os

import pytest

from flowrules.errors import FlowrulesError
from flowrules.model.files import FileRecord
from flowrules.model.values import Flags
from flowrules.record.disk import Disk
from flowrules.record.outputs import (
    check_outputs,
    file_record,
    keep_aside,
    prepare,
    protect,
    remove,
    remove_outputs,
    set_times,
)

PLAIN = Flags()
FOLDER = Flags(directory=True)


@pytest.fixture
def disk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return Disk()


def make(*paths, content="x"):
    for path in paths:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        with open(path, "w") as file:
            file.write(content)


class TestPrepare:
    def test_folders_of_outputs_and_logs_exist(self, disk):
        prepare(disk, [("out/a/x", PLAIN), ("res/dir", FOLDER)], ["logs/deep/x.log"])
        assert os.path.isdir("out/a")
        assert os.path.isdir("res")
        assert os.path.isdir("logs/deep")
        assert not os.path.exists("res/dir")

    def test_what_an_earlier_attempt_said_is_gone(self, disk):
        make("logs/x.log")
        prepare(disk, [], ["logs/x.log"])
        assert os.listdir("logs") == []

    def test_old_outputs_are_gone_unless_updated(self, disk):
        make("a", "b", "d/x/y")
        disk.stat("a")
        prepare(disk, [("a", PLAIN), ("b", Flags(update=True)), ("d", FOLDER)])
        assert not os.path.exists("a")
        assert os.path.exists("b")
        assert not os.path.exists("d")
        assert disk.stat("a") is None

    def test_a_link_goes_and_what_it_leads_to_stays(self, disk):
        make("data/x", "real")
        os.symlink("real", "a")
        os.symlink("data", "d")
        os.symlink("nowhere", "dangling")
        make("tree/file")
        os.symlink("../data", "tree/inner")
        prepare(disk, [("a", PLAIN), ("d", FOLDER), ("dangling", PLAIN), ("tree", FOLDER)])
        assert not any(map(os.path.lexists, ("a", "d", "dangling", "tree")))
        assert os.path.exists("real")
        assert os.path.exists("data/x")

    def test_folders_that_are_links_are_used(self, disk):
        os.makedirs("scratch")
        os.symlink("scratch", "out")
        make("out/x")
        prepare(disk, [("out/x", PLAIN), ("out/sub/y", PLAIN)])
        assert not os.path.exists("scratch/x")
        assert os.path.isdir("scratch/sub")

    def test_a_folder_in_place_of_a_file_is_not_removed(self, disk):
        make("a/precious")
        with pytest.raises(FlowrulesError, match="the output `a` is a folder on disk") as error:
            prepare(disk, [("a", PLAIN)])
        assert "declare it `directory(…)`" in error.value.hint
        assert os.path.exists("a/precious")

    def test_a_file_in_place_of_a_folder_is_replaced(self, disk):
        make("d")
        prepare(disk, [("d", FOLDER)])
        assert not os.path.exists("d")

    def test_a_file_on_the_way_to_an_output(self, disk):
        make("out")
        with pytest.raises(FlowrulesError, match="cannot make the folder of `out/x`"):
            prepare(disk, [("out/x", PLAIN)])
        with pytest.raises(FlowrulesError, match="cannot make the folder of `out/a/x`"):
            prepare(disk, [("out/a/x", PLAIN)])

    def test_a_protected_output_is_refused(self, disk):
        make("a")
        protect(disk, "a")
        with pytest.raises(FlowrulesError, match="`a` is protected"):
            prepare(disk, [("a", Flags(protected=True))])
        assert os.path.exists("a")

    def test_a_folder_made_for_one_output_is_seen(self, disk):
        assert disk.stat("out/x") is None
        prepare(disk, [("out/x", PLAIN)])
        assert disk.stat("out").kind == "d"

    def test_another_directory(self, disk):
        make("w/out/x", "out/x")
        prepare(Disk("w"), [("out/x", PLAIN)])
        assert os.path.exists("out/x")
        assert not os.path.exists("w/out/x")


class TestHolyPlaces:
    @pytest.fixture(autouse=True)
    def nothing_is_really_removed(self, monkeypatch):
        """A mistake must cost a failed test, not the machine it runs on."""

        def forbidden(*arguments, **options):
            raise AssertionError(f"would change {arguments}")

        monkeypatch.setattr("flowrules.record.outputs.shutil.rmtree", forbidden)
        monkeypatch.setattr("flowrules.record.outputs.os.rename", forbidden)
        monkeypatch.setattr("flowrules.record.outputs.os.chmod", forbidden)

    @pytest.mark.parametrize("path", [".", "..", "../..", "/", ".flowrules", ".flowrules/blocks", "home"])
    def test_are_never_removed(self, disk, path):
        make("home/x", ".flowrules/journal", ".flowrules/blocks/x")
        with pytest.raises(FlowrulesError):
            prepare(disk, [(path, FOLDER)])
        with pytest.raises(FlowrulesError):
            remove(disk, path)
        with pytest.raises(FlowrulesError):
            keep_aside(disk, path)
        assert os.path.exists("home/x")
        assert os.path.exists(".flowrules/blocks/x")

    def test_by_any_name(self, disk, tmp_path):
        make("sub/.flowrules/journal", "sub/x")
        os.symlink("..", "sub/up")
        os.chdir("sub")
        for path in (str(tmp_path), str(tmp_path / "sub"), "../sub", "up/sub", "up/sub/.flowrules"):
            with pytest.raises(FlowrulesError):
                remove(disk, path)
        assert os.path.exists("x")

    def test_a_link_to_one_is_only_a_link(self, disk):
        os.symlink(".", "me")
        assert remove(disk, "me")
        assert not os.path.lexists("me")


class TestCheck:
    def test_what_is_there_is_recorded(self, disk):
        make("a", content="abc")
        make("big", content="z" * 100)
        os.utime("a", ns=(1, 123_456_789_012_345_678))
        checked = check_outputs(disk, [("a", PLAIN), ("big", PLAIN)], hash_limit=99)
        assert checked.ok
        digest = hashlib.sha256(b"abc").hexdigest()[:32]
        assert checked.records[0] == FileRecord("a", 3, 123_456_789_012_345_678, digest)
        assert checked.records[1].size == 100
        assert checked.records[1].digest == ""

    def test_a_record_costs_one_look_and_one_reading(self, disk):
        make("a")
        check_outputs(disk, [("a", PLAIN)])
        assert disk.stats == 1
        disk.stat("a")
        assert disk.stats == 1

    def test_a_folder(self, disk):
        make("d/x", "d/s/y")
        os.utime("d/x", ns=(5, 5))
        os.utime("d/s/y", ns=(9, 9))
        [record] = check_outputs(disk, [("d", FOLDER)]).records
        assert record[:3] == ("d", 0, 9)
        assert record.digest == Disk().digest("d")

    def test_what_is_missing_may_still_come(self, disk):
        outputs = [("a", PLAIN), ("out/b", PLAIN)]
        assert check_outputs(disk, outputs).missing == ["a", "out/b"]
        make("a", "out/b")
        assert check_outputs(disk, outputs).ok

    def test_a_name_remembered_as_absent_is_found_by_listing_its_folder(self, disk, monkeypatch):
        make("out/x")
        real = os.stat
        listed = []

        def stat(path, **options):
            if path == "out/x" and not listed:
                raise FileNotFoundError(2, "stale", path)
            return real(path, **options)

        def listdir(path):
            listed.append(path)
            return ["x"]

        monkeypatch.setattr(os, "stat", stat)
        monkeypatch.setattr(os, "listdir", listdir)
        assert check_outputs(disk, [("out/x", PLAIN)]).ok
        assert listed == ["out"]

    def test_a_link_that_leads_nowhere_is_missing(self, disk):
        os.symlink("nowhere", "a")
        assert check_outputs(disk, [("a", PLAIN)]).missing == ["a"]

    @pytest.mark.parametrize(
        ("there", "flags", "problem"),
        [
            ("file", FOLDER, "the output `o` is a file, but it is declared as `directory()`"),
            ("folder", PLAIN, 'the output `o` is a folder: declare it `directory("…")`'),
            ("pipe", PLAIN, "the output `o` is neither a file nor a folder"),
            (
                "empty",
                Flags(non_empty=True),
                "the output `o` is empty, but `ensure(…, non_empty=true)` asks for content",
            ),
            (
                "folder",
                Flags(directory=True, non_empty=True),
                "the output `o` is empty, but `ensure(…, non_empty=true)` asks for content",
            ),
        ],
    )
    def test_what_is_not_as_declared(self, disk, there, flags, problem):
        if there == "folder":
            os.mkdir("o")
        elif there == "pipe":
            os.mkfifo("o")
        else:
            make("o", content="" if there == "empty" else "x")
        checked = check_outputs(disk, [("o", flags)])
        assert checked.problems == [problem]
        assert not checked.ok

    @pytest.mark.parametrize("limit", [0, 100])
    def test_ensure_sha256(self, disk, limit):
        make("o", content="abc")
        good = hashlib.sha256(b"abc").hexdigest()
        assert check_outputs(disk, [("o", Flags(sha256=good.upper()))], limit).ok
        almost = good[:-1] + ("0" if good[-1] != "0" else "1")
        for wrong in (almost, "0" * 64):
            [problem] = check_outputs(disk, [("o", Flags(sha256=wrong))], limit).problems
            assert "the output `o` has the SHA-256 " in problem
            assert wrong in problem

    def test_touch_makes_the_file_or_moves_its_time(self, disk):
        make("old", content="kept")
        os.utime("old", ns=(5, 5))
        checked = check_outputs(disk, [("new", Flags(touch=True)), ("old", Flags(touch=True))])
        assert checked.ok
        assert [record.size for record in checked.records] == [0, 4]
        assert checked.records[1].mtime_ns > 5

    def test_touch_that_cannot_be(self, disk):
        [problem] = check_outputs(disk, [("no/such/x", Flags(touch=True))]).problems
        assert problem == "cannot touch `no/such/x`: no such file or directory"

    def test_a_record_of_what_is_absent(self, disk):
        assert file_record(disk, "nope") is None


class TestAfterFailure:
    def test_outputs_are_removed_but_for_updated_ones(self, disk):
        make("a", "b", "d/x")
        problems = remove_outputs(disk, [("a", PLAIN), ("b", Flags(update=True)), ("d", FOLDER), ("absent", PLAIN)])
        assert problems == []
        assert sorted(os.listdir(".")) == ["b"]

    def test_a_folder_that_a_job_made_in_place_of_a_file_is_removed(self, disk):
        make("a/b/c")
        assert remove_outputs(disk, [("a", PLAIN)]) == []
        assert not os.path.exists("a")

    def test_what_cannot_be_removed_is_told(self, disk, monkeypatch):
        make("a", "b")

        def refuse(path):
            raise PermissionError(13, "Permission denied", path)

        monkeypatch.setattr(os, "unlink", refuse)
        problems = remove_outputs(disk, [("a", PLAIN), ("b", PLAIN)])
        assert problems == ["cannot remove `a`: permission denied", "cannot remove `b`: permission denied"]

    def test_kept_aside_beside_their_place(self, disk):
        make("out/a", content="half")
        make("out/a.incomplete/x")
        make("d/x")
        assert keep_aside(disk, "out/a") == "out/a.incomplete"
        assert disk.read("out/a.incomplete", 100) == b"half"
        assert not os.path.exists("out/a")
        assert disk.stat("out/a") is None
        assert keep_aside(disk, "d") == "d.incomplete"
        assert os.path.exists("d.incomplete/x")
        assert keep_aside(disk, "nope") is None


class TestPrimitives:
    def test_remove_says_whether_there_was_something(self, disk):
        make("a", "d/x/y")
        disk.stat("d/x/y")
        assert remove(disk, "a")
        assert not remove(disk, "a")
        assert not remove(disk, "a/below")
        assert remove(disk, "d")
        assert disk.stat("d/x/y") is None

    def test_read_only_folders_are_removed(self, disk):
        make("d/a/x", "d/b/y")
        protect(disk, "d")
        assert remove(disk, "d")
        assert not os.path.exists("d")

    def test_a_tree_that_refuses_is_opened_folder_by_folder(self, disk, monkeypatch):
        import shutil

        make("d/a/x", "outside/y")
        os.symlink("../outside", "d/link")
        os.chmod("d/a", 0o500)
        os.chmod("outside", 0o500)
        real = shutil.rmtree
        refusals = []

        def rmtree(path, **options):
            if not refusals:
                refusals.append(path)
                raise PermissionError(13, "Permission denied", path)
            assert os.stat("d/a").st_mode & 0o777 == 0o700
            real(path, **options)

        monkeypatch.setattr(shutil, "rmtree", rmtree)
        assert remove(disk, "d")
        assert os.stat("outside").st_mode & 0o777 == 0o500

    def test_protect_a_file_and_a_tree(self, disk):
        make("a", "d/s/x", "outside")
        os.chmod("a", 0o664)
        os.symlink("../outside", "d/link")
        protect(disk, "a")
        protect(disk, "d")
        assert os.stat("a").st_mode & 0o777 == 0o444
        assert not os.stat("d/s/x").st_mode & 0o222
        assert not os.stat("d").st_mode & 0o222
        assert os.stat("outside").st_mode & 0o200
        assert disk.stat("a").writable is False
        with pytest.raises(FlowrulesError, match="cannot protect `nope`"):
            protect(disk, "nope")

    def test_times(self, disk):
        make("a", "d/s/x")
        assert disk.stat("a").mtime_ns > 7
        set_times(disk, "a", 7)
        set_times(disk, "d", 8)
        assert disk.stat("a").mtime_ns == 7
        assert disk.tree_mtime_ns("d") == 8
        set_times(disk, "d")
        assert disk.tree_mtime_ns("d") > 8
        with pytest.raises(FlowrulesError, match="cannot touch `nope`"):
            set_times(disk, "nope")
