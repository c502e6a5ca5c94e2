"""Values of every nasty kind, rendered into every place and read by real shells: programs get exactly the value."""

from __future__ import annotations

import shutil
import subprocess
from itertools import islice

import pytest
from flow_text import FlowText
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowrules.expr.shell import Params, Section, ShellNames, parse_shell
from flowrules.model.values import NamedList

NAMES = ShellNames(
    sections={
        "input": Section(("one", "two")),
        "output": Section(),
        "params": Section(("list",)),
        "resources": Section(),
    },
    wildcards=("w",),
)

PRELUDE = """\
show() { printf '%s\\0' "$#" "$@"; }
slurp() { V=$(cat; printf x); show "${V%x}"; }
P=pre
unset U
"""

# A text with placeholders, and the arguments that `show` must get from it (W is the value of {w}, A and B the files).
ANYWHERE = [
    ("show {w}", ["W"]),
    ("show {w} {w}", ["W", "W"]),
    ("show {w}{w}", ["WW"]),
    ("show x{w}y", ["xWy"]),
    ("show --in={w}", ["--in=W"]),
    ("show {w}.bak", ["W.bak"]),
    ('show "{w}"', ["W"]),
    ('show "a {w} b"', ["a W b"]),
    ("show '{w}'", ["W"]),
    ("show 'a {w} b'", ["a W b"]),
    ("show {w}'{w}'\"{w}\"", ["WWW"]),
    ("show a\\\\{w}", ["a\\W"]),
    ("show 'a\\{w}'", ["a\\W"]),
    ('show "$P{w}"', ["preW"]),
    ("show $P{w}", ["preW"]),
    ('show "${P}{w}"', ["preW"]),
    ('X={w}; show "$X"', ["W"]),
    ('X=a{w}b; show "$X"', ["aWb"]),
    ('X="{w}"; show "$X"', ["W"]),
    ('export X={w}; show "$X"', ["W"]),
    ('X={input}; show "$X"', ["A B"]),
    ("Y=1 X={input} eval 'show \"$X\"'", ["A B"]),
    ("show {input}", ["A", "B"]),
    ('show "{input}"', ["A", "B"]),
    ("show '{input}' end", ["A", "B", "end"]),
    ('show "in: {input}"', ["in: A B"]),
    ("show 'in: {input}'", ["in: A B"]),
    ("show {input.one}", ["A"]),
    ("show {input[1]} {input[-1]} {input.one[0]}", ["B", "B", "A"]),
    ("show {input[1:]} {input[:1]}", ["B", "A"]),
    ("show {params.list}", ["W", "3", "true"]),
    ('show "{params.list}"', ["W", "3", "true"]),
    ('for f in {input}; do show "$f"; done', ["A"], ["B"]),
    ('set -- {input}; show "$@"', ["A", "B"]),
    ("f() { show {w}; }; f", ["W"]),
    ('f() { show "$1"; }; f {w}', ["W"]),
    ("if [ {w} = {w} ]; then show {w}; fi", ["W"]),
    ("if [ {w} = \"{w}\" ] && test 'x{w}' = x{w}; then show yes; fi", ["yes"]),
    ("case {w} in {w}) show yes;; *) show no;; esac", ["yes"]),
    ("case \"{w}\" in ('{w}') show yes {w};; *) show no;; esac", ["yes", "W"]),
    ("case x{w} in a|x{w}) show yes;; *) show no;; esac; show {w}", ["yes"], ["W"]),
    ("( show {w} )", ["W"]),
    ("{ show {w}; }", ["W"]),
    ("true && show {w} || show no", ["W"]),
    ("show \"$(printf '%s.' {w})\"", ["W."]),
    ('show "$(printf \'%s.\' "{w}")"', ["W."]),
    ("show \"x$(printf '%s.' '{w}' | cat)\"", ["xW."]),
    ('X=$(printf %s. {w}); show "$X"', ["W."]),
    ('X=$(case {w} in {w}) printf %s. {w};; esac); show "$X" {w}', ["W.", "W"]),
    ('X=$(printf %s. {w} # {w} it\'s )\n); show "$X"', ["W."]),
    ("printf %s {w} | slurp", ["W"]),
    ("slurp <<EOF\n{w}x\nEOF\nshow {w}", ["Wx\n"], ["W"]),
    ("slurp <<'EOF'\n{w}x\nEOF\nshow {w}", ["Wx\n"], ["W"]),
    ('slurp <<\\EOF\n a \'"{w}x" $P\nEOF\n', [' a \'"Wx" $P\n']),
    ("slurp <<-EOF\n\tx{w}x\n\tEOF\nshow '{w}'", ["xWx\n"], ["W"]),
    ("slurp <<EOF && show {w}\n$P '{w}' \"{w}\"\nEOF\n", ["pre 'W' \"W\"\n"], ["W"]),
    ("slurp <<EOF\n$(printf %s. {w}) {input}\nEOF\n", ["W. A B\n"]),
    ("slurp <<A; slurp <<'B'\n-{w}x\nA\n-{w}x\nB\nshow {w}", ["-Wx\n"], ["-Wx\n"], ["W"]),
    ('X=$(cat <<EOF\n{w}x\nEOF\n); show "$X" {w}', ["Wx", "W"]),
    ("show ${U:-{w}}", ["W"]),
    ('show "${U:-{w}}"', ["W"]),
    ('show "${U-a {w} b}"', ["a W b"]),
    ('show "${P:+{w}}"', ["W"]),
    ("show ${U:-'{w}'}", ["W"]),
    ('show ${U:-"{w}"}', ["W"]),
    ('Y={w}end; show ${Y#{w}} "${Y##*d}"', ["end", ""]),
    ("echo hi >/dev/null # it's {w}\nshow {w}", ["W"]),
    ("show a#{w}", ["a#W"]),
    ("show \\\n  {w} \\\n  {input}", ["W", "A", "B"]),
    ("eval show {w:q}", ["W"]),
    ('eval "show {w:q} {input:q}"', ["W", "A", "B"]),
    ("eval 'show {w:q}'", ["W"]),
    ('X=`printf %s. {w:q}`; show "$X"', ["W."]),
    ("( trap 'show {w:q}' EXIT )", ["W"]),
    ('slurp <<EOF\nshow {w:q} end\nEOF\neval "${V%x}"', None, ["W", "end"]),
    ("show $((1 + 2)) {w}", ["3", "W"]),
    ('show "`echo it\\\'s`" {w}', ["it's", "W"]),
    ('echo "it\'s" >/dev/null; show {w}', ["W"]),
]

