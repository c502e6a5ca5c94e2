"""Whole Flowfiles: includes, branches, names, configuration, and mistakes that are told once."""

import pytest
from loading import files_of, load, module, rule, told

from flowrules.errors import FlowfileError
from flowrules.expr.world import World
from flowrules.load.files import LoadReader
from flowrules.testing import FakeFiles

A = rule("a", 'output: "a.txt"')


def names(workflow) -> list[str]:
    return [r.name for r in workflow.rules]


# ── includes ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_rules_stand_in_the_order_of_the_text_and_an_included_one_is_no_default():
    text = 'include "r/b.flow"\n' + A + 'include "r/c.flow"\n'
    workflow = load(text, {"r/b.flow": rule("b", 'output: "b"'), "r/c.flow": rule("c", 'output: "c"')})
    assert names(workflow) == ["b", "a", "c"]
    assert [r.index for r in workflow.rules] == [0, 1, 2]
    assert workflow.default == "a"
    assert workflow.files == ("Flowfile", "r/b.flow", "r/c.flow")


def test_where_all_rules_are_included_the_first_is_the_default():
    assert load('include "b.flow"\n', {"b.flow": A}).default == "a"


def test_the_rule_that_says_so_is_the_default():
    assert load(A + rule("b", 'output: "b"', "default: true")).default == "b"
    assert load(A + rule("b", 'output: "b"', "default: 1 > 2")).default == "a"


def test_included_names_are_known_everywhere():
    inner = 'let B = A + "b"\nlet f(x) = [x, B]\n'
    workflow = load('include "i.flow"\nlet A = "a"\n' + rule("r", "output: f(A)"), {"i.flow": inner})
    assert files_of(workflow.rules[0]) == ["a", "ab"]


def test_paths_of_includes_may_hold_constants_that_stand_below():
    text = 'include "{KIND}.flow"\nlet KIND = config.kind\nconfig "c.yaml"\n'
    assert names(load(text, {"c.yaml": "kind: x\n", "x.flow": A})) == ["a"]


def test_a_circle_of_includes_is_shown():
    files = {"b.flow": 'include "c.flow"\n', "c.flow": 'include "b.flow"\n'}
    (message,) = told('include "b.flow"\n', files)
    assert message == (
        "c.flow:1:9 F209 this include leads back to a file that is being included: `b.flow` → `c.flow` → `b.flow`"
    )


def test_a_file_included_twice_or_that_does_not_exist():
    messages = told('include "b.flow"\ninclude "./b.flow"\ninclude "n.flow"\ninclude "Flowfile"\n', {"b.flow": A})
    assert [m.split(" ", 2)[1] for m in messages] == ["F209", "F208", "F209"]


# ── branches ─────────────────────────────────────────────────────────────────────────────────────────────────────

BRANCHES = """\
config "c.yaml"
if config.kind == "x":
    let OUT = "x"
elif config.kind == "y":
    let OUT = "y"
    include "y.flow"
else:
    let OUT = "z"
    rule z:
        output: "z.txt"
        shell: "touch {output}"
rule a:
    output: "{OUT}/a"
    shell: "touch {output}"
"""


@pytest.mark.parametrize(
    ("kind", "rules", "out"), [("x", ["a"], "x/a"), ("y", ["b", "a"], "y/a"), ("q", ["z", "a"], "z/a")]
)
def test_only_the_branch_taken_counts(kind, rules, out):
    workflow = load(BRANCHES, {"c.yaml": f"kind: {kind}\n", "y.flow": rule("b", 'output: "b"')})
    assert names(workflow) == rules
    assert files_of(workflow.rules[-1]) == [out]


def test_mistakes_in_layout_show_in_branches_not_taken():
    assert "F015" in told("if false:\n    rule x\n        output: 'a'\n" + A)[0]


def test_names_in_branches_not_taken_do_not_exist():
    (message,) = told("if false:\n    let X = 1\n" + rule("r", 'output: "r"', "threads: X"))
    assert "F101 unknown name `X`" in message


