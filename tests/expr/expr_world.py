"""Evaluates expressions in tests: a Flowfile's constants and functions, a configuration, and files that are a dict."""

from __future__ import annotations

from flowrules.errors import FlowfileError
from flowrules.expr.compile import compile_expression, compile_function
from flowrules.expr.scope import Scope
from flowrules.expr.world import Meter, World
from flowrules.model.pattern import Matcher, Pattern
from flowrules.model.rule import JOB_NAMES
from flowrules.model.values import Unknown
from flowrules.span import Source
from flowrules.syntax import tree
from flowrules.syntax.reader import parse_expression, read_module


class Files:
    """A reader whose files are texts by path; those in ``waits`` are yet to be made by a checkpoint."""

    def __init__(self, texts=None, waits=()):
        self.texts = texts or {}
        self.waits = frozenset(waits)

    def _unknown(self, path):
        return Unknown(frozenset({path})) if path in self.waits else None

    def read(self, path):
        if path not in self.texts and path not in self.waits:
            raise FileNotFoundError(2, "No such file or directory", path)
        text = self.texts.get(path, "")
        return self._unknown(path) or (text if isinstance(text, bytes) else text.encode())

    def exists(self, path):
        return self._unknown(path) or path in self.texts

    def size(self, path):
        return self._unknown(path) or len(self.read(path))

    def glob(self, pattern):
        if isinstance(pattern, str):
            return [(pattern, ())] if pattern in self.texts else []
        if pattern.prefix.rpartition("/")[0] in self.waits:
            return Unknown(frozenset({pattern.prefix.rpartition("/")[0]}))
        matcher = Matcher(pattern, pattern.names)
        found = ((path, matcher.match(path)) for path in sorted(self.texts))
        return [(path, values) for path, values in found if values is not None]


class Bench:
    """A Flowfile's constants and functions, against which expressions are tried."""

    def __init__(self, flowfile="", *, config=None, files=None, waits=(), modules=None, env=None, budget=None, **scope):
        module, problems = read_module(Source("Flowfile", flowfile))
        assert not problems, problems
        self.lets = {s.name: s.value for s in module.statements if isinstance(s, tree.Let)}
        functions = {}
        for statement in module.statements:
            if isinstance(statement, tree.LetFunction):
                functions[statement.name] = compile_function(
                    statement, Scope(lets=self.lets, functions=dict(functions))
                )
        names = {name: None for name in modules or {}}
        self.scope = Scope(lets=self.lets, functions=functions, modules=scope.pop("known", names), **scope)
        let_scope = Scope(lets=self.lets, functions=functions, modules=names)
        compiled = _Lazily(self.lets, let_scope)
        self._make = lambda meter: World(Files(files, waits), compiled, config, meter=meter, modules=modules, env=env)
        self.renew(budget)

    def renew(self, budget=None):
        """A world in which nothing was evaluated yet."""
        self.world = self._make(Meter(budget) if budget is not None else None)

    def compile(self, text, name="test"):
        source = Source(name, text)
        return compile_expression(parse_expression(source, 0, len(text)), self.scope)

    def value(self, text, job=None):
        return self.compile(text)(self.world, job or {})

    def mistakes(self, text, job=None):
        """`column: code message [hint]` of everything that is wrong."""
        try:
            value = self.value(text, job)
        except FlowfileError as error:
            return [told(d) for d in error.diagnostics]
        raise AssertionError(f"{text} is {value!r}")


class _Lazily(dict):
    def __init__(self, trees, scope):
        super().__init__()
        self.trees, self.scope = trees, scope

    def __missing__(self, name):
        self[name] = compile_expression(self.trees[name], self.scope)
        return self[name]


def told(d):
    hint = f" [{d.hint}]" if d.hint else ""
    return f"{d.span.column}: {d.code} {d.message}{hint}"


def value(text, flowfile="", job=None, **world):
    """The value of an expression in a small world."""
    return Bench(flowfile, **world).value(text, job)


def mistakes(text, flowfile="", job=None, **world):
    """What is said about an expression that is wrong."""
    return Bench(flowfile, **world).mistakes(text, job)


def in_rule(*wildcards, **world):
    """Keyword arguments for an expression in `input` of a rule with these wildcards."""
    return {"wildcards": frozenset(wildcards), "job_names": frozenset({"wildcards"}), "place": "input", **world}


JOB = JOB_NAMES


def pattern_text(value):
    """A pattern or list of patterns as text."""
    return str(value) if isinstance(value, str | Pattern) else [pattern_text(v) for v in value]
