"""Finds placeholders in text that a second interpreter reads, where the quoting of the shell protects nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from posixpath import basename
from typing import Final

from flowrules.errors import Diagnostic
from flowrules.expr.shell import Placeholder, ShellTemplate
from flowrules.expr.shell_quote import Place

_SHELLS: Final = frozenset({"sh", "bash", "dash", "zsh", "ksh"})
_AWKS: Final = frozenset({"awk", "gawk", "mawk", "nawk"})
_CODE: Final = {
    "python": ("-c", "read it from `sys.argv`: `python -c 'import sys; …' {0}`"),
    "perl": ("e", "read it from `@ARGV`: `perl -e '… shift …' {0}`"),
    "ruby": ("e", "read it from `ARGV`: `ruby -e '… ARGV[0] …' {0}`"),
    "Rscript": ("e", "read it by `commandArgs(TRUE)`: `Rscript -e '…' {0}`"),
    "R": ("e", "read it by `commandArgs(TRUE)`: `R -e '…' --args {0}`"),
    "node": ("e", "read it from `process.argv`: `node -e '…' {0}`"),
    "julia": ("e", "read it from `ARGS`: `julia -e '…' {0}`"),
    "lua": ("e", 'read it from an environment variable: `os.getenv("x")`'),
}
_SHELL_HINT: Final = "hand it over as an argument: `{1} -c '… \"$1\" …' _ {0}`"
_PLAIN: Final = re.compile(r"[A-Za-z0-9_./:+, %@-]*")
_HARMLESS: Final = ("threads", "attempt", "rule", "mpirun")
_SED_OPTIONS: Final = frozenset({"-e", "--expression"})
_AWK_VALUES: Final = frozenset({"-F", "-v", "-f", "--file", "--assign", "--field-separator"})
_SSH_VALUES: Final = frozenset(f"-{letter}" for letter in "bceiJlLmopRSw")


def interpreter_warnings(template: ShellTemplate) -> list[Diagnostic]:
    """A warning for each placeholder whose value some other program than this shell reads as code."""
    found = []
    for placeholder in template.placeholders:
        hole = placeholder.hole
        harmless = hole.head in _HARMLESS or hole.format == "raw"
        constant = placeholder.constant
        if harmless or (constant is not None and _PLAIN.fullmatch(constant)):
            continue
        reader = _reader(placeholder)
        if reader is not None:
            name, hint = reader
            written = template.source.value[hole.start : hole.end]
            message = f"`{written}` stands in text that `{name}` reads as code: a special character in its value is run"
            span = template.source.span(hole.start, hole.end)
            found.append(Diagnostic("L002", message, span, hint.replace("{0}", written), severity="warning"))
    return found


def _reader(placeholder: Placeholder) -> tuple[str, str] | None:
    """The program that reads a placeholder as code, with a hint what to do instead."""
    site = placeholder.site
    words = [word.strip("'\"") for word in site.words]
    if site.place is Place.COMMENT:
        return None
    if words[:1] == ["<<"]:
        return _of_heredoc(words[1:], placeholder.hole.format)
    if site.place is Place.AGAIN or site.redirect or not words:
        return None
    for look in (_of_code_option, _of_ssh, _of_awk, _of_sed, _of_parallel):
        found = look(words)
        if found is not None:
            return found
    return None


def _of_heredoc(words: Sequence[str], form: str) -> tuple[str, str] | None:
    for word in words:
        name = basename(word)
        language = _language(name)
        if name in _SHELLS or name == "ssh":
            return None if form == "q" else (name, "write `:q`, it is quoted for that shell then")
        if language is not None:
            return name, _CODE[language][1].replace("-c '…'", "-").replace("-e '…'", "-")
    return None


def _of_code_option(words: Sequence[str]) -> tuple[str, str] | None:
    """`bash -c '…'`, `python -c '…'`, `perl -ne '…'`, wherever in a command they stand."""
    option = words[-1]
    if not re.fullmatch(r"-[A-Za-z]*[ceE]|--eval|--execute", option):
        return None
    for i in range(len(words) - 2, -1, -1):
        before = words[i]
        name = basename(before)
        language = _language(name)
        if name in _SHELLS and option.endswith("c"):
            return name, _SHELL_HINT.replace("{1}", name)
        if language is not None:
            letter, hint = _CODE[language]
            return (name, hint) if option.lower().endswith(letter[-1]) or option.startswith("--") else None
        if not before.startswith("-") and not (i and words[i - 1].startswith("-") and words[i - 1] != "-m"):
            return None  # a script, or another program
    return None


def _language(name: str) -> str | None:
    plain = re.sub(r"[0-9.]+$", "", name)
    return plain if plain in _CODE else None


def _of_ssh(words: Sequence[str]) -> tuple[str, str] | None:
    """Everything after the host is joined and read by a shell there."""
    if "ssh" not in map(basename, words):
        return None
    start = [basename(w) for w in words].index("ssh") + 1
    if not _operands(words[start:], _SSH_VALUES):
        return None
    return "ssh", "send the command by a here-document and write `:q` in it: `ssh host bash <<'EOF'`"


def _of_awk(words: Sequence[str]) -> tuple[str, str] | None:
    return _of_program(
        words, _AWKS, _AWK_VALUES, ("-f", "--file"), "hand it over as a variable: `awk -v x={0} '… x …'`"
    )


def _of_sed(words: Sequence[str]) -> tuple[str, str] | None:
    hint = "characters such as `/` and `&` in the value change the script: use `awk -v x={0}`, or `:raw` if it is safe"
    if words[-1] in _SED_OPTIONS and "sed" in map(basename, words):
        return "sed", hint
    return _of_program(
        words, frozenset({"sed"}), frozenset({"-e", "-f", "-l"}), ("-e", "-f", "--expression", "--file"), hint
    )


def _of_program(
    words: Sequence[str], names: frozenset[str], valued: frozenset[str], given: Sequence[str], hint: str
) -> tuple[str, str] | None:
    """Whether the word is the program text: the first operand, unless an option gives the program."""
    for i, word in enumerate(words):
        if basename(word) in names:
            rest = words[i + 1 :]
            if any(option in given for option in rest) or _operands(rest, valued) or rest[-1:] in [[v] for v in valued]:
                return None
            return basename(word), hint
    return None


def _of_parallel(words: Sequence[str]) -> tuple[str, str] | None:
    if basename(words[0]) != "parallel" or any(re.fullmatch(r":{3,4}\+?", w) for w in words):
        return None
    return "parallel", "let it come from the list: `parallel … {} ::: {0}`"


def _operands(words: Sequence[str], valued: frozenset[str]) -> list[str]:
    """Arguments that are no options and no values of options."""
    found, skip = [], False
    for word in words:
        if not skip and not word.startswith("-"):
            found.append(word)
        skip = not skip and word in valued
    return found
