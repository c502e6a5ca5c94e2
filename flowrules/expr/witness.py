"""Writes down what a load and the expressions of a plan learn from the disk and from variables, so that it can be asked
again: where every answer is the same, so is everything that was made of them.

Answers are kept as digests, those of variables too, which may hold secrets.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from hashlib import blake2b

from flowrules.model.files import Stamp
from flowrules.model.pattern import Pattern, Wildcard
from flowrules.ports import FileView

Question = tuple[str, str]
"""What is asked (`stat`, `read`, `below`, `glob`, `digest`, `tree`, `env`), and of what."""

MOST_BYTES = 1 << 28
"""Bytes of the largest file that is read again to see whether it is the same."""


class Witness:
    """A `FileView` that passes questions on to another and notes what was answered.

    Args:
        files: who answers.
        salt: makes digests useless for whoever does not know it.

    Attributes:
        saw: the answers, by question.
    """

    def __init__(self, files: FileView, salt: bytes, saw: dict[Question, str] | None = None) -> None:
        self.files = files
        self.salt = salt
        self.saw: dict[Question, str] = saw if saw is not None else {}

    def over(self, files: FileView) -> Witness:
        """The same notes, of what somebody else answers."""
        return Witness(files, self.salt, self.saw)

    # ── FileView ─────────────────────────────────────────────────────────────────────────────────────────────────

    def stat(self, path: str) -> Stamp | None:
        """What is there; of this expressions see kind and size, never times."""
        stamp = self.files.stat(path)
        self.saw["stat", path] = "" if stamp is None else f"{stamp.kind}{stamp.size}"
        return stamp

    def digest(self, path: str) -> str:
        """See `flowrules.ports.FileView`."""
        answer = self.saw["digest", path] = self.files.digest(path)
        return answer

    def tree_mtime_ns(self, path: str) -> int:
        """See `flowrules.ports.FileView`."""
        answer = self.files.tree_mtime_ns(path)
        self.saw["tree", path] = str(answer)
        return answer

    def read(self, path: str, limit: int) -> bytes:
        """See `flowrules.ports.FileView`."""
        try:
            content = self.files.read(path, limit)
        except OSError as error:
            self.saw["read", path] = f"!{error.errno}"
            raise
        self.saw["read", path] = self._digest(content)
        return content

    def files_below(self, folder: str) -> Iterable[str]:
        """See `flowrules.ports.FileView`."""
        found = list(self.files.files_below(folder))
        self.saw["below", folder] = self._digest_all(found)
        return found

    # ── what is no file ──────────────────────────────────────────────────────────────────────────────────────────

    def globbed(self, pattern: Pattern, found: Sequence[tuple[str, tuple[str, ...]]]) -> None:
        """A `glob` found these files. What else lies in the folders it looked through does not matter."""
        parts = [part if isinstance(part, str) else [part.name, part.constraint] for part in pattern.parts]
        self.saw["glob", json.dumps(parts)] = self._digest_all(path for path, _ in found)

    def asked(self, name: str, value: str | None) -> None:
        """A variable was asked for."""
        self.saw["env", name] = "" if value is None else self._digest(value.encode("utf-8", "surrogateescape"))

    def _digest(self, content: bytes) -> str:
        return blake2b(content, digest_size=16, key=self.salt).hexdigest()

    def _digest_all(self, texts: Iterable[str]) -> str:
        return self._digest("\0".join(texts).encode("utf-8", "surrogatepass"))


class Variables(Mapping[str, str]):
    """Environment variables that are noted when they are asked for.

    Args:
        environ: the variables.
        witness: who notes it.
    """

    def __init__(self, environ: Mapping[str, str], witness: Witness) -> None:
        self._environ = environ
        self._witness = witness

    def __getitem__(self, name: str) -> str:
        value = self._environ.get(name)
        self._witness.asked(name, value)
        if value is None:
            raise KeyError(name)
        return value

    def __iter__(self) -> Iterator[str]:
        for name in self._environ:
            self[name]
            yield name

    def __len__(self) -> int:
        return len(list(iter(self)))


def same_answers(
    saw: Iterable[tuple[Question, str]],
    files: FileView,
    salt: bytes,
    environ: Mapping[str, str],
    glob: Callable[[FileView, Pattern], object],
) -> bool:
    """Whether every question is answered today as it was then.

    Args:
        glob: `flowrules.expr.paths.glob_files`.
    """
    now = Witness(files, salt)
    variables = Variables(environ, now)
    for question, answer in saw:
        kind, subject = question
        if kind == "stat":
            now.stat(subject)
        elif kind == "read":
            with suppress(OSError):
                now.read(subject, MOST_BYTES)
        elif kind == "below":
            now.files_below(subject)
        elif kind == "glob":
            parts = json.loads(subject)
            glob(now, Pattern(tuple(part if isinstance(part, str) else Wildcard(*part) for part in parts)))
        elif kind == "digest":
            now.digest(subject)
        elif kind == "tree":
            now.tree_mtime_ns(subject)
        elif kind == "env":
            variables.get(subject)
        if now.saw.get(question) != answer:
            return False
    return True
