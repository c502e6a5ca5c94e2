"""Functions that read: `lines json yaml table exists size glob`. All go through the world's reader.

Their first argument has been made a path before they are called (`special.compile_reader`), the wildcards of the
rule filled in.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from flowrules.errors import Diagnostic, FlowfileError
from flowrules.expr.data import GlobPaths, clip, is_list, items_of
from flowrules.expr.site import Builtin, Site
from flowrules.expr.tables import read_table, separator_of
from flowrules.expr.world import BudgetSpent, World
from flowrules.expr.yaml12 import load_yaml
from flowrules.model.pattern import Pattern, normalize
from flowrules.model.quantity import Quantity
from flowrules.model.values import Unknown

T = TypeVar("T")

LONGEST_PATH: Final = 4096
"""Longer names no operating system takes."""


def asked_path(world: World, site: Site, value: object) -> str:
    """A path to read, normalized and remembered as read."""
    path = site.text(value)
    if not path or len(path) > LONGEST_PATH or "\0" in path:
        what = (
            "empty text" if not path else "text with a NUL in it" if "\0" in path else f"text of {len(path)} characters"
        )
        raise site.fail("F127", f"{what} is no path", None, 0)
    path = normalize(path)
    world.reads.setdefault(path, site.span)
    return path


def _ask(world: World, site: Site, path: str, question: Callable[[str], T]) -> T:
    """An answer of the reader; what goes wrong is told at the place of the call."""
    world.meter.take(20, site.span)
    try:
        return question(path)
    except FlowfileError as error:
        if isinstance(error, BudgetSpent):
            raise
        raise FlowfileError(_placed(d, site) for d in error.diagnostics) from None
    except TimeoutError:
        cause = "nested repetition such as `(a+)+` is the usual cause"
        raise site.fail("F122", "a constraint of the pattern takes too long to match", cause) from None
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        hint = (
            f'where it may lack: `… if exists("{clip(path, 30)}") else null`'
            if isinstance(error, FileNotFoundError)
            else None
        )
        raise site.fail("F123", f"`{clip(path)}` cannot be read: {reason[:1].lower() + reason[1:]}", hint) from None


def _placed(d: Diagnostic, site: Site) -> Diagnostic:
    if d.span is not None:
        return d
    return Diagnostic(d.code, d.message, site.span, d.hint, d.related, d.chain, d.severity)


def _text(world: World, site: Site, value: object) -> tuple[str, str] | Unknown:
    """Path and content of a file."""
    path = asked_path(world, site, value)
    data = _ask(world, site, path, world.reader.read)
    if isinstance(data, Unknown):
        return data
    world.meter.text(len(data), site.span, data.isascii())
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise site.fail("F124", f"`{clip(path)}` is no text in UTF-8 (byte {error.start})") from None
    return path, text


def _lines(world: World, site: Site, path: object) -> object:
    """Lines without their ends; blank ones at the end of the file are none."""
    found = _text(world, site, path)
    if isinstance(found, Unknown):
        return found
    text = found[1].replace("\r\n", "\n").rstrip("\n\r")
    world.meter.take(8 * (text.count("\n") + 1), site.span)
    return list(text.split("\n")) if text else []


def _json(world: World, site: Site, path: object) -> object:
    found = _text(world, site, path)
    if isinstance(found, Unknown):
        return found
    name, text = found
    _pay_for_structure(world, site, text)
    try:
        return json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        message = f"`{clip(name)}` is no valid JSON: line {error.lineno}, column {error.colno}: {error.msg}"
        raise site.fail("F124", message) from None
    except RecursionError:
        raise site.fail("F124", f"`{clip(name)}` nests too deeply") from None
    except ValueError as error:
        raise site.fail("F124", f"`{clip(name)}` is no valid JSON: {error}") from None


def _no_constant(name: str) -> object:
    raise ValueError(f"`{name}` is no JSON number")


def _yaml(world: World, site: Site, path: object) -> object:
    found = _text(world, site, path)
    if isinstance(found, Unknown):
        return found
    name, text = found
    _pay_for_structure(world, site, text)
    world.meter.take(len(text) >> 2, site.span)
    return load_yaml(text, name)


def _pay_for_structure(world: World, site: Site, text: str) -> None:
    """Small elements take more memory than their text; commas, colons and brackets tell how many there are."""
    world.meter.take(6 * sum(map(text.count, ",[{:\n")), site.span)


def _table(world: World, site: Site, path: object, sep: object = None) -> object:
    found = _text(world, site, path)
    if isinstance(found, Unknown):
        return found
    name, text = found
    return read_table(world, site, name, text, separator_of(site, name, sep))


def _exists(world: World, site: Site, path: object) -> object:
    return _ask(world, site, asked_path(world, site, path), world.reader.exists)


def _size(world: World, site: Site, files: object) -> object:
    """Bytes of a file, of all files below a folder, or of a list of these."""
    paths = items_of(files) if is_list(files) else None
    total, waits = 0, None
    for path in paths if paths is not None else [files]:
        if isinstance(path, Unknown):
            waits = path if waits is None else waits | path
            continue
        size = _ask(world, site, asked_path(world, site, path), world.reader.size)
        if isinstance(size, Unknown):
            waits = size if waits is None else waits | size
        else:
            total += size
    return waits if waits is not None else Quantity(total, "bytes")


def _glob(world: World, site: Site, pattern: object) -> object:
    """Files that exist, sorted, with the values of each wildcard."""
    wanted = _glob_pattern(world, site, pattern)
    found = _ask(world, site, str(wanted), lambda path: world.reader.glob(wanted))
    if isinstance(found, Unknown):
        return found
    names = wanted.names if isinstance(wanted, Pattern) else ()
    world.meter.take(len(found) * (8 + 8 * len(names)), site.span)
    if not found:
        hint = "the warning goes away where `exists` guards it, or where files are there"
        world.warn(Diagnostic("W101", f"no file matches `{clip(str(wanted))}`", site.span, hint, severity="warning"))
    columns: dict[str, list[object]] = {name: [values[i] for _, values in found] for i, name in enumerate(names)}
    return GlobPaths([path for path, _ in found], columns)


def _glob_pattern(world: World, site: Site, pattern: object) -> Pattern | str:
    if isinstance(pattern, Pattern):
        world.reads.setdefault(str(pattern), site.span)
        return pattern.normalized()
    path = asked_path(world, site, pattern)
    if "*" in path:
        better = path.replace("**", "*").replace("*", "{x}", 1).replace("*", "{y}", 1)
        raise site.fail("F108", "`glob` takes wildcards with names, not `*`", f'write `glob("{clip(better)}")`', 0)
    return path


READERS: Final[Mapping[str, Builtin]] = {
    "lines": Builtin(_lines, 'lines("path")', ("path",), 1),
    "json": Builtin(_json, 'json("path")', ("path",), 1),
    "yaml": Builtin(_yaml, 'yaml("path")', ("path",), 1),
    "table": Builtin(_table, 'table("path.csv")', ("path", "sep"), 1),
    "exists": Builtin(_exists, 'exists("path")', ("path",), 1),
    "size": Builtin(_size, 'size("path")', ("files",), 1, waits="whole"),
    "glob": Builtin(_glob, 'glob("data/{x}.csv")', ("pattern",), 1),
}
