"""Every diagnostic code with its title: the one list that program and documentation read.

F0xx syntax · F1xx names and expressions · F2xx rules and statements · F3xx shell text · F4xx config and schema
F5xx planning · F6xx running · F7xx the call · W… warnings of the same ranges · L… lint
"""

from __future__ import annotations

from typing import Final

SYNTAX: Final = {
    "F001": "the text cannot be read",
}

EXPRESSIONS: Final = {
    "F101": "unknown name",
}

RULES: Final = {
    "F201": "unknown directive",
}

SHELL: Final = {
    "F301": "unknown placeholder",
}

CONFIG: Final = {
    "F401": "the file is no valid YAML",
    "F402": "a YAML key is written twice",
    "F403": "unknown YAML tag",
    "F404": "the YAML is too large or too deep",
    "F405": "a config or schema file is missing",
    "F406": "a config file holds no mapping",
    "F407": "a config value breaks the schema",
    "F408": "the schema is no valid JSON Schema",
    "F409": "the schema refers to another file",
    "F410": "a mistake in `--config`",
    "F411": "`config` where it cannot stand",
}

PLANNING: Final = {
    "F501": "missing input",
    "F502": "two rules make one file",
    "F503": "circle of rules",
    "F504": "rule needs its own output",
    "F505": "rule asks for itself without end",
    "F506": "file that a rule makes is read while planning",
    "F507": "resource without unit",
    "F508": "value of the wrong kind",
    "F509": "more errors than are shown",
    "F510": "checkpoints read each other without end",
    "F511": "protected file would be overwritten",
}

RUNNING: Final = {
    "F601": "job failed",
}

CALL: Final = {
    "F701": "unknown target",
    "F702": "option names nothing in this plan",
    "F703": "no rules",
    "F704": "rule with wildcards as a target",
}

LINT: Final = {
    "L001": "risky habit",
}

CODES: Final = {**SYNTAX, **EXPRESSIONS, **RULES, **SHELL, **CONFIG, **PLANNING, **RUNNING, **CALL, **LINT}
