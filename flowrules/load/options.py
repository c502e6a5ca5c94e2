"""What a call says about loading a workflow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

ImportModule: TypeAlias = Callable[[str], object]
"""Runs a Python file, given by its path, and gives the module; whatever it raises is reported."""


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """How a workflow is loaded.

    Attributes:
        config: `KEY=VALUE` texts of the command line, in order.
        configfiles: further config files, relative to the working directory; they win over the Flowfile's.
        environ: environment variables, for `envvars` and `env`.
        import_module: how `import` runs a Python file; None where the caller cannot.
        no_python: `import` is refused.
        untrusted: `import` and `env` are refused, and reading is confined to the workflow's folders.
    """

    config: tuple[str, ...] = ()
    configfiles: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    import_module: ImportModule | None = None
    no_python: bool = False
    untrusted: bool = False
