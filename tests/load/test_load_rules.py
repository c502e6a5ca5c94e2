"""Rules as they come out of a load: files, wildcards, constraints, actions."""

import pytest
from loading import files_of, load, rule, told

from flowrules.model.rule import CallAction, RunAction, ScriptAction, ShellAction, TemplateAction
from flowrules.model.values import Flags


def one(text: str, files: dict[str, str] | None = None, flowfile: str = "Flowfile"):
    return load(text, files, flowfile).rules[0]


# ── files ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_outputs_are_evaluated_and_normalized():
    made = one('let OUT = "out/"\n' + rule("a", 'output: x="{OUT}/{s}.txt", y=["./{s}.a", "b//{s}"]', 'log: "l/{s}"'))
    assert files_of(made) == ["out/{s}.txt", "{s}.a", "b/{s}", "l/{s}"]
    assert [o.name for o in made.outputs] == ["x", "y", "y"]
    assert made.wildcards == ("s",)


def test_outputs_may_be_computed():
    made = one('let NAMES = ["a", "b"]\n' + rule("r", 'output: expand("{n}.txt", n=NAMES), **{"z": "c.txt"}'))
    assert files_of(made) == ["a.txt", "b.txt", "c.txt"]
    assert made.outputs[2].name == "z"


def test_flags_of_outputs():
    made = one(rule("a", 'output: temp("a"), directory("d/"), ensure("e", non_empty=true), protected(touch("p"))'))
    assert [o.flags for o in made.outputs] == [
        Flags(temp=True),
        Flags(directory=True),
        Flags(non_empty=True),
        Flags(protected=True, touch=True),
    ]


def test_the_files_of_another_rule_are_a_value():
    made = load(rule("b", "output: rules.a.output.x + '.gz'") + rule("a", 'output: x="{s}.txt"')).rules[0]
    assert files_of(made) == ["{s}.txt.gz"]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (('output: "{s}.a", "b"',), "1:24 F217 this `output` lacks the wildcard `s` of the first `output`"),
        (('output: "a"', 'log: "{s}.log"'), "F217 this `log` has the wildcard `s`, the first `output` has not"),
        (('output: "a", "./a"',), "F218 `a` is twice among the files of rule `r`"),
        (('output: "a/"',), "F216 a path that ends in `/` is a folder"),
        (('output: ancient("a")',), "F222 an output cannot be `ancient`"),
        (('output: "a"', 'log: temp("b")'), "F222 `log` takes no flags"),
        (('output: "{s}.a"', 'input: "{s}.a"'), "F221 rule `r` needs what it makes"),
        (('output: 3',), "F127 a file is wanted"),
        (('output: "{s,[a-z]}/{s,[0-9]}"',), "F213 the wildcard `s` has two constraints"),
    ],
)  # fmt: skip
def test_mistakes_in_files(lines, expected):
    (message,) = told(rule("r", *lines))
    assert expected.removeprefix("1:24 ") in message


def test_a_file_below_a_folder_of_another_rule():
    (message,) = told(rule("a", 'output: directory("d/{x}")') + rule("b", 'output: "d/{y}/f"'))
    assert "F220 `d/{y}/f` lies in rule `a`'s output folder `d/{x}`" in message


def test_two_rules_for_one_file_unless_their_order_is_told():
    both = rule("a", 'output: "x"') + rule("b", 'output: "y", "x"')
    (message,) = told(both)
    assert "F219 rules `a` and `b` both make `x`" in message
    assert load("ruleorder b > a\n" + both).order == (("b", "a"),)


# ── constraints ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_closest_constraint_counts():
    text = 'wildcards:\n    a = "A+", b = "B+", c = ["x", "y"], other = "o"\n'
    made = one(text + rule("r", 'output: "{a}_{b,b+}_{c}_{d}"', 'wildcards: a = ["1", 2], c = "C+"'))
    assert made.constraints == {"b": "b+", "c": "C+"}
    assert made.choices == {"a": frozenset({"1", "2"})}


def test_braces_in_constraints_are_no_placeholders():
    assert one('wildcards: s = "[a-z]{2}"\n' + rule("r", 'output: "{s}"')).constraints == {"s": "[a-z]{2}"}


@pytest.mark.parametrize(
    ("constraint", "expected"),
    [
        ('s = "[a"', "F213 no valid regular expression: unterminated character set"),
        ('t = "a"', "F214 this rule has no wildcard `t`"),
        ('S = "a"', "F214 `S` is no name of a wildcard"),
        ("s = 3", "F214 the constraint of `s` is neither a regular expression nor a list of values"),
        ('"a"', "F223 entries of `wildcards` have names"),
        ('s = "\\bx"', "F213 a constraint holds a control character"),
        ('s = r"(a)\\1"', "F213 a constraint cannot refer to a group of its own"),
    ],
)
def test_mistakes_in_constraints(constraint, expected):
    (message,) = told(rule("r", 'output: "{s}"', f"wildcards: {constraint}"))
    assert expected in message


