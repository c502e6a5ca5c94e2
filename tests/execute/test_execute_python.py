"""Scripts, run blocks and templates."""

import json
import os
import sys

import pytest
from execute_box import Box, items

DOCUMENT = {
    "rule": "relax",
    "input": items("a.txt", xyz="in.xyz", many=["x", "y"], items="odd.txt"),
    "output": items("out.txt"),
    "params": items(k=[1, {"deep": True}], flag="-a -b", one=2.5),
    "wildcards": {"mol": "benzene"},
    "log": items("job.log"),
    "threads": 4,
    "resources": {"mem": 16_000_000_000, "walltime": 1200.0},
    "config": {"outdir": "res", "tool": {"path": "/opt"}, "list": [{"a": 1}]},
    "attempt": 2,
}


def test_a_python_script_sees_its_job(box: Box):
    order = box.script(
        "s.py",
        """\
from flowrules import job
import sys, json
print(job.rule, job.input.xyz, job.input[0], list(job.input), job.input["items"], job.input.many)
print(job.params.k, job.params["flag"], job.params.one, job.wildcards.mol, job.wildcards["mol"])
print(job.threads, job.resources.mem, job.log[0], job.config.tool.path, job.config["list"][0].a, job.attempt)
print(sys.argv, __name__, __file__, sys.stdin.read() == "", json.dumps(job.config))
open(job.output, "w").close()
sys.exit(3)
""",
        document=DOCUMENT,
    )
    outcome = box.run(order)
    assert box.log() == (
        "relax in.xyz a.txt ['a.txt', 'in.xyz', 'x', 'y', 'odd.txt'] odd.txt ['x', 'y']\n"
        "[1, {'deep': True}] -a -b 2.5 benzene benzene\n"
        "4 16000000000 job.log /opt 1 2\n"
        "['s.py'] __main__ s.py True " + json.dumps(DOCUMENT["config"]) + "\n"
    )
    assert (outcome.exit, outcome.error) == (3, "")
    assert os.path.exists("out.txt")


def test_a_script_fails_with_its_own_lines_only(box: Box):
    outcome = box.run(box.script("s.py", "def f(x):\n    return 1 / x\n\nf(0)\n"))
    assert outcome.exit == 1
    log = box.log().replace(" ~~^~~\n", "").replace("    ~^^^\n", "").replace("   ~~^~~\n", "")
    assert log.startswith('Traceback (most recent call last):\n  File "s.py", line 4, in <module>\n    f(0)\n')
    assert log.endswith("ZeroDivisionError: division by zero\n")
    assert "child.py" not in log
    assert "inside.py" not in log


def test_a_mistake_in_the_grammar_of_a_script(box: Box):
    assert box.run(box.script("s.py", "x = 1\nif x\n")).exit == 1
    assert box.log().lstrip().startswith('File "s.py", line 2\n')
    assert "inside.py" not in box.log()


def test_a_script_finds_the_modules_beside_it(box: Box):
    os.mkdir("scripts")
    with open("scripts/near.py", "w") as file:
        file.write("VALUE = 5\n")
    assert (
        box.run(
            box.script("scripts/s.py", "import near, pickle\nprint(near.VALUE)\nclass C: pass\npickle.dumps(C())")
        ).exit
        == 0
    )
    assert box.log() == "5\n"


def test_a_script_may_use_multiprocessing(box: Box):
    text = """\
from multiprocessing import get_context
from flowrules import job

def f(x):
    from flowrules import job
    return job.rule * x

if __name__ == "__main__":
    with get_context("spawn").Pool(1) as pool:
        print(pool.map(f, [1, 2]))
"""
    assert box.run(box.script("s.py", text, document={"rule": "r"})).exit == 0
    assert box.log() == "['r', 'rr']\n"


def test_output_and_error_keep_their_order(box: Box):
    text = "import sys\nfor n in range(3):\n    print('out', n)\n    print('err', n, file=sys.stderr)\n"
    assert box.run(box.script("s.py", text)).exit == 0
    assert box.log() == "out 0\nerr 0\nout 1\nerr 1\nout 2\nerr 2\n"


def test_a_script_that_is_not_there(box: Box):
    outcome = box.run(box.script("absent.py"))
    assert (outcome.exit, outcome.error) == (127, "the script `absent.py` does not exist")


def test_a_script_of_an_unknown_kind(box: Box):
    outcome = box.run(box.script("s.pl", "print 1"))
    assert outcome.exit == 127
    assert outcome.error == "nothing is known to run `s.pl` with: a script ends in .py, .R, .jl or .sh"


