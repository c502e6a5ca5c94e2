"""Diagnostics as a person and an editor see them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowrules.errors import Diagnostic, DirectoryHeld, FlowfileError, Related, UsageError
from flowrules.show.problems import render_error, render_error_json, render_json, render_text, summary_line
from flowrules.show.text import cells
from flowrules.span import Source, Span


def span(text: str, part: str, name: str = "Flowfile") -> Span:
    start = text.index(part)
    return Span(Source(name, text), start, start + len(part))


def test_place_line_underline_hint_related_and_chain():
    text = 'let X = 1\nrule b:\n    input: "a.txt" "b.txt"\n    output: "c"\n'
    source = Source("Flowfile", text)
    start = text.index('"b.txt"')
    diagnostic = Diagnostic(
        "F013",
        "two strings stand side by side",
        Span(source, start, start + 7),
        "put a comma between them",
        (Related("first defined here", Span(source, 4, 5)), Related("nobody makes `b.txt`")),
        ("rule all", "out/x.csv", "rule b"),
    )
    assert (
        render_text([diagnostic])
        == """\
Flowfile:3:20: error[F013]: two strings stand side by side
    3 |     input: "a.txt" "b.txt"
      |                    ^^^^^^^
   hint: put a comma between them
   Flowfile:1:5: note: first defined here
    1 | let X = 1
      |     -
   note: nobody makes `b.txt`
   needed by: rule all → out/x.csv → rule b"""
    )


def test_diagnostics_are_parted_by_a_blank_line_and_need_no_place():
    assert render_text([Diagnostic("F501", "a"), Diagnostic("L001", "b", severity="warning")]) == (
        "error[F501]: a\n\nwarning[L001]: b"
    )
    assert render_text([]) == ""


def test_a_long_chain_is_shortened_in_its_middle():
    text = render_text([Diagnostic("F501", "missing input", chain=tuple(f"r{i}" for i in range(1500)))])
    assert text.splitlines()[1] == ("   needed by: r0 → r1 → r2 → r3 → … 1,492 more … → r1496 → r1497 → r1498 → r1499")


def test_tabs_and_wide_characters_are_underlined_where_they_stand():
    text = '\tinput:\t"中文.txt" "b"\n'
    assert (
        render_text([Diagnostic("F013", "m", span(text, '"b"'))])
        == """\