BASH_ONLY = [
    ("[[ {w} == {w} ]] && show yes", ["yes"]),
    ("[[ \"{w}\" == '{w}' && ( x{w} = x{w} ) ]] && show yes {w}", ["yes", "W"]),
    ('X=({w} x{w} "{w}"); show "${X[@]}"', ["W", "xW", "W"]),
    ('X=( {input}\n  # it\'s {w}\n {w} ); show "${X[@]}"', ["A", "B", "W"]),
    ('unset X; X+=({w}); show "${X[@]}"; unset X', ["W"]),
    ("slurp <<< {w}", ["W\n"]),
    ('slurp <<< "{w}"', ["W\n"]),
    ("show {a,{w}}", ["a", "W"]),
    ("show {w}{,.bak}", ["W", "W.bak"]),
    ("show $'{w:q}' $'\\t'", ["W", "\t"]),
    ('show $"a {w}"', ["a W"]),
    ("slurp < <(printf %s {w})", ["W"]),
    ('declare X={w}; show "$X"', ["W"]),
    ('show "${U:-$(printf %s. {w})}"', ["W."]),
    ("for ((i = 0; i < 2; i++)); do show {w}; done", ["W"], ["W"]),
    ('X=$( (printf %s. {w}) ); show "$X"', ["W."]),
    ("function g { show {w}; }; g", ["W"]),
]

