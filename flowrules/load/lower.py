"""A Flowfile and all it names, read and checked: the entry of this package.

In this order: statements of all files that need no value; the configuration; the branches and includes that need
values; what every rule makes; everything else of the rules; what must hold between rules.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass

from flowrules.errors import Diagnostic, FlowfileError, Related
from flowrules.expr.world import World
from flowrules.load.actions import Actions
from flowrules.load.collect import Collected, Collector, Site
from flowrules.load.configure import Configurer
from flowrules.load.constraints import Constraints, read_constraints
from flowrules.load.crosscheck import check_outputs, rule_order, wildcard_owners
from flowrules.load.draft import Draft, draft_of
from flowrules.load.files import Files, LoadReader
from flowrules.load.makers import Makers, RuleAwareReader
from flowrules.load.names import Names
from flowrules.load.options import LoadOptions
from flowrules.load.outputs import FilesTable
from flowrules.load.problems import Problems
from flowrules.load.rules import RuleMaker
from flowrules.load.shellnames import ShellScope
from flowrules.load.statements import Branches, Statements
from flowrules.model.workflow import Workflow
from flowrules.ports import FileView
from flowrules.span import Span
from flowrules.syntax import tree

DEFAULT_OPTIONS = LoadOptions()


@dataclass(frozen=True, slots=True)
class Loaded:
    """A workflow with the text it came from, for what looks at how it is written.

    Attributes:
        drafts: the rules as written, in the order of ``workflow.rules``.
    """

    workflow: Workflow
    found: Collected
    drafts: tuple[Draft, ...]


def load_workflow(flowfile: str, disk: FileView, options: LoadOptions = DEFAULT_OPTIONS) -> Workflow:
    """Read a Flowfile.

    Args:
        flowfile: its path, relative to the working directory (or absolute).
        disk: answers for files; paths are relative to the working directory.

    Raises:
        FlowfileError: all independent mistakes, sorted by file and place.
    """
    return load_with_text(flowfile, disk, options).workflow


def load_with_text(flowfile: str, disk: FileView, options: LoadOptions = DEFAULT_OPTIONS) -> Loaded:
    """Read a Flowfile and keep how it is written; as `load_workflow` else."""
    problems = Problems()
    load = _Load(flowfile, disk, options, problems)
    ends: tuple[Diagnostic, ...] = ()
    try:
        workflow = load.run()
    except FlowfileError as error:  # what ends a load at once: no Flowfile, a budget that is spent, too many mistakes
        workflow, ends = None, error.diagnostics
    if workflow is None or len(problems):
        raise FlowfileError(dict.fromkeys([*problems.all(load.opened), *ends]))
    return Loaded(workflow, load.found, load.drafts)


class _Load:
    """One load, step by step."""

    def __init__(self, flowfile: str, disk: FileView, options: LoadOptions, problems: Problems) -> None:
        self._flowfile = posixpath.normpath(flowfile)
        self._options = options
        self._problems = problems
        self._files = Files(disk)
        self._configurer = Configurer(self._files, problems)
        self._collector = Collector(self._files, problems, self._configurer.add, self._import)
        self.found = self._found = self._collector.found
        self.drafts: tuple[Draft, ...] = ()
        self._names = Names(self._found, problems)
        self._statements = Statements(self._names, problems, self._files, options)
        self._disk = disk
        self._modules: dict[str, object] = {}

    @property
    def opened(self) -> tuple[str, ...]:
        """Every file that was read, in order."""
        return tuple(self._files.opened)

    def run(self) -> Workflow | None:
        """The workflow; None where there are mistakes, which are kept."""
        source = self._files.source(self._flowfile, None, "Flowfile", "F208")
        self._collector.start(self._flowfile, source)
        self._statements.min_version(self._found)
        config = self._configurer.finish(self._options)
        env = None if self._options.untrusted else self._options.environ
        world = self._world(config, env)
        self._names.world = world
        branches = Branches(self._names, self._problems)
        self._collector.settle(branches.choose, branches.include_path)
        drafts = self._drafts()
        self.drafts = tuple(drafts)
        table = FilesTable({d.name: d for d in drafts}, self._names, self._problems, self._shared_constraints())
        self._names.resolver = table
        order = rule_order(self._found, self._problems)
        for draft in drafts:
            table.of(draft)
        check_outputs(drafts, table, order, self._problems)
        lets = self._names.compile_all()
        makers = Makers(drafts, table)
        reader = RuleAwareReader(self._disk, makers)
        later = World(reader, self._names.lets, config, meter=world.meter, modules=self._modules, env=env)
        owners = wildcard_owners(drafts, table)
        shell = ShellScope(later, lambda: self._world(config, env), frozenset(self._found.lets), owners)
        maker = RuleMaker(self._names, self._problems, Actions(self._names, self._problems, self._files, shell), later)
        rules = [rule for draft in drafts if (rule := maker.rule(draft, table.of(draft))) is not None]
        hooks = self._statements.hooks(self._found, maker.actions, shell)
        envvars = self._statements.envvars(self._found)
        self._check_reads(world, drafts, makers)
        default = self._default(drafts, maker.defaults)
        self._problems.add(*world.warnings, *later.warnings)
        if len(self._problems):
            return None
        assert len(rules) == len(drafts), "a rule vanished without a word"
        shell.loaded = True
        return Workflow(
            rules=tuple(rules),
            default=default,
            files=self.opened,
            lets=lets,
            globals=self._modules,
            env=env,
            config=config,
            order=order,
            envvars=envvars,
            hooks=hooks,
            load_reads=dict(world.reads),
            warnings=self._problems.all(self.opened),
        )

    def _world(self, config: Mapping[str, object], env: Mapping[str, str] | None) -> World:
        return World(LoadReader(self._disk), self._names.lets, config, modules=self._modules, env=env)

    def _import(self, site: Site) -> None:
        module = self._statements.imported(site)
        node = site.node
        assert isinstance(node, tree.Import)
        if module is None:
            self._names.modules[node.name] = None
            self._found.lost.add(node.name)
        else:
            self._modules[node.name] = module
            self._names.modules[node.name] = frozenset(self._statements.functions_of(module))

    def _drafts(self) -> list[Draft]:
        sites = self._found.in_order(self._found.rules.values())
        return [draft_of(site, i, self._problems) for i, site in enumerate(sites)]

    def _shared_constraints(self) -> Constraints:
        """Constraints of all `wildcards:` statements."""
        shared = Constraints()
        seen: dict[str, Span] = {}
        for site in self._found.of(tree.Wildcards):
            assert isinstance(site.node, tree.Wildcards)
            for item in site.node.items:
                if item.name in seen and item.name_span is not None:
                    related = Related("first given here", seen[item.name])
                    message = f"the constraint of `{item.name}` is given twice"
                    self._problems.error("F205", message, item.name_span, None, related)
                elif item.name is not None and item.name_span is not None:
                    seen[item.name] = item.name_span
            shared = shared.under(read_constraints(site.node.items, site.origin, self._names, self._problems))
        return shared

    def _check_reads(self, world: World, drafts: list[Draft], makers: Makers) -> None:
        """Files that were read at load may be made by no rule."""
        places = {draft.name: draft.place("output") for draft in drafts}
        for path, span in world.reads.items():
            for rule in makers.of(path)[:1]:
                self._problems.withdraw("F123", f"`{path}` cannot be read")
                message = f"`{path}` is read while the Flowfile is loaded, but rule `{rule.name}` makes it"
                hint = "rules, branches, outputs and constraints are settled before any job runs"
                related = Related(f"rule `{rule.name}` makes it here", places[rule.name])
                self._problems.error("F232", message, span, hint, related)

    def _default(self, drafts: list[Draft], chosen: list[Draft]) -> str | None:
        for draft in chosen[1:]:
            related = Related(f"rule `{chosen[0].name}` is, too", chosen[0].place("default"))
            self._problems.error("F230", "only one rule can be the default", draft.place("default"), None, related)
        own = [draft for draft in drafts if not draft.origin.included]
        first = (*chosen, *own, *drafts)
        return first[0].name if first else None