def test_a_branch_may_depend_on_another():
    text = "if true:\n    let X = 1\nif X == 1:\n    let Y = 2\n" + rule("r", 'output: "{Y}.txt"')
    assert files_of(load(text).rules[0]) == ["2.txt"]


def test_config_cannot_depend_on_a_value():
    assert "F411" in told('if true:\n    config "c.yaml"\n', {"c.yaml": "a: 1\n"})[0]


# ── names ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("let A = 1\nlet A = 2\n", "2:5 F205 the name `A` is defined twice"),
        ("let f(x) = x\nlet f(x) = x\n", "2:5 F205 the name `f` is defined twice"),
        ("let a = 1\n", "1:5 F206 the constant `a` is not in capitals"),
        ("let F(x) = x\n", "1:5 F206 names of functions are not in capitals"),
        ("let f(X) = 1\n", "1:7 F206 the argument `X` is in capitals"),
        ("let HERE = 1\n", "1:5 F207 `HERE` is the folder of the Flowfile and cannot be defined"),
        ("let f(x) = g(x)\nlet g(x) = x\n", "1:12 F107 `g` is defined further below"),
        ("let f(x) = f(x)\n", "1:12 F107 `f` is defined further below"),
        ("ruleorder a > b\n", "1:15 F215 there is no rule `b`"),
        ("ruleorder a > a\n", "1:11 F215 `a` cannot go before itself"),
    ],
)
def test_mistakes_in_names(text, expected):
    messages = told(text + A)
    assert "Flowfile:" + expected in messages


def test_constants_in_a_circle_are_shown():
    (message,) = told("let X = Y\nlet Y = X\n" + rule("r", 'output: "{X}"'))
    assert "F126 `X` needs itself: `X` → `Y` → `X`" in message


def test_a_rule_defined_twice():
    (message,) = told(A + A)
    assert "F205 the rule `a` is defined twice" in message


def test_orders_that_contradict_each_other():
    rules = "".join(rule(n, f'output: "{n}"') for n in "abc")
    (message,) = told("ruleorder a > b\nruleorder b > c > a\n" + rules)
    assert "F215 this contradicts what stands elsewhere: `a` > `b` > `c` > `a`" in message


def test_functions_see_those_above_and_rules_see_all():
    text = rule("r", "output: g('x')") + "let f(x) = x + '.f'\nlet g(x) = f(x) + '.g'\n"
    assert files_of(load(text).rules[0]) == ["x.f.g"]


# ── configuration ────────────────────────────────────────────────────────────────────────────────────────────────


def test_config_is_merged_in_order_and_the_call_wins():
    text = 'config "a.yaml"\nconfig "b.yaml"\nconfig "none.yaml" optional\n' + A
    files = {"a.yaml": "x: a\ny: a\nz: a\nw: a\n", "b.yaml": "y: b\nz: b\nw: b\n", "c.yaml": "z: c\nw: c\n"}
    assert load(text, files, configfiles=("c.yaml",), config=("w=d",)).config == {
        "x": "a",
        "y": "b",
        "z": "c",
        "w": "d",
    }


def test_config_is_looked_for_here_and_then_beside_the_flowfile():
    text = 'config "c.yaml"\nconfig "d.yaml"\n' + A
    files = {"c.yaml": "c: here\n", "wf/c.yaml": "c: beside\n", "wf/d.yaml": "d: beside\n"}
    workflow = load(text, files, "wf/Flowfile")
    assert workflow.config == {"c": "here", "d": "beside"}
    assert workflow.files == ("wf/Flowfile", "c.yaml", "wf/d.yaml")


def test_the_schema_lies_beside_the_flowfile():
    files = {"c.yaml": "{}\n", "wf/s.yaml": "properties: {n: {default: 3}}\n"}
    assert load('config "c.yaml" schema "s.yaml"\n' + A, files, "wf/Flowfile").config == {"n": 3}


def test_values_of_the_config_are_data():
    workflow = load('config "c.yaml"\n' + rule("r", 'output: "{config.x}"'), {"c.yaml": 'x: "{y}.txt"\n'})
    assert files_of(workflow.rules[0]) == ["{y}.txt"]
    assert workflow.rules[0].wildcards == ()


