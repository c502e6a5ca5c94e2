"""Escaping, widths, units, tables and streams."""

import io
import os
import pty

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowrules.show.grid import Column, grid
from flowrules.show.output import Output
from flowrules.show.text import cells, counted, escape, head, pad, paint, shorten, shorten_middle, tail
from flowrules.show.units import human_rate, human_size, human_time


@given(st.text(alphabet=st.characters()))
def test_escaped_text_is_one_harmless_line(text):
    shown = escape(text)
    assert len(shown.splitlines()) <= 1
    assert not set(shown) & set("\x1b\x07\x7f\x9b\u202e\u2066\u200b\u2028\ufeff")
    shown.encode()
    assert escape(shown) == shown


def test_escapes_are_readable():
    assert escape("a\tb\n\x1b[0m\u202e\U000e0001\udcff") == r"a\tb\n\x1b[0m\u202e\U000e0001\udcff"
    assert escape("naïve 中文 👩‍🔬 \u3000") == "naïve 中文 👩‍🔬 \u3000"


@given(st.text(), st.integers(0, 30))
def test_shortened_text_fits(text, width):
    for short in (shorten(text, width), shorten_middle(text, width), head(text, width), tail(text, width)):
        assert cells(short) <= width
    if cells(text) <= width:
        assert shorten(text, width) == shorten_middle(text, width) == text
        assert cells(pad(text, width)) == cells(pad(text, width, right=True)) == width


def test_widths_of_characters():
    assert [cells(t) for t in ("abc", "中文", "e\u0301", "👩‍🔬")] == [3, 4, 1, 4]
    assert shorten_middle("results/benzene/energy.csv", 15) == "resu…energy.csv"


def test_counts_and_colours():
    assert [counted(1, "job"), counted(1234, "job"), counted(2, "is", "are")] == ["1 job", "1,234 jobs", "2 are"]
    assert paint("x", "bold", True) == "\x1b[1mx\x1b[0m" and paint("x", "bold", False) == "x"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0B"), (999, "999B"), (1000, "1.0kB"), (1234, "1.2kB"), (9_960, "10kB"), (999_499, "999kB"),
        (999_500, "1.0MB"), (16e9, "16GB"), (5e24, "5,000,000EB"), (-1, "?"), (float("nan"), "?"),
    ],
)  # fmt: skip
def test_sizes(count, text):
    assert human_size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.00s"), (0.04, "0.04s"), (0.0951, "0.1s"), (3.21, "3.2s"), (9.96, "10s"), (59.4, "59s"), (59.6, "1m 00s"),
        (65, "1m 05s"), (3599.6, "1h 00m"), (7500, "2h 05m"), (86400 * 3 + 4 * 3600, "3d 04h"), (-1, "?"),
        (float("inf"), "?"),
    ],
)  # fmt: skip
def test_times(seconds, text):
    assert human_time(seconds) == text


@pytest.mark.parametrize(
    ("rate", "text"),
    [(1200, "1,200/s"), (12.3, "12/s"), (2.5, "2.5/s"), (1, "1/s"), (0.2, "12/min"), (1 / 600, "6/h"), (0, "0/h")],
)
def test_rates(rate, text):
    assert human_rate(rate) == text


def test_a_table_is_aligned_escaped_and_leaves_empty_columns_out():
    columns = (Column("path", cut="middle"), Column("none"), Column("size", right=True), Column("why", cut="end"))
    rows = [("中文.csv", "", "1.2kB", "x"), ("a\x1b", "", "5B", "")]
    assert list(grid(columns, rows)) == ["path       size  why", "中文.csv  1.2kB  x", "a\\x1b        5B"]


@given(st.lists(st.tuples(st.text(max_size=60), st.text(max_size=60)), max_size=4), st.integers(30, 80))
def test_a_table_fits_where_its_columns_may_be_cut(rows, width):
    for line in grid((Column("path", cut="middle"), Column("why", cut="end")), rows, width=width):
        assert cells(line) <= width


def test_a_stream_without_unicode_gets_ascii():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    out = Output.of(stream, {})
    assert (out.terminal, out.color, out.unicode, out.columns) == (False, False, False, None)
    out.line("a → b … 中 ● ✓")
    assert raw.getvalue() == b"a -> b ... \\u4e2d * +\n"


def test_a_stream_with_unicode_bears_anything():
    raw = io.BytesIO()
    out = Output.of(io.TextIOWrapper(raw, encoding="utf-8"), {})
    out.line("a → \udc80")
    out.text("")
    assert raw.getvalue() == "a → \\udc80\n".encode()


@pytest.mark.parametrize(
    ("env", "terminal", "color"),
    [
        ({"TERM": "xterm"}, True, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, True, False),
        ({"TERM": "xterm", "NO_COLOR": ""}, True, True),
        ({"TERM": "dumb"}, False, False),
        ({}, False, False),
    ],
)
def test_terminals_are_told_by_the_environment(env, terminal, color):
    leader, follower = pty.openpty()
    try:
        with open(follower, "w", encoding="utf-8") as stream:
            out = Output.of(stream, {**env, "COLUMNS": "33"})
            assert (out.terminal, out.color, out.columns) == (terminal, color, 33)
    finally:
        os.close(leader)


def test_a_reader_that_went_away_silences_the_stream():
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w", encoding="utf-8") as stream:
        out = Output.of(stream, {})
        out.line("x" * 100_000)
        out.line("y")
        assert out.gone
