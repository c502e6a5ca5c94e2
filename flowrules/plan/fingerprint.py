"""What a change of a job is judged by: its command as written, its params, its environment."""

from __future__ import annotations

import json
from hashlib import blake2b

from flowrules.errors import FlowfileError
from flowrules.model.job import Job
from flowrules.model.rule import Rule, ShellAction
from flowrules.plan.command import Commands
from flowrules.ports import FileView

UNKNOWN = "?"
"""What depends on files that are not there (yet), so it can be compared with nothing."""

LARGEST_SCRIPT = 16 << 20
"""Bytes of a script beyond which only its digest is kept."""


class Fingerprints:
    """Digests of commands, once per rule, and params, once per job."""

    def __init__(self, files: FileView, commands: Commands) -> None:
        self._files = files
        self._commands = commands
        self._codes: dict[int, tuple[str, str]] = {}

    def code(self, rule: Rule) -> str:
        """Digest of a rule's command as written; "" for a rule without action, UNKNOWN before a checkpoint has run."""
        return self._code(rule)[0]

    def code_text(self, rule: Rule) -> str:
        """The text the digest was made of, for the record."""
        return self._code(rule)[1]

    def _code(self, rule: Rule) -> tuple[str, str]:
        known = self._codes.get(rule.index)
        if known is None:
            text = self._text(rule)
            known = (digest_of(text) if text not in ("", UNKNOWN) else text, text)
            self._codes[rule.index] = known
        return known

    def _text(self, rule: Rule) -> str:
        action = rule.action
        if action is None:
            return ""
        if action.kind == "shell":
            return self._shell(rule, action)
        if action.kind == "run":
            return f"run\n{action.code}"
        if action.kind == "call":
            target = f"call {action.function}\n"
            return target + (self._content(action.path) if action.path is not None else action.module or "")
        return f"{action.kind}\n{self._content(action.path)}"

    def _shell(self, rule: Rule, action: ShellAction) -> str:
        """The text of a command, and the values of constants in it that had none when it was loaded."""
        try:
            constants = self._commands.constants(action.template.awaits, rule.span)
        except FlowfileError:
            return UNKNOWN
        values = [f"\n{name} = {_json(value)}" for name, value in constants.items()]
        return f"shell\n{action.code}{''.join(values)}"

    def _content(self, path: str) -> str:
        try:
            return self._files.read(path, LARGEST_SCRIPT).decode("utf-8", "replace")
        except OSError:
            return self._files.digest(path)

    def params(self, job: Job) -> str:
        """A job's params as canonical JSON, at its first attempt and with the threads it declares."""
        if not job.rule.params:
            return ""
        try:
            params = self._commands.params(job)
        except FlowfileError:
            return UNKNOWN  # they need the size of an input that is not there yet; told when the job starts
        return _json(params)

    def environment(self, rule: Rule) -> str:
        """Digest of the software environment a rule declares; "" where it declares none."""
        return ""


def digest_of(text: str) -> str:
    """A digest of 32 hexadecimal digits."""
    return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def _json(value: object) -> str:
    """A value as canonical JSON."""
    return json.dumps(plain(value), sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def plain(value: object) -> object:
    """A value of the language as JSON can write it."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if hasattr(value, "document"):
        return value.document()
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return str(value)