def test_a_broken_config_hides_what_follows_from_it_only():
    text = 'config "c.yaml"\nlet X = config.x\nif config.y:\n    let Z = 1\nlet W = NOPE\n' + rule(
        "r", 'output: "{X}/{Z}"', "threds: 1"
    )
    messages = told(text, {"c.yaml": "x: [1\n"})
    assert [m.split(" ", 2)[1] for m in messages] == ["F101", "F201", "F401"]


# ── mistakes are told once ───────────────────────────────────────────────────────────────────────────────────────


def test_what_stands_in_unreadable_text_is_not_called_unknown():
    messages = told(
        'let X = = 1\nimport "h.py" ass h\nrule r\n    output: "r"\n' + rule("q", 'output: "{X}"', "params: h.f(1)")
    )
    assert [m.split(" ", 2)[1][:2] for m in messages] == ["F0", "F0", "F0"]


def test_a_rule_that_could_not_be_read_in_full_is_not_judged():
    (message,) = told('rule r:\n    input: "{s}.in"\n    output "{s}.out"\n    shell: "x {output.y}"\n')
    assert "F015" in message


def test_a_file_that_could_not_be_read_may_define_any_name():
    (message,) = told(
        'include "none.flow"\nruleorder a > b\n' + rule("a", 'output: "{X}"', "input: f(1), rules.b.output")
    )
    assert "F208" in message


def test_a_constant_that_fails_is_told_at_its_place_once():
    text = "let X = 1 / 0\n" + "".join(rule(n, f'output: "{{X}}.{n}"') for n in "abc")
    (message,) = told(text)
    assert message.startswith("Flowfile:1:9 F133")


def test_hundreds_of_mistakes_end_the_load():
    messages = told("".join(f"let X{i} = Y{i}\n" for i in range(300)))
    assert len(messages) == 101
    assert messages[-1] == "- F013 100 mistakes; the rest is not looked for"


def test_a_hostile_constant_ends_the_load():
    (message,) = told(
        "let X = [0 for a in range(100000) for b in range(100000)]\n" + rule("r", "output: [f'{x}' for x in X]")
    )
    assert "F118" in message


def test_deep_includes_end():
    files = {f"f{i}.flow": f'include "f{i + 1}.flow"\n' for i in range(200)}
    (message,) = told('include "f0.flow"\n', files)
    assert "F209 files are included more than 50 deep" in message


# ── reading at load ──────────────────────────────────────────────────────────────────────────────────────────────


def test_files_read_at_load_are_remembered():
    text = 'let S = lines("s.txt")\nlet UNUSED = lines("u.txt")\n' + rule("r", "output: expand('{s}', s=S)")
    assert list(load(text, {"s.txt": "a\nb\n"}).load_reads) == ["s.txt"]


def test_what_a_rule_makes_cannot_be_read_at_load():
    (message,) = told(rule("m", 'output: "{n}.list"') + rule("r", 'output: lines("x.list")'), {"x.list": "a\n"})
    assert "F232 `x.list` is read while the Flowfile is loaded, but rule `m` makes it" in message


def test_inputs_are_not_read_at_load():
    load(rule("m", 'output: "x.list"') + rule("r", 'output: "r"', 'input: lines("x.list")'))


def test_a_constant_in_a_command_may_wait_for_what_a_rule_makes():
    files = FakeFiles({})
    text = 'let N = len(lines("n.list"))\ncheckpoint m:\n    output: "n.list"\n    shell: "x"\n'
    files.write("Flowfile", text + 'rule r:\n    output: "r"\n    shell: "run {N}"\n')
    from flowrules.load.lower import load_workflow

    action = load_workflow("Flowfile", files).rules[1].action
    files.write("n.list", "a\nb\n")
    assert action.template.render({}) == "run 2"


# ── other statements ─────────────────────────────────────────────────────────────────────────────────────────────


