"""The disk looked at: right answers, few looks, and names, links and kinds that a hostile folder may hold."""

from __future__ import annotations

import errno
import hashlib
import os
import socket
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowrules.errors import FlowrulesError
from flowrules.record.disk import Disk


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make(*paths, content="x"):
    for path in paths:
        folder = os.path.dirname(path)
        if folder:
            os.makedirs(folder, exist_ok=True)
        if not path.endswith("/"):
            with open(path, "w") as file:
                file.write(content)


class TestStat:
    def test_a_file(self, here):
        make("a/b.txt", content="four")
        os.utime("a/b.txt", ns=(1, 1_700_000_000_123_456_789))
        stamp = Disk().stat("a/b.txt")
        assert stamp == (4, 1_700_000_000_123_456_789, "f", True)

    def test_a_read_only_file(self, here):
        make("a")
        os.chmod("a", 0o444)
        assert Disk().stat("a").writable is False

    def test_a_folder_has_no_size(self, here):
        make("a/b")
        stamp = Disk().stat("a")
        assert (stamp.size, stamp.kind) == (0, "d")

    def test_a_pipe_and_a_socket_are_other(self, here):
        os.mkfifo("p")
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("s")
            assert [Disk().stat(name).kind for name in "ps"] == ["o", "o"]

    def test_links_are_followed_and_lead_somewhere_or_are_absent(self, here):
        make("data/x", content="12345")
        os.symlink("data/x", "good")
        os.symlink("nowhere", "dangling")
        os.symlink("loop", "loop")
        os.symlink("data", "folder")
        disk = Disk()
        assert disk.stat("good").size == 5
        assert disk.stat("folder").kind == "d"
        assert disk.stat("folder/x").size == 5
        assert disk.stat("dangling") is None
        assert disk.stat("loop") is None

    @pytest.mark.parametrize(
        "path", ["a\0b", "a/\ud800", "x" * 300, "/".join("d" * 3000), "file/below", "no/such/path"]
    )
    def test_what_can_be_no_file_is_absent(self, here, path):
        make("file")
        assert Disk().stat(path) is None

    def test_working_directory_root_and_parents_exist(self, here):
        make("deep/er/x")
        os.chdir("deep/er")
        disk = Disk()
        for path in (".", "/", "..", "../..", "../er", "../er/x", "../../deep/er/x", os.fspath(here)):
            assert disk.stat(path) is not None, path
        assert disk.stat("../nope") is None
        assert disk.stat("../../nope/x") is None

    def test_another_directory_than_where_one_stands(self, here):
        make("w/in/x")
        disk = Disk("w")
        assert disk.stat("in/x") is not None
        assert disk.stat("w/in/x") is None
        assert disk.stat(os.path.abspath("w/in/x")) is not None
        assert list(disk.files_below(".")) == ["in/x"]
        assert disk.read("in/x", 10) == b"x"

    def test_names_that_are_no_utf8(self, here):
        name = os.fsdecode(b"caf\xe9")
        make(f"in/{name}")
        disk = Disk()
        assert disk.stat(f"in/{name}") is not None
        assert list(disk.files_below("in")) == [f"in/{name}"]
        assert disk.digest("in") != ""

    def test_a_disk_that_does_not_answer_is_no_absence(self, here, monkeypatch):
        def refuse(path, **options):
            raise PermissionError(errno.EACCES, "Permission denied", path)

        monkeypatch.setattr(os, "stat", refuse)
        with pytest.raises(FlowrulesError) as error:
            Disk().stat("secret/x")
        assert error.value.message == "cannot look at `secret/x`: permission denied"
        assert "may not be entered" in error.value.hint


