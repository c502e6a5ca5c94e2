"""Statements other than rules, constants and configuration: branches, imports, versions, variables, hooks."""

from __future__ import annotations

import re
from collections.abc import Collection

from flowrules.errors import suggestion
from flowrules.expr.comparing import truth
from flowrules.expr.data import kind_of
from flowrules.expr.pycall import public_functions
from flowrules.expr.shell import parse_shell
from flowrules.load.actions import Actions
from flowrules.load.collect import Collected, Origin, Site
from flowrules.load.files import Files, beside
from flowrules.load.names import Names
from flowrules.load.options import LoadOptions
from flowrules.load.problems import Problems
from flowrules.load.shellnames import ShellScope
from flowrules.model.values import Unknown
from flowrules.model.workflow import Hook
from flowrules.syntax import tree
from flowrules.syntax.strings import decode
from flowrules.version import __version__

EVENTS = ("start", "success", "error")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Branches:
    """Decides `if`s and computes the paths of includes."""

    def __init__(self, names: Names, problems: Problems) -> None:
        self._names = names
        self._problems = problems

    def choose(self, node: tree.If, origin: Origin) -> tuple[tree.Statement, ...] | None:
        """The statements of the first branch whose test is true; None where a test has no value."""
        for test, statements in node.branches:
            if test is None:
                return statements
            with self._names.kept():
                true = truth(self._names.value(test, self._names.scope(origin, "if")))
                if isinstance(true, Unknown):
                    return None
                if true:
                    return statements
                continue
            return None
        return ()

    def include_path(self, node: tree.Include, origin: Origin) -> str | None:
        """The path of an include that holds placeholders; None where it has no value."""
        with self._names.kept():
            value = self._names.value(node.path, self._names.scope(origin, "include"))
            if isinstance(value, str):
                return value
            message = f"the path of an include is text, not {kind_of(value)}"
            self._problems.error("F232", message, node.path.span, "only constants and `config` are filled in")
        return None


class Statements:
    """Reads statements that define no names for expressions, and `import`."""

    def __init__(self, names: Names, problems: Problems, files: Files, options: LoadOptions) -> None:
        self._names = names
        self._problems = problems
        self._files = files
        self._options = options

    def imported(self, site: Site) -> object | None:
        """The module of an `import`; None where it is refused or fails, which is told."""
        node = site.node
        assert isinstance(node, tree.Import)
        path, span = beside(decode(node.path).value, site.origin.folder), node.path.span
        if self._options.no_python or self._options.untrusted:
            option = "--untrusted" if self._options.untrusted else "--no-python"
            self._problems.error("F212", f"`import` is refused by `{option}`", node.span)
            return None
        if not path.endswith(".py"):
            hint = 'write `import "helpers.py" as h`; a package is imported inside that file'
            self._problems.error("F212", "`import` takes a Python file", span, hint)
            return None
        if not self._files.is_file(path):
            self._problems.error("F208", f"there is no Python file `{path}`", span, self._files.near(path))
            return None
        if self._options.import_module is None:
            self._problems.error("F212", "Python files cannot be imported here", span)
            return None
        try:
            return self._options.import_module(path)
        except (Exception, SystemExit) as error:
            line = _line_of(error, path)
            where = f" (line {line} of `{path}`)" if line else ""
            text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            self._problems.error("F212", f"`{path}` cannot be imported: {text}{where}", span)
            return None

    def functions_of(self, module: object) -> Collection[str]:
        """Names of the functions of an imported module that expressions may call."""
        return public_functions(module)

    def min_version(self, found: Collected) -> None:
        """Refuse to go on where a Flowfile asks for a newer program."""
        for site in found.of(tree.MinVersion):
            node = site.node
            assert isinstance(node, tree.MinVersion)
            wanted = decode(node.version).value.strip()
            if not re.fullmatch(r"\d{1,6}(\.\d{1,6}){0,3}", wanted):
                hint = 'write `min_version "1.0"`'
                self._problems.error("F210", f"`{wanted}` is no version", node.version.span, hint)
            elif _numbers(wanted) > _numbers(__version__):
                message = f"this Flowfile asks for flowrules {wanted} or newer, this is {__version__}"
                hint = "upgrade it: `pip install --upgrade flowrules`"
                self._problems.error("F210", message, node.version.span, hint)

    def envvars(self, found: Collected) -> tuple[str, ...]:
        """Names of the variables that must be set, each once; those that are not set are told."""
        names: dict[str, None] = {}
        for site in found.of(tree.EnvVars):
            assert isinstance(site.node, tree.EnvVars)
            for node in site.node.names:
                name = decode(node).value
                if not _VARIABLE.fullmatch(name):
                    message = f"`{name}` is no name of an environment variable"
                    self._problems.error("F211", message, node.span)
                elif name not in self._options.environ and name not in names:
                    hint = f"set it before: `export {name}=…`"
                    self._problems.error("F211", f"the environment variable `{name}` is not set", node.span, hint)
                names[name] = None
        return tuple(names)

    def hooks(self, found: Collected, actions: Actions, shell: ShellScope) -> tuple[Hook, ...]:
        """The texts that the driver runs once."""
        hooks = []
        for site in found.of(tree.On):
            node = site.node
            assert isinstance(node, tree.On)
            event = node.event.id
            if event not in EVENTS:
                hint = suggestion(event, EVENTS) or "known are `start`, `success` and `error`"
                self._problems.error("F234", f"`on` knows no `{event}`", node.event.span, hint)
                continue
            if len(node.items) != 1 or node.items[0].name is not None or node.items[0].star:
                self._problems.error("F223", f"`on {event}` takes one shell text", node.span)
                continue
            source = actions.joined(node.items[0].value, f"on {event}")
            if source is None:
                continue
            with self._names.kept():
                template, noticed = parse_shell(source, shell.of_hook(site.origin, node))
                self._problems.add(*(d for d in noticed if not self._names.follows(d)))
                hooks.append(Hook(event, template))
        return tuple(hooks)


def _numbers(version: str) -> tuple[int, ...]:
    numbers = [int(part) for part in re.findall(r"\d+", version)[:4]]
    return tuple(numbers + [0] * (4 - len(numbers)))


def _line_of(error: BaseException, path: str) -> int | None:
    """The last line of a file that was being executed when an error was raised."""
    line = getattr(error, "lineno", None) if isinstance(error, SyntaxError) else None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename.endswith(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
