"""`flowrules why`: what speaks for making a file anew, to the changed word, down to where it came from."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Final

from flowrules.model.account import Account, Finding
from flowrules.model.files import FileRecord, Stamp
from flowrules.model.likeness import Failure
from flowrules.model.plan import Cause, Decision, Reason
from flowrules.show.cause import cause_of
from flowrules.show.params import changed_params, param_changes
from flowrules.show.plan_text import file_list
from flowrules.show.progress import exit_text
from flowrules.show.tables import clock_text
from flowrules.show.text import counted, escape, json_line, paint, shorten
from flowrules.show.units import human_size, human_time

Waits = Callable[[Account], str]

TARGETS: Final = 8
"""Targets that are explained one by one."""

LINES: Final = 24
"""Lines of one change that are shown."""

WIDTH: Final = 160
"""Columns of one of them."""

EXCERPT: Final = 4
"""Last lines of the log of a failed attempt that are shown."""

_WORDS: Final[dict[Decision, tuple[str, str]]] = {
    Decision.RUN: ("will be made", "run"),
    Decision.MAY: ("may be made", "may"),
}


def render_why(found: Sequence[Account], waits: Waits, failed: Callable[[str], Failure | None], color: bool) -> str:
    """Accounts for a person.

    Args:
        waits: a sentence on what a job waits for now, or "".
        failed: the last attempt to make a file, where it failed.
    """
    if not found:
        return "nothing is asked for"
    shown = sorted(found, key=lambda account: account.decision is Decision.SKIP)[:TARGETS]
    parts = ["\n".join(_account(account, waits, failed, color)) for account in shown]
    if len(shown) < len(found):
        parts.append(f"… and {counted(len(found) - len(shown), 'more file')}: `flowrules why FILE` explains one")
    return "\n\n".join(parts)


def why_json(found: Sequence[Account], waits: Waits) -> str:
    """One object a line for each file: path, rule, wildcards, decision, exists, made, findings, waits, makers, users.

    A finding has its cause and subject, and old and new: of a param or line their texts, of an input its size and time.
    """
    return "\n".join([json_line(_object(account, waits)) for account in found])


# ── for people ───────────────────────────────────────────────────────────────────────────────────────────────────


def _account(account: Account, waits: Waits, failed: Callable[[str], Failure | None], color: bool) -> Iterator[str]:
    name = paint(escape(account.path), "bold", color)
    if account.job is None:
        yield from _source(account, name)
        return
    if account.decision is Decision.SKIP:
        yield f"{name} {paint('is up to date', 'good', color)}: nothing is to be done"
        yield from _kept(account, account.job.label)
        return
    words, style = _WORDS[account.decision]
    anew = " anew" if account.stamp is not None else ""
    place = f" ({escape(str(account.job.rule.span))})" if account.job.rule.span else ""
    yield f"{name} {paint(words + anew, style, color)} by {escape(account.job.label)}{place}"
    if text := waits(account):
        yield f"  {paint('now:', 'note', color)} {escape(text)}"
    failure = failed(account.path)
    for line in _failed(failure) if failure is not None else ():
        yield f"  {line}"
    for finding in account.findings:
        if failure is None or finding.reason.cause not in (Cause.UNFINISHED, Cause.MISSING):
            yield from (f"  {line}" for line in _finding(finding, account, color))
    for maker, more in account.makers:
        if not maker.findings and not maker.makers:
            continue  # told above
        yield from (f"  {line}" for line in _account(maker, waits, failed, color))
        if more:
            yield f"  and {counted(more, 'more job')} of rule {escape(maker.job.rule.name if maker.job else '')}"
    if account.deeper:
        yield f"  … `flowrules why {escape(account.path)}` goes on"


def _source(account: Account, name: str) -> Iterator[str]:
    users = f", an input of {file_list(account.users)}" if account.users else ""
    if account.stamp is None:
        yield f"{name} is not there, and no rule makes it{users}"
        return
    if account.kept:
        yield f"{name} is kept as it is: what it was made from is gone"
    else:
        yield f"{name} is made by no rule{users}: nothing is to be done"
    yield f"  it is {_state(account.stamp)}"


def _kept(account: Account, label: str) -> Iterator[str]:
    last = account.last
    if last is None:
        if account.stamp is not None:
            yield f"  it is {_state(account.stamp)}, and no input of {escape(label)} is newer"
            yield "  how it was made is not recorded"
        else:
            yield "  it is not there, and nobody needs it"
        return
    if account.stamp is None:
        yield "  it is not there (a temporary file, or deleted), and what was made from it is up to date"
    verb = "accepted by --touch" if last.status == "touched" else "made"
    where = f" on {escape(last.host)}" if last.host else ""
    took = f" in {human_time(last.elapsed)}" if last.status == "done" else ""
    because = f", because of: {escape(last.reason)}" if last.reason else ""
    yield f"  {verb} {clock_text(last.ended)} by {escape(label)}{took}{where}{because}"
    yield f"  since then nothing has changed of its {counted(len(last.inputs), 'input')}, its command and its params"


def _finding(finding: Finding, account: Account, color: bool) -> Iterator[str]:
    reason, then, now = finding
    head = escape(reason.cause.value)
    if reason.cause is Cause.PARAMS:
        yield head
        changes = param_changes(reason.old, reason.new)
        yield from (f"  {shorten(escape(line), WIDTH)}" for line in changes[:LINES])
        yield from (f"  {line}" for line in _rest(len(changes)))
    elif reason.cause is Cause.CODE:
        yield head
        yield from (f"  {line}" for line in text_changes(reason.old, reason.new, color))
    elif reason.cause is Cause.INPUTS:
        yield head
        for sign, text in (("-", reason.old), ("+", reason.new)):
            paths = text.split("\n") if text else []
            yield from (f"  {sign} {escape(path)}" for path in paths[:LINES])
            if len(paths) > LINES:
                yield f"  {sign} … {len(paths) - LINES:,} more"
    elif reason.cause is Cause.CHANGED and then is not None:
        yield f"{head}: {escape(reason.subject)} ({_difference(then, now)})"
    elif reason.cause is Cause.NEWER and then is not None and now is not None:
        yield f"newer input: {escape(reason.subject)} ({_state(now)}) is newer than the oldest output"
        yield f"  ({_when(then.mtime_ns)}); nothing is recorded of how that was made"
    elif reason.cause is Cause.MISSING:
        yield f"{head}: {escape(reason.subject)}{_missing(account)}"
    else:
        yield escape(str(reason))


def _missing(account: Account) -> str:
    last = account.last
    if last is None:
        return " (it was never made, as far as is recorded)"
    return f" (made {clock_text(last.ended)}, gone since)"


def _failed(failure: Failure) -> Iterator[str]:
    record, lines = failure
    if record.status == "killed":
        yield f"the last attempt was killed {clock_text(record.ended)}, after {human_time(record.elapsed)}"
        return
    yield f"the last attempt failed {clock_text(record.ended)}: {exit_text(record)}"
    cause = cause_of(record, lines)
    if cause.what and not (record.error and record.exit <= 0):
        yield f"  {escape(cause.what)}"
    for line in lines[-EXCERPT:]:
        yield f"  | {escape(line.expandtabs(4))}"
    if record.log:
        yield f"  log: {escape(record.log)}"


def _difference(then: FileRecord, now: Stamp | None) -> str:
    if now is None:
        return f"it was {human_size(then.size)} of {_when(then.mtime_ns)}, and is gone"
    if now.kind == "d":
        return "a file in it was added, changed or removed"
    sizes = "" if now.size == then.size else f"{human_size(then.size)} → {human_size(now.size)}, "
    content = "of the same size, " if now.size == then.size else ""
    return f"{sizes}{content}{_when(then.mtime_ns)} → {_when(now.mtime_ns)}"


def _state(stamp: Stamp) -> str:
    size = "a folder" if stamp.kind == "d" else human_size(stamp.size)
    return f"{size} of {_when(stamp.mtime_ns)}"


def _when(mtime_ns: int) -> str:
    """Local time with thousandths, as two files are often made within a second."""
    return f"{clock_text(mtime_ns / 1e9)}.{mtime_ns // 1_000_000 % 1000:03d}"


# ── what differs ─────────────────────────────────────────────────────────────────────────────────────────────────


def text_changes(old: str, new: str, color: bool = False) -> list[str]:
    """Lines that differ, `-` before and `+` now; where a line was changed in places, these words below it."""
    before, after = old.strip("\n").split("\n"), new.strip("\n").split("\n")
    if len(before) + len(after) > 2000:  # comparing is quadratic; nobody reads that much
        return [f"{counted(len(before), 'line')} before, {counted(len(after), 'line')} now"]
    lines: list[str] = []
    for what, i, j, k, m in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if what == "equal":
            continue
        for then, now in zip_longest(before[i:j], after[k:m]):
            if then is not None:
                lines.append(paint(shorten(escape(f"- {then}"), WIDTH), "error", color))
            if now is not None:
                lines.append(paint(shorten(escape(f"+ {now}"), WIDTH), "good", color))
            if then is not None and now is not None and (words := _words(then, now)):
                lines.append(f"  {shorten(escape(words), WIDTH)}")
    return lines[:LINES] + _rest(len(lines))


def _words(then: str, now: str) -> str:
    """`-n 10 → -n 20, …`: the words that differ between two lines; "" where hardly any is the same."""
    old, new = (re.findall(r"\s+|\w+|[^\w\s]", line) for line in (then, now))
    if len(old) + len(new) > 2000:
        return ""
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    if matcher.ratio() < 0.4:
        return ""
    changes = [
        ("".join(old[i:j]).strip() or "nothing", "".join(new[k:m]).strip() or "nothing")
        for what, i, j, k, m in matcher.get_opcodes()
        if what != "equal"
    ]
    return ", ".join("blanks only" if a == b else f"{a} → {b}" for a, b in changes)


def _rest(number: int) -> list[str]:
    return [f"… {counted(number - LINES, 'more line')}"] if number > LINES else []


# ── for programs ─────────────────────────────────────────────────────────────────────────────────────────────────


def _object(account: Account, waits: Waits) -> dict[str, object]:
    job, last = account.job, account.last
    return {
        "path": account.path,
        "rule": job.rule.name if job else None,
        "wildcards": job.wildcards if job else {},
        "decision": account.decision.value if job else "source",
        "exists": account.stamp is not None,
        "made": last.ended if last else None,
        "findings": [_finding_object(finding) for finding in account.findings],
        "waits": waits(account),
        "makers": [{**_object(maker, waits), "more": more} for maker, more in account.makers],
        "users": list(account.users),
    }


def _finding_object(finding: Finding) -> dict[str, object]:
    reason, then, now = finding
    shown = _reason_object(reason)
    if then is not None:
        shown |= {"old": {"path": then.path, "size": then.size, "modified": then.mtime_ns / 1e9}}
        shown |= {"new": {"size": now.size, "modified": now.mtime_ns / 1e9} if now else None}
    return shown


def _reason_object(reason: Reason) -> dict[str, object]:
    if reason.cause is Cause.PARAMS:
        changes = changed_params(reason.old, reason.new)
        return {"cause": reason.cause.value, "params": {name: [then, now] for name, then, now in changes}}
    return {"cause": reason.cause.value, "subject": reason.subject, "old": reason.old, "new": reason.new}
