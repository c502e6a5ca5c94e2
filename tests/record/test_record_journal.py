"""Lines of a journal: any name survives, any change is noticed, places lead to payloads."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from flowrules.record.journal import Journal, encode_line, key_of, name_of, size_of, split_keys

NAMES = st.text(st.characters() | st.sampled_from("\t\n\r\\\x1f\x00\udcff09"), max_size=12)


@settings(max_examples=60, deadline=None)
@given(NAMES)
def test_a_key_is_plain_bytes_and_reads_back(name):
    key = key_of(name)
    assert name_of(key) == name
    assert not any(byte < 0x20 for byte in key)


@settings(max_examples=60, deadline=None)
@given(NAMES, NAMES)
def test_different_names_have_different_keys(one, other):
    assert (key_of(one) == key_of(other)) == (one == other)


def test_a_line_is_readable_by_people():
    line = encode_line(7, b"e", b"out/a\x1fout/b", b'["relax"]')
    assert line == b'00f77758\t7\te\tout/a\x1fout/b\t["relax"]\n'
    assert split_keys(b"out/a\x1fout/b") == [b"out/a", b"out/b"]
    assert split_keys(b"") == []


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([b"a", b"b"]), st.binary(max_size=30).map(bytes.hex).map(str.encode)), max_size=9
    )
)
def test_places_lead_to_payloads_before_and_after_the_flush(tmp_path_factory, lines):
    journal = Journal(str(tmp_path_factory.mktemp("journal") / "j"))
    places = [journal.append(kind, [b"key"], payload) for kind, payload in lines]
    for _ in range(2):
        assert [journal.payload(place) for place in places] == [payload for _, payload in lines]
        assert [size_of(place) for place in places] == [len(payload) for _, payload in lines]
        journal.flush()
    assert list(journal.lines()) == [(kind, b"key", place) for (kind, _), place in zip(lines, places, strict=True)]
    journal.close()


def test_lines_larger_than_what_is_read_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr("flowrules.record.journal._CHUNK", 64)
    journal = Journal(str(tmp_path / "j"))
    payloads = [b"x" * size for size in (0, 1, 63, 64, 65, 1000, 3)]
    places = [journal.append(b"k", [], payload) for payload in payloads]
    journal.flush()
    assert [place for _, _, place in journal.lines()] == places
    assert [journal.payload(place) for place in places] == payloads
    journal.close()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 255))
def test_one_changed_byte_is_noticed(tmp_path_factory, at, change):
    path = tmp_path_factory.getbasetemp() / "changed"
    lines = [encode_line(number, b"k", b"key", b'"payload"') for number in range(1, 6)]
    content = bytearray(b"".join(lines))
    at %= len(content) - 1  # without its end the last line is torn, not damaged
    content[at] ^= change
    path.write_bytes(content)
    journal = Journal(str(path), read_only=True)
    good = [line for line in journal.lines() if line[0] == b"k"]
    assert journal.scan.damaged >= 1
    assert len(good) < 5
    journal.close()