Flowfile:1:18: error[F013]: m
    1 |     input:  "中文.txt" "b"
      |                        ^^^"""
    )
    assert render_text([Diagnostic("F013", "m", span(text, "中文"))]).endswith("\n      |              ^^^^")


def test_combining_marks_take_no_column():
    text = "x = 'e\u0301' nope"
    assert render_text([Diagnostic("F013", "m", span(text, "nope"))]).splitlines()[2] == "      |         ^^^^"


def test_a_span_of_several_lines_shows_its_first_and_last():
    text = 'rule a:\n    shell: """\n      one\n      two\n    """\n'
    start, end = text.index('"""'), text.rindex('"""') + 3
    assert (
        render_text([Diagnostic("F301", "m", Span(Source("Flowfile", text), start, end))])
        == '''\
Flowfile:2:12: error[F301]: m
    2 |     shell: """
      |            ^^^
  ...
    5 |     """
      |     ^^^'''
    )


def test_two_adjacent_lines_have_no_gap_between_them():
    text = "a = [\n  1]\n"
    assert (
        render_text([Diagnostic("F301", "m", Span(Source("F", text), 4, 10))])
        == "F:1:5: error[F301]: m\n    1 | a = [\n      |     ^\n    2 |   1]\n      |   ^^"
    )


def test_line_ends_at_the_end_of_a_span_are_not_shown():
    text = "rule a:\n\n\nrule b:\n"
    assert render_text([Diagnostic("F201", "m", Span(Source("F", text), 0, 10))]) == (
        "F:1:1: error[F201]: m\n    1 | rule a:\n      | ^^^^^^^"
    )


@pytest.mark.parametrize(
    ("text", "place", "line"),
    [("", "1:1", "    1 |"), ("rule a:", "1:8", "    1 | rule a:"), ("rule a:\n", "2:1", "    2 |")],
)
def test_the_end_of_a_file_has_a_place_too(text, place, line):
    end = Span(Source("F", text), len(text), len(text))
    first, shown, under = render_text([Diagnostic("F001", "m", end)]).splitlines()
    assert first == f"F:{place}: error[F001]: m"
    assert shown == line
    assert under.endswith("^") and under.count("^") == 1


def test_a_long_line_is_cut_around_the_place():
    text = "x" * 5000 + " HERE " + "y" * 5000 + "\n"
    _, shown, under = render_text([Diagnostic("F001", "m", span(text, "HERE"))], width=60).splitlines()
    assert cells(shown) <= 60
    assert shown.startswith("    1 | …xxx") and shown.endswith("yyy…")
    assert shown[under.index("^") :].startswith("HERE ")


def test_a_long_place_keeps_both_its_ends():
    text = "a" + "b" * 500 + "c"
    _, shown, under = render_text([Diagnostic("F001", "m", Span(Source("F", text), 0, 502))], width=50).splitlines()
    assert "ab" in shown and "bc" in shown and "…" in shown
    assert cells(shown) <= 50 and cells(under) <= 50


def test_nothing_from_a_file_drives_the_terminal():
    evil = "a\x1b[31m\x07\x9b2J\u202eb\u2066\ufeff\udc80\nF:1:1: error"
    source = Source(f"dir/{evil}", f'x = "{evil.splitlines()[0]}"\n')
    text = render_text(
        [Diagnostic("F001", evil, Span(source, 4, 9), evil, (Related(evil, Span(source, 0, 1)),), (evil, evil))]
    )
    assert all(c.isprintable() or c == "\n" for c in text)
    assert r"\x1b[31m\x07\x9b2J\u202eb\u2066\ufeff\udc80\nF:1:1: error" in text
    assert len(text.splitlines()) == 8
    text.encode()


def test_colours_only_where_asked():
    diagnostic = Diagnostic("F013", "m", span("rule a:", "a"), "h", (Related("r"),), ("c",))
    plain, coloured = render_text([diagnostic]), render_text([diagnostic], color=True)
    assert "\x1b" not in plain
    assert "\x1b[1;31merror[F013]:\x1b[0m m" in coloured
    assert "\x1b[1;33mwarning:\x1b[0m" in render_text([Diagnostic("", "m", severity="warning")], color=True)


@pytest.mark.parametrize(
    ("severities", "text"),
    [
        ([], ""),
        (["error"], "1 error"),
        (["error", "warning", "error"], "2 errors, 1 warning"),
        (["warning"] * 1200, "1,200 warnings"),
    ],
)
def test_summary_line(severities, text):
    assert summary_line([Diagnostic("F001", "m", severity=s) for s in severities]) == text


def test_json_has_one_object_a_line_and_only_plain_characters():
    text = "rule é:\n  nope\n"
    diagnostics = [
        Diagnostic("F201", "m\x7f\x1b\udc80", span(text, "nope"), "h", (Related("r", span(text, "é")),), ("all",)),
        Diagnostic("F501", "n"),
    ]
    lines = render_json(diagnostics).split("\n")
    assert all(c.isascii() and c.isprintable() for line in lines for c in line)
    assert json.loads(lines[0]) == {
        "severity": "error",
        "code": "F201",
        "message": "m\x7f\x1b\udc80",
        "file": "Flowfile",
        "line": 2,
        "column": 3,
        "end_line": 2,
        "end_column": 7,
        "hint": "h",
        "related": [
            {"message": "r", "file": "Flowfile", "line": 1, "column": 6, "end_line": 1, "end_column": 7},
        ],
        "chain": ["all"],
    }
    assert json.loads(lines[1])["file"] is None


def test_errors_without_diagnostics():
    assert (
        render_error(UsageError("no such rule: `a\nb`", "try `c`")) == "error: no such rule: `a\\nb`\n   hint: try `c`"
    )
    held = render_error_json(DirectoryHeld("held"))
    assert json.loads(held)["code"] is None and json.loads(held)["message"] == "held"


def test_several_diagnostics_end_with_their_counts():
    one, two = Diagnostic("F001", "a"), Diagnostic("F101", "b", severity="warning")
    assert render_error(FlowfileError([one])) == "error[F001]: a"
    assert render_error(FlowfileError([one, two])).endswith("warning[F101]: b\n\n1 error, 1 warning")
    assert len(render_error_json(FlowfileError([one, two])).splitlines()) == 2


@given(st.text(alphabet=st.characters() | st.sampled_from("\t\n 中\x1b\u0301")), st.data())
def test_any_text_with_any_span_is_shown_safely(text, data):
    start = data.draw(st.integers(0, len(text) + 1))
    end = data.draw(st.integers(start, len(text) + 3))
    width = data.draw(st.none() | st.integers(1, 90))
    shown = render_text([Diagnostic("F001", text, Span(Source("F", text), start, end))], width=width)
    assert all(c.isprintable() or c in "\n\u200c\u200d\u3000\xa0" or c.isspace() or ord(c) > 0x2FF for c in shown)
    assert "\x1b" not in shown and "^" in shown
    assert len(shown.split("\n")) in (3, 5, 6)
    render_json([Diagnostic("F001", text, Span(Source("F", text), min(start, len(text)), end))])
