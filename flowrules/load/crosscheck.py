"""What must hold between rules: one rule for one file, nothing below another's folder, `ruleorder` without circles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from flowrules.errors import Related
from flowrules.load.collect import Collected
from flowrules.load.draft import Draft, near_rule
from flowrules.load.outputs import FilesTable, RuleFiles
from flowrules.load.problems import Problems
from flowrules.model.pattern import Pattern
from flowrules.model.rule import Output
from flowrules.span import Span
from flowrules.syntax import tree

Order = tuple[tuple[str, ...], ...]


def rule_order(found: Collected, problems: Problems) -> Order:
    """The `ruleorder` statements, checked: rules that exist, no rule before itself."""
    order: list[tuple[str, ...]] = []
    after: dict[str, dict[str, Span]] = {}
    for site in found.of(tree.RuleOrder):
        node = site.node
        assert isinstance(node, tree.RuleOrder)
        known = []
        for name in node.names:
            if name.id in found.rules:
                known.append(name)
            elif not found.blind and name.id not in found.lost:
                hint = near_rule(name.id, found.rules)
                problems.error("F215", f"there is no rule `{name.id}`", name.span, hint)
        for better, worse in pairwise(known):
            path = _path(after, worse.id, better.id)
            if path is not None:
                chain = " > ".join(f"`{name}`" for name in [*path, worse.id])
                related = Related("the other order", after[path[0]][path[1]]) if len(path) > 1 else None
                message = f"this contradicts what stands elsewhere: {chain}"
                if better.id == worse.id:
                    message = f"`{better.id}` cannot go before itself"
                problems.error("F215", message, better.span.to(worse.span), None, *([related] if related else []))
            else:
                after.setdefault(better.id, {}).setdefault(worse.id, better.span.to(worse.span))
        if len(known) > 1:
            order.append(tuple(name.id for name in known))
    return tuple(order)


def _path(after: Mapping[str, Mapping[str, Span]], start: str, goal: str) -> list[str] | None:
    """Rules from one to another along what goes before what."""
    stack = [[start]]
    seen = {start}
    while stack:
        path = stack.pop()
        if path[-1] == goal:
            return path
        for name in after.get(path[-1], {}):
            if name not in seen:
                seen.add(name)
                stack.append([*path, name])
    return None


def check_outputs(drafts: Sequence[Draft], table: FilesTable, order: Order, problems: Problems) -> None:
    """Two rules that make one file, and files of one rule below the folder of another."""
    makers: dict[str, tuple[Draft, Output]] = {}
    folders: dict[str, tuple[Draft, Output]] = {}
    before = goes_before(order)
    everything = [(draft, output) for draft in drafts for output in table.of(draft).all()]
    for draft, output in everything:
        if output.flags.directory:
            folders.setdefault(_shape(output.path), (draft, output))
        if not isinstance(output.path, str):
            continue
        other = makers.setdefault(output.path, (draft, output))
        first = other[0].name
        if first != draft.name and draft.name not in before.get(first, ()) and first not in before.get(draft.name, ()):
            message = f"rules `{first}` and `{draft.name}` both make `{output.path}`"
            hint = f"remove one, or say which goes first: `ruleorder {first} > {draft.name}`"
            problems.error("F219", message, output.span, hint, Related(f"rule `{first}` makes it here", other[1].span))
    if not folders:
        return
    for draft, output in everything:
        _check_below(draft, output, folders, problems)


def _check_below(draft: Draft, output: Output, folders: Mapping[str, tuple[Draft, Output]], problems: Problems) -> None:
    shape = _shape(output.path)
    at = shape.rfind("/")
    while at > 0:
        owner = folders.get(shape[:at])
        if owner is not None:
            whose = "its own" if owner[0].name == draft.name else f"rule `{owner[0].name}`'s"
            message = f"`{output.path}` lies in {whose} output folder `{owner[1].path}`"
            hint = "a file below a `directory()` output belongs to the rule that makes the directory"
            problems.error("F220", message, output.span, hint, Related("the folder", owner[1].span))
            return
        at = shape.rfind("/", 0, at)


def goes_before(order: Order) -> dict[str, set[str]]:
    """For each rule all rules it goes before."""
    direct: dict[str, set[str]] = {}
    for names in order:
        for better, worse in pairwise(names):
            direct.setdefault(better, set()).add(worse)
    result: dict[str, set[str]] = {}
    for name in direct:
        seen: set[str] = set()
        stack = list(direct[name])
        while stack:
            other = stack.pop()
            if other not in seen:
                seen.add(other)
                stack.extend(direct.get(other, ()))
        result[name] = seen
    return result


def _shape(path: Pattern | str) -> str:
    """A path with its wildcards nameless, to compare what rules with other names for them make."""
    return path if isinstance(path, str) else "".join(p if isinstance(p, str) else "{}" for p in path.parts)


def wildcard_owners(drafts: Sequence[Draft], table: FilesTable) -> dict[str, str]:
    """Every wildcard of the workflow with the first rule that has it."""
    owners: dict[str, str] = {}
    for draft in drafts:
        files: RuleFiles = table.of(draft)
        for name in files.wildcards:
            owners.setdefault(name, draft.name)
    return owners