# ── actions ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_shell_text_of_several_strings():
    made = one('rule a:\n    output: "x"\n    shell:\n        "touch "\n        "{output}"\n')
    assert isinstance(made.action, ShellAction)
    assert made.action.code == "touch {output}"


def test_constants_and_config_are_part_of_the_command():
    text = 'config "c.yaml"\nlet N = 3\nrule a:\n    output: "x"\n    shell: "run {N} {config.mode} > {output}"\n'
    made = one(text, {"c.yaml": "mode: fast\n"})
    assert isinstance(made.action, ShellAction)
    assert made.action.code == "run 3 fast > {output}"


def test_code_is_found_beside_the_flowfile_that_names_it():
    text = (
        'include "rules/b.flow"\n'
        'rule s:\n    output: "s"\n    script: "scripts/x.py"\n'
        'rule c:\n    output: "c"\n    call: "lib/c.py:run"\n'
        'rule m:\n    output: "m"\n    call: "pkg.mod:run"\n'
        'rule t:\n    output: "t"\n    template: "t.j2"\n'
    )
    inner = 'rule b:\n    output: "{HERE}.b"\n    script: "../scripts/x.py"\n'
    paths = ("wf/scripts/x.py", "wf/lib/c.py", "wf/t.j2")
    workflow = load(text, {"wf/rules/b.flow": inner, **dict.fromkeys(paths, "")}, "wf/Flowfile")
    b, s, c, m, t = workflow.rules
    assert files_of(b) == ["wf/rules.b"]
    assert isinstance(b.action, ScriptAction) and b.action.path == "wf/scripts/x.py"
    assert isinstance(s.action, ScriptAction) and s.action.path == "wf/scripts/x.py"
    assert isinstance(c.action, CallAction) and (c.action.path, c.action.function) == ("wf/lib/c.py", "run")
    assert isinstance(m.action, CallAction) and (m.action.module, m.action.path) == ("pkg.mod", None)
    assert isinstance(t.action, TemplateAction) and t.action.path == "wf/t.j2"


RUN = '''\
rule a:
    output: "x"
    run:
        # a comment
        text = """one
      two"""   # less indented than the code

        if text:
            print( text )
'''


def test_a_run_block_keeps_its_strings_and_loses_its_layout():
    made = one(RUN)
    assert isinstance(made.action, RunAction)
    assert made.action.text == (
        '# a comment\ntext = """one\n      two"""   # less indented than the code\n\nif text:\n    print( text )\n'
    )
    assert made.action.code == "text = 'one\\n      two'\nif text:\n    print(text)"
    assert (made.action.file, made.action.first_line) == ("Flowfile", 4)


@pytest.mark.parametrize(
    ("block", "line"),
    [("x = (\n        y = 1", 3), ("return 1", 3), ("x = 1\n          y = 2", 4), ("1 +", 3)],
)
def test_python_that_cannot_be_read(block, line):
    (message,) = told(f'rule a:\n    run:\n        {block}\n    output: "x"\n')
    assert message.startswith(f"Flowfile:{line}:")
    assert "F228 no valid Python: " in message


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ('script: "x.py"', "F208 there is no script `x.py`"),
        ('script: "{s}.py"', "F224 `script` is text, not a pattern"),
        ('script: "x"', "F227 a script has an ending"),
        ('call: "x.py"', "F227 `x.py` names no function"),
        ('call: "lib/x:f"', "F227 `lib/x` is no Python file"),
        ('call: "a-b:f"', "F227 `a-b` is no name of a Python module"),
        ('shell: f"x"', "F231 no f-string in `shell`"),
        ('shell: "a", "b"', "F223 `shell` takes one text"),
        ("shell: X", "F224 `shell` is text in quotes"),
        ("shell: x='a'", "F223 `shell` takes one value without a name"),
        ('fresh: true\n    shell: "x"', "F233 `fresh` belongs to `call`"),
        ('executable: "zsh"\n    call: "m:f"', "F233 `executable` belongs to `shell`"),
        ('group: ""\n    shell: "x"', "F224 `group` is text"),
    ],
)
def test_mistakes_in_actions(lines, expected):
    (message,) = told(f'let X = 1\nrule a:\n    output: "{{s}}"\n    {lines}\n')
    assert expected in message


