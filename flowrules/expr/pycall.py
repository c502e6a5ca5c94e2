"""Calls of functions of an imported Python module, the one door to Python: plain values in, plain values out."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from types import ModuleType

from flowrules.errors import suggestion
from flowrules.expr.data import Row, Table, clip, items_of, kind_of
from flowrules.expr.site import Site
from flowrules.expr.world import World
from flowrules.model.pattern import Pattern
from flowrules.model.quantity import Quantity
from flowrules.model.values import Flagged

_DEEPEST = 50


def call_python(
    world: World, site: Site, module: str, name: str, positional: list[object], named: Mapping[str, object]
) -> object:
    """What a public function of an imported module returns.

    Raises:
        FlowfileError: there is no such function, it failed, or it returned something else than plain values.
    """
    imported = world.modules.get(module)
    if imported is None:
        raise site.fail("F130", f"the module `{module}` was not imported", "Python is refused by `--no-python`")
    function = public_functions(imported).get(name)
    if function is None:
        hint = (
            suggestion(name, public_functions(imported))
            or "only functions that the module itself defines can be called"
        )
        raise site.fail("F130", f"the module `{module}` has no function `{name}`", hint)
    plain = [_to_python(world, site, value, 0) for value in positional]
    plain_named = {key: _to_python(world, site, value, 0) for key, value in named.items()}
    try:
        result = function(*plain, **plain_named)  # type: ignore[operator]
    except (Exception, SystemExit) as error:
        raise _failed(site, error, getattr(imported, "__file__", None)) from error
    return _from_python(world, site, result, 0)


def public_functions(module: object) -> dict[str, object]:
    """Functions that a module itself defines under a name without a leading underscore."""
    own = getattr(module, "__name__", None)
    return {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_")
        and callable(value)
        and not isinstance(value, ModuleType | type)
        and getattr(value, "__module__", None) == own
    }


def _failed(site: Site, error: BaseException, file: object) -> Exception:
    """The error with the last line of the module that was being executed."""
    where, trace = "", error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            where = f" (line {trace.tb_lineno} of `{str(file).rpartition('/')[2]}`)"
        trace = trace.tb_next
    message = str(error)
    told = f"{type(error).__name__}: {message}" if message else type(error).__name__
    return site.fail("F129", f"`{site.name}` failed: {clip(told, 300)}{where}")


def _to_python(world: World, site: Site, value: object, depth: int) -> object:
    """A value of an expression as Python knows it."""
    world.meter.take(2, site.span)
    if isinstance(value, bool | int | float) or value is None:
        return value
    if isinstance(value, str):
        return str(value)
    if depth > _DEEPEST:
        raise site.fail("F119", "the argument nests too deeply")
    if isinstance(value, Quantity):
        return value.amount
    if isinstance(value, Pattern):
        name = value.names[0]
        raise site.fail("F128", f"`{{{name}}}` is a wildcard without a value here", f"hand over `wildcards.{name}`")
    if isinstance(value, Row):
        return value.as_dict()
    if isinstance(value, Mapping):
        return {key: _to_python(world, site, item, depth + 1) for key, item in value.items()}
    items = value.rows if isinstance(value, Table) else items_of(value)
    if items is None or isinstance(value, Flagged):
        raise site.fail("F108", f"{kind_of(value)} cannot be handed to Python")
    return [_to_python(world, site, item, depth + 1) for item in items]


def _from_python(world: World, site: Site, value: object, depth: int) -> object:
    """A value of Python as expressions know it."""
    world.meter.take(2, site.span)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, str):
        world.meter.text(len(value), site.span, value.isascii())
        return str(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    if depth > _DEEPEST:
        raise site.fail("F119", f"what `{site.name}` returns nests too deeply")
    if isinstance(value, Mapping):
        return {_key(site, key): _from_python(world, site, item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_from_python(world, site, item, depth + 1) for item in value]
    path = getattr(type(value), "__fspath__", None)
    if path is not None:
        return str(path(value))
    kind = type(value).__name__
    hint = "return text, numbers, true or false, null, and lists or dicts of these"
    if isinstance(value, set | frozenset):
        hint = "a set has no order: return `sorted(…)`"
    raise site.fail("F129", f"`{site.name}` returned a value of Python's type `{kind}`", hint)


def _key(site: Site, key: object) -> object:
    if isinstance(key, str | int | float) or key is None:
        return key
    raise site.fail("F129", f"`{site.name}` returned a dict with a key of Python's type `{type(key).__name__}`")
