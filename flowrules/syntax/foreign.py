"""What people write who come from Snakemake or Python, and what a Flowfile has for it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from flowrules.errors import Diagnostic
from flowrules.syntax.scene import Scene
from flowrules.syntax.words import LATER

_SNAKEMAKE: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "configfile": ("a configuration is read with `config`", "write `config {}`"),
        "workdir": ("there is no `workdir`", "call the program with `-d {}`"),
        "onstart": ("this is written `on start:`", 'write `on start: "…"`, with shell text'),
        "onsuccess": ("this is written `on success:`", 'write `on success: "…"`, with shell text'),
        "onerror": ("this is written `on error:`", 'write `on error: "…"`, with shell text'),
        "report": ("there is no `report` statement", "`flowrules report` writes one; mark files with `report(…)`"),
        "container": ("`container` is a directive of a rule", "write it in the rules that need it"),
        "containerized": ("there is no `containerized`", "write `container:` in the rules that need it"),
        "singularity": ("there is no `singularity`", "write `container:` in the rules that need it"),
        "conda": ("`conda` is a directive of a rule", "write it in the rules that need it"),
        "envmodules": ("there is no `envmodules`", "write `modules:` in the rules that need it"),
        "localrules": ("there is no `localrules`", "write `local: true` in each of these rules: {}"),
        "wildcard_constraints": ("constraints are written `wildcards:`", "write `wildcards: {}`"),
        "scattergather": ("there is no `scattergather`", "the statement `scatter` will do this"),
        "subworkflow": ("there is no `subworkflow`", "the statement `module` will do this"),
        "pepfile": ("there is no `pepfile`", 'write `config "samples.yaml"` and `table("samples.csv")`'),
        "pepschema": ("there is no `pepschema`", 'write `config "samples.yaml" schema "schema.json"`'),
        "storage": ("there is no `storage`", "a rule with `shell:` fetches remote files"),
        "resource_scopes": ("there is no `resource_scopes`", "limits are set in the profile"),
    }
)
_WITHOUT_COLON: Final = MappingProxyType(
    {
        "include": 'write `include "rules/other.flow"`',
        "config": 'write `config "config.yaml"`',
        "envvars": 'write `envvars "TOKEN", "USER"`',
        "ruleorder": "write `ruleorder first > second`",
        "min_version": 'write `min_version "1.0"`',
        "let": "write `let NAME = …`",
    }
)
_PYTHON: Final = MappingProxyType(
    {
        "def": 'write `let f(x) = …`, or put Python into a file: `import "helpers.py" as h`',
        "class": 'put Python into a file: `import "helpers.py" as h`',
        "from": 'functions are built in; Python of your own goes into a file: `import "helpers.py" as h`',
        "for": "wildcards make the jobs: one rule with `{sample}` does for all samples",
        "while": "rules repeat by asking for their own outputs: `round/{n}` from `round/{n - 1}`",
        "with": "read files with `lines`, `table`, `json` or `yaml`",
        "try": 'ask with `exists(path)` or `config.get("key", default)`',
        "print": "what is planned is shown by `flowrules -n`",
        "assert": 'check the configuration with a schema: `config "c.yaml" schema "s.json"`',
        "raise": 'check the configuration with a schema: `config "c.yaml" schema "s.json"`',
        "del": "constants stay as they are",
        "global": "`let` constants are seen everywhere",
        "return": "a function is one expression: `let f(x) = …`",
        "pass": "leave it out",
        "async": 'put Python into a file: `import "helpers.py" as h`',
        "match": "write `if`, `elif` and `else:`",
        "shell": 'run commands in a rule, or with `on start: "…"`',
        "os": 'read the environment with `env("NAME", default)`',
        "sys": 'put Python into a file: `import "helpers.py" as h`',
    }
)


def later_statement(scene: Scene) -> Diagnostic | None:
    """Statements of the language that this version cannot do."""
    word = scene.word(scene.line)
    if scene.at != scene.line or scene.in_rule() or word not in LATER:
        return None
    name = "use rule" if word == "use" else word
    return scene.say(
        "F018", f"`{name}` is not available in this version yet", scene.span(scene.line), "leave it out for now"
    )


def snakemake_statement(scene: Scene) -> Diagnostic | None:
    """Statements of Snakemake, all of which have a colon."""
    word = scene.word(scene.line)
    if scene.in_rule() or scene.kind(scene.line + 1) != "COLON":
        return None
    if scene.at == scene.line and word in _SNAKEMAKE:
        message, hint = _SNAKEMAKE[word]
        first, last = scene.line + 2, scene.end - 1
        given = " ".join(scene.source.text[scene.tokens.starts[first] : scene.tokens.ends[last]].split())
        return scene.say("F017", message, scene.span(scene.line), hint.format(given if 0 < len(given) <= 60 else "…"))
    if scene.at == scene.line + 1 and word in _WITHOUT_COLON:
        hint = _WITHOUT_COLON[word]
        given = scene.quoted(scene.at + 1, scene.end - 1)[1:-1] if scene.at + 1 < scene.end else ""
        if given and not given.endswith("…") and word != "let":
            hint = f"write `{word} {given}`"
        return scene.say("F017", f"no `:` belongs after `{word}`", scene.span(scene.at), hint)
    return None


def python_statement(scene: Scene) -> Diagnostic | None:
    """Python where a statement or directive should begin."""
    word = scene.word(scene.line)
    follower = scene.kind(scene.line + 1)
    if scene.at > scene.line + 1 or word not in _PYTHON or follower in {"_ASSIGN", "COMMA"}:
        return None
    if follower == "COLON" and (scene.in_rule() or word != "try"):
        return None
    if word in {"shell", "os", "sys", "match"} and (scene.in_rule() or follower not in {"LPAR", "DOT", "NAME"}):
        return None
    return scene.say("F017", f"a Flowfile is not Python: no `{word}` here", scene.span(scene.line), _PYTHON[word])


def python_import(scene: Scene) -> Diagnostic | None:
    """`import pandas`."""
    if scene.kind(scene.line) != "IMPORT" or scene.kind(scene.line + 1) != "NAME" or scene.at != scene.line + 1:
        return None
    name = scene.word(scene.at)
    hint = 'write `table("x.tsv")` for tables; ' if name in {"pandas", "csv", "polars"} else ""
    hint += 'Python of your own goes into a file: `import "helpers.py" as h`'
    return scene.say("F017", f"a Flowfile is not Python: `{name}` cannot be imported", scene.span(scene.at), hint)


def assignment(scene: Scene) -> Diagnostic | None:
    """`SAMPLES = [...]`, `S, = glob_wildcards(...)` and their like."""
    if scene.at != scene.line or scene.in_rule() or scene.kind(scene.line) != "NAME":
        return None
    equals = scene.line + 1
    while scene.kind(equals) in {"NAME", "COMMA", "DOT"} and not scene.kind(equals) == scene.kind(equals - 1) == "NAME":
        equals += 1
    names = [scene.word(token) for token in range(scene.line, equals) if scene.kind(token) == "NAME"]
    signs = {"PLUS", "MINUS", "STAR", "SLASH"}
    if scene.kind(equals) in signs and scene.kind(equals + 1) == "_ASSIGN" and scene.touching(equals, equals + 1):
        sign = scene.quoted(equals, equals + 1)
        return scene.say(
            "F017", f"a constant keeps its value: no {sign} here", scene.span(equals, equals + 1), "use a new name"
        )
    if scene.kind(equals) != "_ASSIGN":
        return None
    capitals = names[0].upper()
    if scene.word(equals + 1) == "glob_wildcards" and scene.kind(equals + 3) == "STRING":
        pattern = scene.word(equals + 3)
        wildcards = re.findall(r"\{\s*(\w+)", pattern) or [name.lower() for name in names]
        pairs = zip(names, wildcards, strict=False)
        hint = "; ".join(f"`let {name.upper()} = glob({pattern}).{wildcard}`" for name, wildcard in pairs)
        return scene.say("F017", "a constant is defined with `let`", scene.span(scene.line, equals), f"write {hint}")
    hint = f"write `let {capitals} = …`" + (" for each name" if len(names) > 1 else "")
    if names[0] != capitals:
        hint += ": constants are in capitals, that tells them from wildcards"
    return scene.say("F017", "a constant is defined with `let`", scene.span(scene.line, equals), hint)


def lambda_(scene: Scene) -> Diagnostic | None:
    """`lambda wc: f(wc.s)`."""
    start = next((token for token in (scene.at, scene.at - 1) if scene.word(token) == "lambda"), None)
    if start is None:
        return None
    colon = start
    while scene.kind(colon) not in {"COLON", ""}:
        colon += 1
    if not scene.kind(colon) or colon + 1 >= scene.end:
        return scene.say("F017", "no `lambda` here", scene.span(start), "write the expression itself")
    end = scene.item_end(colon + 1)
    body = scene.source.text[scene.tokens.starts[colon + 1] : scene.tokens.ends[end]]
    if scene.kind(start + 1) == "NAME" and scene.word(start + 1) not in {"input", "output", "threads", "resources"}:
        body = re.sub(rf"\b{re.escape(scene.word(start + 1))}\b", "wildcards", body)
    body = " ".join(body.split())
    written = f", `{body}`" if len(body) <= 60 else ""
    hint = f"write the expression itself{written}; it is evaluated for each job"
    return scene.say("F017", "no `lambda` here", scene.span(start, colon), hint)


def python_operator(scene: Scene) -> Diagnostic | None:
    """Operators that Python or other languages have and a Flowfile has not."""
    at = scene.at
    pairs = {
        (":", "="): ("no `:=` here", "name the value with `let` above"),
        ("<", ">"): ("no `<>` here", "write `!=`"),
        ("==", "="): ("no `===` here", "write `==`"),
        ("!=", "="): ("no `!==` here", "write `!=`"),
        ("-", ">"): ("no `->` here", "leave it out"),
        ("=", ">"): ("no `=>` here", "write `>=`, or `=` for a name"),
        ("=", "<"): ("no `=<` here", "write `<=`"),
        ("<", "<"): ("no `<<` here", "multiply by a power of 2"),
        (">", ">"): ("no `>>` here", "divide by a power of 2"),
    }
    for first in (at - 1, at):
        found = pairs.get((scene.word(first), scene.word(first + 1)))
        if found and scene.touching(first, first + 1):
            return scene.say("F017", found[0], scene.span(first, first + 1), found[1])
    if scene.word(at) == "is" and scene.kind(at - 1):
        sign = "!=" if scene.kind(at + 1) == "NOT" else "=="
        return scene.say("F017", "no `is` here", scene.span(at), f"write `{sign}`")
    if scene.word(at - 1) in {"yield", "await"}:
        word = scene.quoted(at - 1)
        return scene.say("F017", f"a Flowfile is not Python: no {word} here", scene.span(at - 1), "write a list")
    return None