def test_all_that_a_rule_may_say():
    made = one(
        "rule a:\n"
        '    """\n'
        "    What it is for.\n"
        "      More.\n"
        '    """\n'
        '    input: "in/{s}", x=["a", "b"], **{"y": "c"}\n'
        '    output: "{s}"\n'
        '    params: 1, k="v"\n'
        "    threads: 4\n"
        "    resources: mem=2GB * attempt, gpus=0.5\n"
        "    retries: 2\n"
        "    priority: 1.5\n"
        '    group: "g"\n'
        "    local: not false\n"
        "    default: true\n"
        '    message: "doing {wildcards.s} " "with {threads}"\n'
        '    env: A="x"\n'
        '    executable: "zsh"\n'
        '    shell: "touch {output}"\n'
    )
    assert made.doc == "What it is for.\n  More."
    assert [e.name for e in made.inputs] == [None, "x", None]
    assert [e.name for e in (*made.params, *made.resources, *made.env)] == [None, "k", "mem", "gpus", "A"]
    assert made.threads and made.retries and made.priority and made.message
    assert (made.group, made.local, made.is_default, made.shell) == ("g", True, True, "zsh")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("threads: 0", "F224 `threads` is a whole number, at least 1"),
        ("threads: 1.5", "F224 `threads` is a whole number"),
        ("threads: N", "F224 `threads` is a whole number"),
        ("retries: 0 - 1", "F224 `retries` is a whole number, at least 0"),
        ('priority: "high"', "F224 `priority` is a number, not text"),
        ("resources: mem=4", "F225 `mem` needs a unit"),
        ("resources: mem=2 * 4", "F225 `mem` needs a unit"),
        ("resources: mem=4min", "F225 `mem` is a size such as `16GB`"),
        ("resources: walltime=4GB", "F225 `walltime` is a time such as `20min`"),
        ('resources: walltime="1 fortnight"', "F225 `1 fortnight` has a unit that does not exist"),
        ("resources: runtime=60", "F225 the resource `runtime` is called `walltime` here"),
        ("resources: gpu=1", "F225 the resource `gpu` is called `gpus` here"),
        ("resources: 1", "F223 entries of `resources` have names"),
        ("params: x=1, x=2", "F223 the name `x` is given twice in `params`"),
        ("local: 1", "F224 `local` is `true` or `false`"),
        ("threads: 1, 2", "F223 `threads` takes one value"),
        ("thread: 1", "F201 unknown directive `thread`"),
        ("conda: 'x.yaml'", "F204 `conda` is not available in this version yet"),
        ("env: 'x'", "F223 entries of `env` have names"),
        ("params: B", "F103 this holds the wildcard `zz`"),
        ("input: B", "F103 this holds the wildcard `zz`"),
    ],
)
def test_mistakes_in_values(line, expected):
    (message,) = told('let N = "many"\nlet B = "{zz}.x"\n' + rule("r", 'output: "{s}"', line))
    assert expected in message


def test_times_and_sizes_may_be_text():
    one(rule("r", 'output: "x"', 'resources: mem="16GB", walltime="00:20:00", disk=1.5GiB, licences=2'))


def test_outputs_need_an_action_and_checkpoints_an_output():
    assert "F233" in told('rule a:\n    output: "x"\n')[0]
    assert "F233" in told("checkpoint a:\n    shell: 'x'\n")[0]
    assert load('rule all:\n    input: "x"\n').rules[0].action is None


def test_flags_of_inputs():
    load(rule("r", 'output: "x"', 'input: ancient("a"), directory("d")'))
    (message,) = told(rule("r", 'output: "x"', 'input: temp("a")'))
    assert "F222 `temp` belongs to an output" in message


def test_what_may_stand_in_a_line_that_cannot_be_read_is_not_missed():
    checkpoint = 'checkpoint split:\n    input: "{n}.fa"\n    OUTPUT "parts/{n}"\n    SHELL "split {input}"\n'
    lines = {"OUTPUT": "output:", "SHELL": "shell:"}
    for damaged in lines:
        text = checkpoint
        for word, good in lines.items():
            text = text.replace(word, good.rstrip(":") + " :: " if word == damaged else good)
        assert [message.split(" ")[0].split(":")[1] for message in told(text)] == [str(3 + (damaged == "SHELL"))]


def test_a_rule_whose_head_cannot_be_read_is_not_taken_for_what_stands_above_it():
    text = 'rule all:\n    input: "out"\n\n    rule special:\n    output: "out"\n    shell: "touch {output}"\n'
    assert [message.partition(" ")[0] for message in told(text)] == ["Flowfile:4:5"]
