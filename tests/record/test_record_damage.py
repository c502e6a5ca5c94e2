"""A damaged history: damage costs what it hit and nothing else."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_samples import done, failed, reopened

from flowrules.model.files import FileRecord
from flowrules.model.record import Record
from flowrules.record.store import Store


def write_sample(directory, count=6):
    """A journal of pairs of start and end, and the offset after each line."""
    store = Store.open(directory)
    for i in range(count):
        store.started([f"out/{i}", f"log\t{i}"], "r", {"n": str(i)})
        store.ended(done(f"out/{i}", f"log\t{i}"))
        if i == 2:
            store.started(["out/0", "log\t0"], "r", {"n": "0"}, 2)
            store.ended(failed(), ["out/0", "log\t0"])
    store.close()


def state_of(store, count=6):
    return {
        f"out/{i}": (store.last(f"out/{i}"), store.unfinished(f"out/{i}"), store.unfinished(f"log\t{i}"))
        for i in range(count)
    }


def test_cut_at_any_byte_nothing_before_the_cut_is_lost_and_nothing_invented(tmp_path):
    whole = tmp_path / "whole"
    whole.mkdir()
    write_sample(str(whole))
    content = (whole / ".flowrules" / "journal").read_bytes()
    ends = [i + 1 for i, byte in enumerate(content) if byte == 10]
    cut = tmp_path / "cut"
    cut.mkdir()
    Store.open(str(cut)).close()
    journal = cut / ".flowrules" / "journal"

    def read(length):
        journal.write_bytes(content[:length])
        with_cut = Store.open(str(cut), read_only=True)
        assert with_cut.warnings == ()
        return state_of(with_cut)

    expected = {}
    for end in [0, *ends]:
        expected[end] = read(end)
    previous = 0
    for length in range(len(content)):
        if length in expected:
            previous = length
            continue
        assert read(length) == expected[previous], length


def test_a_writer_goes_on_after_a_torn_end(directory, journal):
    write_sample(directory)
    content = journal.read_bytes()
    lines = content.splitlines(keepends=True)
    for torn in (
        content[:-5],
        content[:-1],
        content + b"garbage",
        content + b"\0" * 5000,
    ):
        journal.write_bytes(torn)
        store = Store.open(directory)
        assert store.warnings == ()
        store.ended(done("new"))
        store = reopened(store, directory)
        assert store.warnings == ()
        assert store.last("new") == done("new")
        assert len(journal.read_bytes().splitlines()) in (len(lines), len(lines) + 1)
        store.close()


def test_damage_at_the_end_is_told_once_and_its_jobs_stay_unfinished(directory, journal):
    write_sample(directory)
    content = journal.read_bytes()
    journal.write_bytes(content[:-20] + b"###" + content[-17:] + b"garbage\n")
    for read_only in (True, False):
        store = Store.open(directory, read_only)
        assert "2 of 15 lines of " in store.warnings[0]
        assert store.unfinished("out/5")
        assert store.unfinished("log\t5")
        store.close()
    store = Store.open(directory)
    assert store.warnings == ()
    assert store.unfinished("out/5")
    assert store.unfinished("log\t5")
    store.close()


def test_every_damaged_line_is_told_and_only_its_jobs_run_again(directory, journal):
    write_sample(directory)
    content = journal.read_bytes()
    good = state_of(Store.open(directory, read_only=True))
    lines = content.splitlines(keepends=True)
    for number, line in enumerate(lines):
        damaged = line[:-10] + b"#########\n"
        journal.write_bytes(b"".join([*lines[:number], damaged, *lines[number + 1 :]]))
        store = Store.open(directory, read_only=True)
        assert store.warnings == (
            f"1 of {len(lines)} lines of `{journal}` are damaged; "
            "the jobs they told of run again where they are needed",
        )
        for output, (record, unfinished, log_unfinished) in state_of(store).items():
            was = good[output]
            assert (record, unfinished, log_unfinished) == was or unfinished, (number, output)
            if output.encode() not in line:
                assert (record, unfinished, log_unfinished) == was


def test_a_line_that_is_missing_is_told(directory, journal):
    write_sample(directory)
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:3] + lines[5:]))
    store = Store.open(directory, read_only=True)
    assert store.warnings[0].startswith(f"2 of {len(lines)} lines of ")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 3000), st.binary(min_size=1, max_size=40))
def test_any_garbage_anywhere_is_survived(tmp_path, offset, garbage):
    directory = str(tmp_path)
    journal = tmp_path / ".flowrules" / "journal"
    if not journal.exists():
        write_sample(directory)
        (tmp_path / "sample").write_bytes(journal.read_bytes())
    content = (tmp_path / "sample").read_bytes()
    offset %= len(content)
    journal.write_bytes(content[:offset] + garbage + content[offset + len(garbage) :])
    store = Store.open(directory)
    for record, _, _ in state_of(store).values():
        assert record is None or record.rule == "relax"
    store.ended(done("new"))
    store = reopened(store, directory)
    assert store.last("new") == done("new")
    list(store.records())
    store.close()


NAMES = st.text(st.characters(codec="utf-8") | st.sampled_from("\t\n\\\x1f\x00\udc80"), min_size=1, max_size=8)
RECORDS = st.builds(
    Record,
    rule=NAMES,
    wildcards=st.dictionaries(NAMES, NAMES, max_size=2),
    outputs=st.lists(
        st.builds(FileRecord, NAMES, st.integers(0, 2**60), st.integers(-(2**60), 2**62)), min_size=1, max_size=3
    ),
    inputs=st.lists(st.builds(FileRecord, NAMES, st.integers(0, 2**60), st.integers(0, 2**62), NAMES), max_size=3),
    code=NAMES,
    params=NAMES,
    exit=st.integers(-64, 255),
    error=NAMES,
    started=st.floats(0, 2e9),
    resources=st.dictionaries(NAMES, NAMES, max_size=2),
    gpus=st.lists(NAMES, max_size=2),
    command=NAMES,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(RECORDS, max_size=6))
def test_what_is_written_is_read(tmp_path_factory, records):
    directory = str(tmp_path_factory.mktemp("law"))
    store = Store.open(directory)
    for record in records:
        store.ended(record)
    store = reopened(store, directory)
    assert list(store.records()) == records
    latest = {file.path: record for record in records for file in record.outputs}
    assert {path: store.last(path) for path in latest} == latest
    store.close()