def test_variables_must_be_set():
    text = 'envvars "A", "B"\nenvvars "A", "b c"\n' + A
    assert load(text.replace(', "b c"', ""), environ={"A": "1", "B": ""}).envvars == ("A", "B")
    messages = told(text, environ={"A": "1"})
    assert "Flowfile:1:14 F211 the environment variable `B` is not set" in messages
    assert "Flowfile:2:14 F211 `b c` is no name of an environment variable" in messages


@pytest.mark.parametrize(
    ("version", "fits"), [("0.1", True), ("0.1.0", True), ("0.0.9", True), ("0.2", False), ("99", False)]
)
def test_the_least_version(version, fits):
    text = f'min_version "{version}"\n' + A
    if fits:
        load(text)
    else:
        assert "F210" in told(text)[0]


def test_hooks():
    workflow = load('let X = "a b"\non start: "echo {X}"\non error:\n    "echo "\n    "failed"\n' + A)
    assert [(h.event, h.text.render({})) for h in workflow.hooks] == [("start", "echo 'a b'"), ("error", "echo failed")]
    assert "F234 `on` knows no `begin`" in told('on begin: "x"\n' + A)[0]


def test_functions_of_an_imported_file():
    text = 'import "h.py" as h\n' + rule("r", "output: h.names(2)")
    helpers = module("def names(n):\n    return [f'{i}.txt' for i in range(n)]\n")
    workflow = load(text, {"h.py": ""}, import_module=lambda path: helpers)
    assert files_of(workflow.rules[0]) == ["0.txt", "1.txt"]
    assert workflow.globals == {"h": helpers}


def test_an_import_that_fails_or_is_refused():
    text = 'import "h.py" as h\n' + rule("r", "output: h.names(2)")

    def fails(path: str) -> object:
        raise SystemExit(f"no {path}")

    assert told(text, {"h.py": ""}, import_module=fails) == [
        "Flowfile:1:8 F212 `h.py` cannot be imported: SystemExit: no h.py"
    ]
    for option in ("no_python", "untrusted"):
        (message,) = told(text, {"h.py": ""}, import_module=fails, **{option: True})
        assert "F212 `import` is refused by `--" in message
    assert "F208" in told(text)[0]
    assert "F212 `import` takes a Python file" in told('import "h" as h\n' + A)[0]


def test_an_untrusted_flowfile_sees_no_environment():
    text = rule("r", 'output: env("X", "default")')
    assert files_of(load(text, environ={"X": "set"}).rules[0]) == ["set"]
    assert "F131" in told(text, environ={"X": "set"}, untrusted=True)[0]


# ── the result ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_workflow_is_enough_to_evaluate_its_constants():
    workflow = load('config "c.yaml"\nlet X = config.x + 1\n' + A, {"c.yaml": "x: 1\n"})
    world = World(LoadReader(FakeFiles({})), workflow.lets, workflow.config)
    assert workflow.lets["X"](world, {}) == 2


def test_an_empty_flowfile_is_no_mistake_yet():
    workflow = load("# nothing\n")
    assert (workflow.rules, workflow.default) == ((), None)


def test_there_must_be_a_flowfile():
    with pytest.raises(FlowfileError, match="there is no Flowfile `x`"):
        load("", flowfile="y") and None
        from flowrules.load.lower import load_workflow

        load_workflow("x", FakeFiles({}))


def test_a_file_that_a_rule_makes_cannot_shape_the_workflow() -> None:
    text = """
let OUT = lines("p.txt")[0]
wildcards: s = lines("p.txt")
rule a:
    output: "{OUT}/a"
    shell: "x"
checkpoint p:
    output: "p.txt"
    shell: "x"
"""
    wanted = ["Flowfile:3:16 F232 `p.txt` is read while the Flowfile is loaded, but rule `p` makes it"]
    assert told(text) == wanted
    assert told(text, {"p.txt": "q"}) == wanted


def test_names_of_a_branch_that_could_not_be_chosen_are_not_called_unknown() -> None:
    text = 'if config.nope:\n    let X = 1\nrule a:\n    output: "a"\n    shell: "echo {X} > {output}"\n'
    assert told(text) == ["Flowfile:1:4 F112 `config` has no key `nope`"]