class TestFewLooks:
    def test_every_path_is_looked_at_once(self, here):
        make("a", "b")
        disk = Disk()
        for _ in range(3):
            for path in ("a", "b", "a"):
                disk.stat(path)
        assert disk.stats == 2

    def test_an_absent_folder_answers_for_all_below(self, here):
        disk = Disk()
        for i in range(1000):
            assert disk.stat(f"out/{i}/deep/x") is None
        assert disk.stats + disk.scans <= 5

    def test_absent_files_of_a_folder_cost_one_scan(self, here):
        make("out/other")
        disk = Disk()
        for i in range(1000):
            assert disk.stat(f"out/{i}") is None
        assert disk.stats < 20
        assert disk.scans == 1

    def test_absent_folders_of_a_folder_cost_one_scan(self, here):
        make("out/other/x")
        disk = Disk()
        for i in range(1000):
            assert disk.stat(f"out/{i}/x") is None
        assert disk.stats < 50
        assert disk.scans == 1

    def test_present_files_cost_one_look_each_and_no_scan(self, here):
        make(*(f"in/{i}" for i in range(100)))
        disk = Disk()
        assert all(disk.stat(f"in/{i}") for i in range(100))
        assert (disk.stats, disk.scans) == (100, 0)

    def test_a_large_folder_is_not_read_for_few_names(self, here):
        make(*(f"in/{i}" for i in range(600)))
        disk = Disk()
        scans = {}
        for i in range(400):
            assert disk.stat(f"in/no{i}") is None
            scans[disk.scans] = i + 1
        # given up after 16 × 16 names, then after 32 × 16; read as a whole when 64 names were missed
        assert scans == {0: 15, 1: 31, 2: 63, 3: 400}
        assert disk.stats == 64 + 1

    def test_a_folder_that_may_be_entered_but_not_listed(self, here, monkeypatch):
        make("in/x")

        def refuse(path):
            raise PermissionError(errno.EACCES, "Permission denied", path)

        monkeypatch.setattr(os, "scandir", refuse)
        disk = Disk()
        assert [disk.stat(f"in/no{i}") for i in range(100)] == [None] * 100
        assert disk.stat("in/x") is not None
        assert list(disk.files_below(".")) == []


class TestSnapshot:
    def test_it_lasts_until_it_is_ended(self, here):
        disk = Disk()
        assert disk.stat("a") is None
        make("a")
        assert disk.stat("a") is None
        disk.forget(["a"])
        assert disk.stat("a") is not None
        os.unlink("a")
        assert disk.stat("a") is not None
        disk.refresh()
        assert disk.stat("a") is None

    def test_forgetting_a_path_forgets_the_folders_it_lies_in(self, here):
        disk = Disk()
        assert disk.stat("out/a/b/x") is None
        make("out/a/b/x")
        disk.forget(["out/a/b/x"])
        assert disk.stat("out/a/b/x") is not None
        assert disk.stat("out/a").kind == "d"

    def test_forgetting_a_name_in_a_scanned_folder(self, here):
        make("out/x")
        disk = Disk()
        for i in range(100):
            disk.stat(f"out/{i}")
        make("out/7", "out/8")
        disk.forget(["out/7"])
        assert disk.stat("out/7") is not None
        assert disk.stat("out/8") is None

    def test_forgetting_a_folder_forgets_all_below(self, here):
        make("out/a/x", content="old")
        disk = Disk()
        before = disk.stat("out/a/x"), disk.digest("out/a/x"), disk.digest("out"), disk.digest("out/a")
        make("out/a/x", content="newer")
        disk.forget(["out"])
        after = disk.stat("out/a/x"), disk.digest("out/a/x"), disk.digest("out"), disk.digest("out/a")
        assert all(old != new for old, new in zip(before, after, strict=True))

    def test_forgetting_a_file_forgets_the_digest_of_the_folders_above(self, here):
        make("out/a/x", content="old")
        disk = Disk()
        before = disk.digest("out")
        make("out/a/x", content="newer")
        disk.forget(["out/a/x"])
        assert disk.digest("out") != before

    def test_a_glob_and_a_look_agree(self, here):
        make("in/a")
        disk = Disk()
        for i in range(100):
            disk.stat(f"in/no{i}")
        make("in/no7")
        assert list(disk.files_below("in")) == ["in/a"]
        assert disk.stat("in/no7") is None

    NAMES = st.sampled_from(["a", "b", "c", "d"])
    PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.tuples(st.sampled_from(["write", "remove", "look"]), PATHS), max_size=40))
    def test_after_forgetting_what_changed_answers_are_those_of_the_disk(self, tmp_path_factory, steps):
        root = str(tmp_path_factory.mktemp("law"))
        disk = Disk(root)
        for deed, path in steps:
            location = os.path.join(root, path)
            if deed == "look":
                assert (disk.stat(path) is not None) == os.path.exists(location), path
            elif deed == "write":
                try:
                    make(location)
                except OSError:
                    continue
                disk.forget([path])
            elif os.path.isfile(location):
                os.unlink(location)
                disk.forget([path])