NASTY = [*"ab Z09'\"\\$`!*?[]{}()<>|&;#~=:,.%^+-_/@\n\t\r\x01\x02\x07\x1b\x7féß漢😀\xa0\u2028",
    "EOF", "$(id)", "${P}", "$P", "`id`", "\\\n", "' '", '" "', "\\'", "a b;rm -rf $HOME.txt",
    "-n", "--", "..", "\udc80", "\udcff",
    "if", "esac",
    "*", "!x", "~root", "$'x'", "<(id)", "{a,b}", "{1..3}", "A=1", "2>&1", "\x81", "\x88", "\n\n",
]  # fmt: skip
VALUES = st.lists(st.sampled_from(NASTY), min_size=1, max_size=7).map("".join)


REFUSED = {
    **{text: {"'", "}"} for text, *_ in ANYWHERE if '"${U' in text or '"${P:' in text},
    **{text: {"\x01", "\x7f"} for text, *_ in BASH_ONLY if '"{w}")' in text},
    **{text: {"⇥"} for text, *_ in ANYWHERE if "<<-" in text},
    **{text: {"⏎"} for text, *_ in ANYWHERE if "<<EOF\n$(" in text},
}
"""Characters that a shell cannot read in some place, however they are written (`⏎`: a backslash before a line end, `⇥`: a tab
that may begin a line)."""


def unreadable(value: str) -> set[str]:
    """The characters of a value and signs for the sequences that a shell cannot read in some place."""
    found = set(value)
    found |= {"⏎"} if "\\\n" in value else set()
    found |= {"⇥"} if value.startswith("\t") or "\n\t" in value else set()
    return found | ({"}"} if "<(" in value or ">(" in value else set())


def is_fine(value: str) -> bool:
    """Whether no line of the value ends one of the here-documents above."""
    return not any(line.strip("\t").startswith("EOF") for line in value.split("\n"))


def as_path(value: str) -> str:
    return "./" + value if value.startswith("-") else value


def run(shell: str, script: str, locale: str = "C.UTF-8") -> list[str]:
    done = subprocess.run(
        [shell, "-c", script.encode("utf-8", "surrogateescape")],
        capture_output=True,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": locale},
        stdin=subprocess.DEVNULL,
        timeout=60,
    )
    assert done.stderr == b"", done.stderr.decode("utf-8", "replace")
    text = done.stdout.decode("utf-8", "surrogateescape")
    return text.split("\0")[:-1]


def expected(items: list[str], value: str, files: tuple[str, ...]) -> list[str]:
    table = {"W": value, "A": as_path(files[0]), "B": as_path(files[1])}
    return ["".join(table.get(char, char) for char in item) if item != "no" else item for item in items]


def check(shell: str, contexts: list, values: list[str], locale: str = "C.UTF-8") -> None:
    """Render every context for every value into one script, and compare all that the shell's programs got."""
    scripts, wanted = [], []
    for i, value in enumerate(values):
        files = (value, values[(i + 1) % len(values)])
        names = {
            "wildcards": {"w": value},
            "input": NamedList(files, {"one": (0, 1), "two": (1, 2)}),
            "params": Params([], {"list": [value, 3, True]}),
        }
        for text, *shown in contexts:
            if text in REFUSED and REFUSED[text] & unreadable(value):
                continue
            template, diagnostics = parse_shell(FlowText(text), NAMES)
            assert diagnostics == [], text
            command = template.render(names)
            scripts.append(command)
            wanted.append((text, value, command, [None if s is None else expected(s, value, files) for s in shown]))
    got = iter(run(shell, PRELUDE + "\nshow NEXT\n".join([*scripts, ""]), locale))
    for text, value, command, shown in wanted:
        for items in shown:
            found = list(islice(got, int(next(got))))
            assert items is None or found == items, f"{shell}: {text!r} with {value!r}: {command!r}"
        assert (next(got), next(got)) == ("1", "NEXT"), (text, value, command)


