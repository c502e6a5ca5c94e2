"""`flowrules explain`: each code has an explanation, and its examples give what they are examples of."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys

import pexpect
import pytest

from flowrules.bundled import explanations_text
from flowrules.codes import CODES
from flowrules.show.explain import COMMANDS, SECTIONS, Explanation, explained, render_explanations

EXPLAINED = {code: e for name in SECTIONS for code, e in explained(name, explanations_text(name)).items()}

NOT_RUN = {
    "F021": "nothing is known that gives it",
    "F510": "its checkpoints would run ten thousand times",
    "F602": "it needs a campaign that runs; tests/cli/test_cli_batch.py has one",
}
"""Codes whose example cannot be run here, and why."""

BESIDE = {"F013": {"F012"}, "F509": {"F501"}}
"""Codes that an example cannot be without, by its own."""

CALLS = {
    "lint": "flowrules lint",
    "profile": "flowrules profiles show .",
    "planning": "flowrules -n",
    "call": "flowrules -n",
}
"""How the example of a section is called that holds no commands; of others, `flowrules lint`."""


def test_every_code_is_explained_in_the_order_of_the_list():
    for name, section in SECTIONS.items():
        assert list(explained(name, explanations_text(name))) == sorted(section), name


@pytest.mark.parametrize("code", EXPLAINED)
def test_explanations_have_one_form(code):
    e = EXPLAINED[code]
    for text in (*e.paragraphs, e.mended):
        assert text[0] in "`" or text[0].isupper(), text
        assert text[-1] in ".:" and "!" not in re.sub(r"`[^`]*`", "", text), text
        assert text.count("`") % 2 == 0, text
        assert not re.search(r"\b(please|sorry|you forgot|simply|just|task|step)\b", text, re.IGNORECASE), text
    assert 60 <= len(" ".join(e.paragraphs)) <= 700
    assert e.right.keys() <= {*e.wrong, COMMANDS}
    assert all(e.right[name] != e.wrong.get(name) for name in e.right)


def codes_of(desk, files, call):
    """The codes that the commands of an example show, in a folder that holds nothing but its files."""
    for name, text in files.items():
        if name != COMMANDS:
            desk.write(name, text)
    found = set()
    for line in files.get(COMMANDS, call).splitlines():
        if line.startswith("flowrules "):
            said = desk.call(*shlex.split(line)[1:])
            assert said.status in (0, 1, 2), said
            found |= set(re.findall(r"\[([FWL]\d{3})\]", said.out + said.err))
        else:
            subprocess.run(["bash", "-c", line], cwd=desk.path, check=True)
    return found


@pytest.mark.parametrize("code", [code for code in EXPLAINED if code not in NOT_RUN])
def test_examples(code, desk):
    e = EXPLAINED[code]
    call = CALLS.get(e.section, "flowrules lint")
    ignored = {found for found in CODES if found[0] == "L"} if e.section != "lint" else set()
    (desk.path / "Flowfile").unlink()
    (desk.path / "config.yaml").unlink()
    assert codes_of(desk, e.wrong, call) - ignored == {code, *BESIDE.get(code, ())}
    assert codes_of(desk, {**e.wrong, **e.right}, call) - ignored == set()


def test_one_code(desk):
    assert desk.ok("explain", "F704").startswith("F704: rule with wildcards as a target\n\n")
    assert desk.ok("explain", "f704") == desk.ok("explain", "F704", "f704")
    both = desk.ok("explain", "F704", "W233")
    assert both == desk.ok("explain", "F704") + "\n\n" + desk.ok("explain", "W233")
    assert max(map(len, both.splitlines())) <= 120


def test_code_in_a_paragraph_stays_on_its_line():
    text = "word " * 18 + "`a b` c"
    lines = render_explanations(
        [Explanation("F701", "t", "call", (text,), {}, "m", {})], color=False, width=94
    ).splitlines()
    assert lines[2:4] == [("word " * 18).strip(), "`a b` c"]
    painted = render_explanations([Explanation("F701", "t", "call", (text,), {}, "m", {})], color=True, width=94)
    assert "\x1b[1;36m`a b`\x1b[0m c" in painted


def test_the_list(desk):
    text = desk.ok("explain")
    assert re.findall(r"^  ([FWL]\d{3})  ", text, re.MULTILINE) == [c for s in SECTIONS.values() for c in sorted(s)]
    lines = [json.loads(line) for line in desk.ok("explain", "--format", "json").splitlines()]
    assert {line["code"]: line["title"] for line in lines} == CODES


def test_json(desk):
    [first, second] = [json.loads(line) for line in desk.ok("explain", "F704", "L005", "--format", "json").splitlines()]
    assert list(first) == ["code", "title", "section", "paragraphs", "wrong", "mended", "right"]
    assert (first["code"], first["section"], second["code"]) == ("F704", "call", "L005")
    assert first["wrong"]["Flowfile"].startswith("rule ")


def test_unknown_codes(desk):
    assert desk.call("explain", "F7040").err == "error: there is no code `F7040`\n   hint: did you mean `F704`?\n"
    assert desk.call("explain", "wildcard").err == (
        "error: there is no code `WILDCARD`\n   hint: `flowrules explain` lists them\n"
    )


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (["-n", "zzz"], "for more: flowrules explain F701"),
        (["-n", "--format", "json", "zzz"], None),
        (["lint"], "for more: flowrules explain L005"),
        (["lint", "--format", "json"], None),
    ],
)
def test_a_terminal_is_told_where_more_is_said(desk, call, told):
    desk.write("Flowfile", 'let UNUSED = 1\nrule all:\n    output: "a.txt"\n    shell: "date > {output}"\n')
    terminal = pexpect.spawn(
        sys.executable,
        ["-m", "flowrules", *call],
        cwd=str(desk.path),
        env={**os.environ, "TERM": "xterm", "NO_COLOR": "1"},
        encoding="utf-8",
    )
    terminal.expect(pexpect.EOF)
    last = terminal.before.splitlines()[-1]
    assert last == told if told else "for more" not in terminal.before
    said = desk.call(*call)
    assert "for more" not in said.out + said.err, "a pipe is left as it is"


@pytest.mark.parametrize(
    "text",
    [
        "# A\n\n# B\n\n## F701\n",
        "## F701\n\nOnly words.\n",
        "## F999\n\nText.\n\n```a\n```\n\nText.\n\n```a\n```\n",
        "## F701\n\nText.\n\n```a\n```\n\nText.\n\n```a\n```\n\nMore.\n",
        "## F701\n\nText.\n\n```a\n```\n\nText.\n",
    ],
)
def test_files_in_another_form_are_refused(text):
    with pytest.raises(ValueError, match="call"):
        explained("call", text)
