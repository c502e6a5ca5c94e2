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
}

PLANNING: Final = {
    "F501": "missing input",
}

RUNNING: Final = {
    "F601": "job failed",
}

CALL: Final = {
    "F701": "unknown target",
}

LINT: Final = {
    "L001": "risky habit",
}

CODES: Final = {**SYNTAX, **EXPRESSIONS, **RULES, **SHELL, **CONFIG, **PLANNING, **RUNNING, **CALL, **LINT}