SHELLS = [pytest.param(s, marks=pytest.mark.skipif(shutil.which(s) is None, reason="absent")) for s in ("bash", "dash")]


@pytest.mark.parametrize("shell", SHELLS)
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(values=st.lists(VALUES.filter(is_fine), min_size=1, max_size=6))
def test_every_value_in_every_place(shell: str, values: list[str]) -> None:
    check(shell, ANYWHERE + (BASH_ONLY if shell == "bash" else []), values)


@pytest.mark.parametrize("shell", SHELLS)
def test_every_single_character(shell: str) -> None:
    values = [chr(i) for i in range(1, 128) if not chr(i).isalnum()] + ["é", "漢", "\udc80", "\udce9x", "x\udcff"]
    for at in range(0, len(values), 20):
        check(shell, ANYWHERE + (BASH_ONLY if shell == "bash" else []), values[at : at + 20], "C")


# ── nested at will ───────────────────────────────────────────────────────────────────────────────────────────────

# Each strategy gives a text and what it stands for, in which W is the value of {w}.
LEAVES = st.sampled_from(
    [("{w}", "W"), ("'{w}'", "W"), ('"{w}"', "W"), ("a{w}", "aW"), ("'it '{w}", "it W"), ("b", "b")]
)


def quoted_texts(words: st.SearchStrategy[tuple[str, str]]) -> st.SearchStrategy[tuple[str, str]]:
    """What may stand in double quotes, or in a here-document: text, placeholders, commands with words."""

    def command(word: tuple[str, str], shape: str) -> tuple[str, str]:
        return shape.replace("@", word[0]), word[1] + "."

    shapes = [
        "$(printf %s. @)",
        "$(printf '%s.' @ # it's {w} )\n)",
        "$( (printf %s. @) )",
        "$(case @ in @) printf %s. @;; esac)",
        "$(if [ x = x ]; then printf %s. @; fi)",
        '$(f() { printf %s. "$1"; }; f @)',
        '$(X=@; printf %s. "$X")',
        '$(for x in @; do printf %s. "$x"; done)',
    ]
    commands = st.builds(command, words, st.sampled_from(shapes))
    inside = st.lists(
        commands | st.sampled_from([("{w}", "W"), (" x ", " x "), ("${P}", "pre"), ("'", "'")]), min_size=1
    )
    return inside.map(lambda parts: ("".join(p[0] for p in parts), "".join(p[1] for p in parts)))


def nested(words: st.SearchStrategy[tuple[str, str]]) -> st.SearchStrategy[tuple[str, str]]:
    """Words made of words: side by side, or in double quotes."""
    double = quoted_texts(words).map(lambda text: (f'"{text[0]}"', text[1]))
    return double | st.builds(lambda a, b: (a[0] + b[0], a[1] + b[1]), words, words)


WORDS = st.recursive(LEAVES, nested, max_leaves=6)
DOCUMENTS = ["slurp <<EOF\n@EOF\n", "slurp <<-EOF && true\n@\tEOF\n"]


@pytest.mark.parametrize("shell", SHELLS)
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    values=st.lists(VALUES.filter(lambda v: is_fine(v) and not unreadable(v) & {"⏎", "⇥"}), min_size=1, max_size=3),
    words=st.lists(WORDS, min_size=1, max_size=4),
    body=quoted_texts(WORDS),
    document=st.sampled_from(DOCUMENTS),
)
def test_places_within_places(
    shell: str, values: list[str], words: list[tuple[str, str]], body: tuple[str, str], document: str
) -> None:
    contexts: list = [(f"show {text} end", [wanted, "end"]) for text, wanted in words]
    contexts.append((document.replace("@", body[0] + "x\n"), [body[1] + "x\n"]))
    check(shell, contexts, values)
