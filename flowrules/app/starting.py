"""`init`: a small workflow that runs at once, to be changed into one's own."""

from __future__ import annotations

import os
import shlex

from flowrules.errors import FlowrulesError
from flowrules.show.output import Output
from flowrules.show.text import escape

FILES = {
    "Flowfile": '''\
# What this workflow makes, and how. `flowrules -n` shows what would run, `flowrules` runs it.
config "config.yaml" schema "config.schema.json"

let SAMPLES = glob("data/{sample}.txt").sample

rule all:
    input: "results/summary.csv"

rule count:
    """Count the words of one sample."""
    input: "data/{sample}.txt"
    output: "results/{sample}.count"
    shell:
        "tr -s '[:space:]' '\\\\n' < {input} | grep -ci -- {config.word} > {output} || test $? -eq 1"

rule summary:
    input: expand("results/{sample}.count", sample=SAMPLES)
    output: "results/summary.csv"
    shell:
        """
        echo sample,count > {output}
        for file in {input}; do
            echo "$(basename "$file" .count),$(cat "$file")" >> {output}
        done
        """
''',
    "config.yaml": "# Values that Flowfile reads as `config.…`; `flowrules -C word=moon` overrides one.\nword: the\n",
    "config.schema.json": """\
{
  "type": "object",
  "properties": {
    "word": {"type": "string", "minLength": 1, "description": "the word that is counted"}
  },
  "required": ["word"],
  "additionalProperties": false
}
""",
    "data/one.txt": "the quick brown fox jumps over the lazy dog\n",
    "data/two.txt": "The moon, the sea and the wind\n",
    "tests/test_workflow.py": '''\
"""Checks that the workflow plans: no rule is missing, nothing is ambiguous."""

import os
from pathlib import Path

from flowrules import Workflow


def test_plan() -> None:
    os.chdir(Path(__file__).parent.parent)
    plan = Workflow.load("Flowfile").plan()
    assert "all" in Workflow.load("Flowfile").rules
    assert plan.graph.number_of_nodes() == 4
''',
    ".gitignore": ".flowrules/\nresults/\n",
}


def start_workflow(directory: str, output: Output) -> int:
    """Writes the files of a new workflow; none that exists is touched. Returns the exit status.

    Raises:
        FlowrulesError: there is a Flowfile already, or the folder cannot be made or written.
    """
    try:
        os.makedirs(directory, exist_ok=True)
    except FileExistsError:
        raise FlowrulesError(f"`{directory}` is no folder") from None
    except OSError as error:
        raise _unwritable(directory, error) from None
    for name in ("Flowfile", "workflow/Flowfile"):
        if os.path.lexists(os.path.join(directory, name)):
            here = "" if directory == "." else f" in `{directory}`"
            raise FlowrulesError(f"there is a `{name}` already{here}", "`flowrules -n` shows what it would do")
    for name, text in FILES.items():
        path = os.path.normpath(os.path.join(directory, name))
        try:
            os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
            with open(path, "x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            output.line(f"kept {escape(path)}, which was there")
            continue
        except OSError as error:
            raise _unwritable(path, error) from None
        output.line(f"wrote {escape(path)}")
    go = "" if directory == "." else f"cd {escape(shlex.quote(directory))}; "
    output.line(f"try it: {go}flowrules -n, then flowrules")
    return 0


def _unwritable(path: str, error: OSError) -> FlowrulesError:
    return FlowrulesError(f"`{path}` cannot be written: {(error.strerror or str(error)).lower()}")