@pytest.mark.parametrize(
    ("name", "program", "need"), [("s.R", "Rscript", "R scripts need R"), ("s.jl", "julia", "Julia scripts need Julia")]
)
def test_other_languages(box: Box, name: str, program: str, need: str):
    empty = {"PATH": os.path.abspath("bin")}
    outcome = box.run(box.script(name, "text", env=empty))
    assert (outcome.exit, outcome.error) == (127, f"`{program}` is not on the PATH; {need}")
    os.mkdir("bin")
    with open(f"bin/{program}", "w") as file:
        file.write('#!/bin/bash\necho "$@"\n/bin/cat "$FLOWRULES_JOB"\n/usr/bin/stat -c " %a" "$FLOWRULES_JOB"\n')
    os.chmod(f"bin/{program}", 0o755)
    assert box.run(box.script(name, env=empty, document={"rule": "café", "threads": 2})).exit == 0
    assert box.log() == f'{name}\n{{"rule":"caf\\u00e9","threads":2}} 600\n'
    assert os.listdir(box.executor._scratch.folder) == []


def test_a_shell_script_is_strict(box: Box):
    assert (
        box.run(box.script("my script.sh", 'cat "$FLOWRULES_JOB"; false; echo no', document={"threads": 2})).exit == 1
    )
    assert box.log() == '{"threads":2}'


def test_a_run_block(box: Box):
    text = """\
import sys
print(input.xyz, output[0], params.flag, wildcards.mol, threads, resources.mem, log, config.outdir, attempt)
shell("echo from the shell; cat")
print("last")
with open(output[0], "w") as file:
    file.write(input.xyz)
"""
    assert box.run(box.block(text, document=DOCUMENT)).exit == 0
    assert box.log() == "in.xyz out.txt -a -b benzene 4 16000000000 job.log res 2\nfrom the shell\nlast\n"


def test_a_run_block_fails_at_its_line_of_the_flowfile(box: Box):
    outcome = box.run(box.block("x = 1\nraise ValueError(x)\n", first_line=41))
    assert outcome.exit == 1
    assert box.log() == (
        "Traceback (most recent call last):\n"
        '  File "Flowfile", line 42, in <module>\n    raise ValueError(x)\nValueError: 1\n'
    )


def test_a_command_of_a_run_block_that_fails(box: Box):
    assert box.run(box.block("shell('echo before; exit 9')\nprint('not reached')\n")).exit == 1
    assert "CommandFailed: the command ended with status 9: echo before; exit 9" in box.log()
    assert "not reached" not in box.log()
    assert "inside.py" not in box.log()


def test_a_command_of_a_run_block_with_a_placeholder(box: Box):
    assert box.run(box.block("shell('cp {input.xyz} {output}')\n", document=DOCUMENT)).exit == 1
    assert '`{input.xyz}` is not filled in by `shell()` in a run block: write an f-string, shell(f"…")' in box.log()


def test_names_in_a_command_of_a_run_block_are_quoted(box: Box):
    text = "shell(f'for f in {input}; do echo \"<$f>\"; done; echo x | awk \\'{{print $1}}\\'')\n"
    assert box.run(box.block(text, document={"input": items("a b", "$(rm x)")})).exit == 0
    assert box.log() == "<a b>\n<$(rm x)>\nx\n"


def test_a_long_command_of_a_run_block(box: Box):
    assert box.run(box.block("shell('echo ' + 'word ' * 100_000 + '| wc -w')\n")).exit == 0
    assert box.log() == "100000\n"


def test_a_run_block_ends_as_it_says(box: Box):
    assert box.run(box.block("import sys\nsys.exit('that is all')\n")).exit == 1
    assert box.log() == "that is all\n"


def test_a_template(box: Box):
    text = "{% for x in input %}{{ x }}{% if not loop.last %}, {% endif %}{% endfor %}\n{{ params.one }} {{ config.tool.path }}\n"
    assert box.run(box.template("deck.j2", text, document=DOCUMENT)).exit == 0
    with open("out.txt") as file:
        assert file.read() == "a.txt, in.xyz, x, y, odd.txt\n2.5 /opt\n"
    assert sorted(os.listdir()) == ["deck.j2", "log", "out.txt"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fine\n{{ nope }}\n", "deck.j2:2: error: 'nope' is undefined\n"),
        ("{{ config.nope }}", "deck.j2:1: error: there is no `nope` here"),
        ("{{ input.nope }}", "deck.j2:1: error: this job has no input called `nope`"),
        ("\n\n{% if %}", "deck.j2:3: error: Expected an expression, got 'end of statement block'\n"),
        ("{% include 'gone.j2' %}", "deck.j2: error: there is no template `gone.j2`\n"),
        ("{{ 1 / 0 }}", "deck.j2:1: error: division by zero\n"),
        ("{{ input.__class__.__mro__ }}", "deck.j2:1: error: "),
    ],
)
def test_a_template_fails_and_writes_nothing(box: Box, text: str, message: str):
    assert box.run(box.template("deck.j2", text, document=DOCUMENT)).exit == 1
    assert box.log().startswith(message)
    assert sorted(os.listdir()) == ["deck.j2", "log"]


def test_the_interpreter_of_the_driver_runs_scripts(box: Box):
    box.run(box.script("s.py", "import sys\nprint(sys.executable)\n"))
    assert box.log() == sys.executable + "\n"
