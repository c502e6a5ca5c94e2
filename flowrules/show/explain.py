"""What `explain` shows: of each code what is wrong, why the program insists, an example, and the example put right.

`flowrules/explained` holds one Markdown file for each section of `flowrules.codes`. For each code it has, in this form
and no other: a heading `## F501`; paragraphs; the files of an example that gives this diagnostic, each a block that is
fenced by three backticks and the file's name, or `sh` for commands; a sentence on how it is put right; the files that
then differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from flowrules import codes
from flowrules.bundled import explanations_text
from flowrules.errors import UsageError, suggestion
from flowrules.show.text import json_line, paint

SECTIONS: Final = {
    name.lower(): section
    for name, section in vars(codes).items()
    if name.isupper() and isinstance(section, dict) and section is not codes.CODES
}
"""Titles by code, by name of the section, which is that of its file."""

COMMANDS: Final = "sh"
"""Name of a block that holds commands; all others are files."""

WIDTH: Final = 100
"""Columns of a paragraph at most: longer lines are hard to read."""

_HEADING: Final = re.compile(r"^## (.*)\n", re.MULTILINE)

_FENCED: Final = re.compile(r"^```(\S+)\n(.*?)^```\n", re.MULTILINE | re.DOTALL)

_CODED: Final = re.compile(r"`.+?`")

_BLANK: Final = "\0"
"""Stands for a blank in code while lines are broken."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """All that is said of one code.

    Attributes:
        section: its name in small letters.
        paragraphs: what is wrong, why the program insists, what to do; Markdown with nothing but backticks.
        wrong: files of an example by name, in the order to read them.
        mended: how it is put right, one sentence.
        right: those files that are different when it is right.
    """

    code: str
    title: str
    section: str
    paragraphs: tuple[str, ...]
    wrong: dict[str, str]
    mended: str
    right: dict[str, str]


def explanation(code: str) -> Explanation:
    """The explanation of a code, however its letter is written.

    Raises:
        UsageError: there is no such code.
    """
    wanted = code.upper()
    for name, section in SECTIONS.items():
        if wanted in section:
            return explained(name, explanations_text(name))[wanted]
    hint = suggestion(wanted, codes.CODES) or "`flowrules explain` lists them"
    raise UsageError(f"there is no code `{code}`", hint)


def explained(section: str, text: str) -> dict[str, Explanation]:
    """The explanations that a file holds, by code.

    Raises:
        ValueError: it is not in the form that the head of this module describes.
    """
    before, *parts = _HEADING.split(text)
    if before.count("\n#"):
        raise ValueError(f"{section}: a heading that is none of a code")
    return {code: _explanation(section, code, body) for code, body in zip(parts[::2], parts[1::2], strict=True)}


def _explanation(section: str, code: str, body: str) -> Explanation:
    title = SECTIONS[section].get(code)
    texts, files = [""], [dict[str, str]()]
    at = 0
    for block in _FENCED.finditer(body):
        between = body[at : block.start()].strip()
        if between:
            texts.append(between)
            files.append({})
        files[-1][block[1]] = block[2]
        at = block.end()
    if title is None or len(texts) != 3 or body[at:].strip() or "```" in "".join(texts):
        raise ValueError(f"{section}, {code}: text, files, a sentence and files were expected")
    paragraphs = tuple(" ".join(paragraph.split()) for paragraph in texts[1].split("\n\n"))
    return Explanation(code, title, section, paragraphs, files[1], " ".join(texts[2].split()), files[2])


# ── for people ───────────────────────────────────────────────────────────────────────────────────────────────────


def render_codes(color: bool) -> str:
    """Every code with its title, by section."""
    lines: list[str] = []
    for name, section in SECTIONS.items():
        lines += [paint(name.capitalize(), "bold", color)]
        lines += [f"  {paint(code, 'note', color)}  {title}" for code, title in sorted(section.items())] + [""]
    return "\n".join(lines[:-1])


def render_explanations(found: Iterable[Explanation], *, color: bool, width: int | None) -> str:
    """Explanations for a person, parted by two blank lines."""
    columns = min(width or WIDTH, WIDTH)
    return "\n\n\n".join("\n".join(_lines(each, color, columns)) for each in found)


def _lines(e: Explanation, color: bool, columns: int) -> Iterator[str]:
    from textwrap import wrap

    def wrapped(text: str) -> list[str]:
        whole = _CODED.sub(lambda found: found[0].replace(" ", _BLANK), text)  # code is not broken over lines
        lines = wrap(whole, columns, break_long_words=False, break_on_hyphens=False)
        return [_CODED.sub(lambda found: paint(found[0].replace(_BLANK, " "), "note", color), line) for line in lines]

    kind = {"F": "error", "W": "warning", "L": "warning"}[e.code[0]]
    yield f"{paint(e.code, kind, color)}: {paint(e.title, 'bold', color)}"
    for paragraph in e.paragraphs:
        yield ""
        yield from wrapped(paragraph)
    yield from _files(e.wrong, color, alone=len(e.wrong) == 1)
    yield ""
    yield from wrapped(e.mended)
    yield from _files(e.right, color, alone=len(e.wrong) == 1)


def _files(files: dict[str, str], color: bool, *, alone: bool) -> Iterator[str]:
    for name, text in files.items():
        yield ""
        if name != COMMANDS and not (alone and name == "Flowfile"):
            yield paint(f"  {name}" if text else f"  {name} (empty)", "dim", color)
        sign = "$ " if name == COMMANDS else ""
        yield from (f"    {sign}{line}".rstrip() for line in text.splitlines())


# ── for programs ─────────────────────────────────────────────────────────────────────────────────────────────────


def explanation_json(e: Explanation) -> str:
    """One JSON object on a line: code, title, section, paragraphs, wrong, mended, right (files by name)."""
    return json_line({name: getattr(e, name) for name in Explanation.__dataclass_fields__})


def codes_json() -> str:
    """Every code, one JSON object a line: code, title, section."""
    return "\n".join(
        json_line({"code": code, "title": title, "section": name})
        for name, section in SECTIONS.items()
        for code, title in sorted(section.items())
    )