class TestFilesBelow:
    def test_sorted_as_paths_with_bare_names_for_the_working_directory(self, here):
        make("a/x", "a.b", "a/x.y", "a0", ".hidden/z", ".flowrules/journal")
        assert list(Disk().files_below(".")) == sorted([".hidden/z", "a.b", "a/x", "a/x.y", "a0"])
        assert list(Disk().files_below("a")) == ["a/x", "a/x.y"]
        assert list(Disk().files_below(".flowrules")) == []

    def test_none_where_there_is_no_folder(self, here):
        make("file")
        assert list(Disk().files_below("nope")) == []
        assert list(Disk().files_below("file")) == []
        assert list(Disk().files_below("a\0b")) == []

    def test_links_are_followed_but_not_in_circles(self, here):
        make("data/x", "data/sub/y")
        os.symlink("..", "data/sub/up")
        os.symlink("data", "link")
        os.symlink("gone", "data/dangling")
        assert list(Disk().files_below(".")) == ["data/sub/y", "data/x", "link/sub/y", "link/x"]

    def test_two_thousand_folders_deep(self, here):
        depth = 1500
        fd = os.open(".", os.O_RDONLY)
        for _ in range(depth):
            os.mkdir("d", dir_fd=fd)
            below = os.open("d", os.O_RDONLY, dir_fd=fd)
            os.close(fd)
            fd = below
        os.close(os.open("x", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
        os.close(fd)
        path = "d/" * depth + "x"
        assert list(Disk().files_below(".")) == [path]
        assert Disk().stat(path) is not None
        assert Disk().stat("d/" * depth + "no") is None
        assert Disk().digest("d") != ""
        os.unlink(path)
        for length in range(depth, 0, -1):
            os.rmdir("d/" * length)

    def test_hundred_thousand_are_not_needed_for_the_first(self, here):
        make("a/1", "b/1", "c/1")
        disk = Disk()
        assert next(iter(disk.files_below("."))) == "a/1"
        assert disk.scans == 2

    def test_files_of_a_scanned_folder_are_looked_at_once(self, here):
        make("in/a", "in/b")
        disk = Disk()
        for path in disk.files_below("in"):
            disk.stat(path)
        assert (disk.stats, disk.scans) == (2, 1)
        assert disk.stat("in/c") is None
        assert disk.stats == 2


class TestDigest:
    def test_of_content_and_of_nothing_else(self, here):
        make("a", "b", content="same")
        os.utime("b", ns=(1, 1))
        disk = Disk()
        assert disk.digest("a") == disk.digest("b") == hashlib.sha256(b"same").hexdigest()[:32]

    @pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20])
    def test_of_any_size(self, here, size):
        content = b"ab" * (size // 2) + b"c" * (size % 2)
        with open("a", "wb") as file:
            file.write(content)
        assert Disk().digest("a") == hashlib.sha256(content).hexdigest()[:32]

    def test_of_what_cannot_be_read(self, here):
        os.mkfifo("pipe")
        disk = Disk()
        assert disk.digest("pipe") == ""
        assert disk.digest("nope") == ""

    def test_of_a_folder(self, here):
        make("d/a", "d/sub/b")

        def digest():
            return Disk().digest("d")

        seen = [digest()]
        assert digest() == seen[0]
        make("d/sub/c")
        seen.append(digest())
        os.rename("d/sub/c", "d/c")
        seen.append(digest())
        os.utime("d/a", ns=(5, 5))
        seen.append(digest())
        make("d/a", content="longer")
        seen.append(digest())
        os.symlink("a", "d/link")
        seen.append(digest())
        assert len(set(seen)) == len(seen)

    def test_of_a_folder_does_not_depend_on_its_own_time_or_place(self, here):
        make("d/a")
        os.utime("d/a", ns=(5, 5))
        first = Disk().digest("d")
        os.utime("d", ns=(9, 9))
        os.rename("d", "e")
        assert Disk().digest("e") == first

    def test_of_a_folder_is_that_of_earlier_versions(self, here):
        """Else every folder that was recorded before would seem to have changed."""
        names = ("a.txt", "a/one", "a/c/two", "a.b/three", "B/é", "A", "a-")
        for number, (name, content) in enumerate(zip(names, ("x", "yy", "", "z", "w", "q", "r"), strict=True)):
            make(f"d/{name}", content=content)
            os.utime(f"d/{name}", ns=(number * 10**9, number * 10**9))
        for at, (link, target) in enumerate((("link", "a.txt"), ("to-folder", "a"))):
            os.symlink(target, f"d/{link}")
            os.utime(f"d/{link}", ns=(5 + 2 * at, 5 + 2 * at), follow_symlinks=False)
        assert Disk().digest("d") == "d82ac6cc04559a0a812e31cc315824cf"

    def test_of_a_folder_keeps_no_more_than_names_in_memory(self, here):
        make(*(f"d/file-{n}" for n in range(4000)))
        disk = Disk()
        tracemalloc.start()
        try:
            disk.digest("d")
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert most < 4000 * 150

    def test_links_out_of_a_folder_are_not_followed(self, here):
        make("big/file")
        os.makedirs("d")
        os.symlink("../big", "d/link")
        before = Disk().digest("d"), Disk().tree_mtime_ns("d") // 10**9
        make("big/file2", content="more")
        assert (Disk().digest("d"), Disk().tree_mtime_ns("d") // 10**9) == before

    def test_newest_change_below(self, here):
        make("d/a", "d/s/b")
        os.utime("d/a", ns=(7, 7))
        os.utime("d/s/b", ns=(9, 9))
        assert Disk().tree_mtime_ns("d") == 9
        os.makedirs("empty/sub")
        assert Disk().tree_mtime_ns("empty") == 0


class TestRead:
    def test_up_to_the_limit(self, here):
        make("a", content="12345")
        assert Disk().read("a", 5) == b"12345"
        with pytest.raises(OSError, match="larger than 4 bytes"):
            Disk().read("a", 4)

    def test_files_without_a_size(self):
        assert Disk().read("/proc/self/comm", 100)
        with pytest.raises(OSError, match="larger"):
            Disk().read("/proc/self/status", 10)

    def test_only_regular_files_and_never_blocking(self, here):
        os.mkfifo("pipe")
        os.mkdir("folder")
        with pytest.raises(OSError, match="not a regular file"):
            Disk().read("pipe", 10)
        with pytest.raises(IsADirectoryError):
            Disk().read("folder", 10)
        with pytest.raises(OSError, match="not a regular file"):
            Disk().read("/dev/zero", 10)
        with pytest.raises(FileNotFoundError):
            Disk().read("nope", 10)
        with pytest.raises(FileNotFoundError):
            Disk().read("a\0b", 10)
