"""Runs the Python files that a workflow imports: the one door to Python while planning."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
from types import ModuleType


def import_module(path: str) -> ModuleType:
    """Runs a Python file and gives the module.

    The file's folder is on `sys.path` while it runs, as for a script. Whatever it raises is raised.

    Raises:
        ImportError: it is no Python file.
    """
    location = os.path.abspath(path)
    name = "flowrules_import_" + hashlib.sha256(location.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    spec = importlib.util.spec_from_file_location(name, location)
    if spec is None or spec.loader is None:
        raise ImportError(f"`{path}` is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    folder = os.path.dirname(location)
    sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    finally:
        if folder in sys.path:
            sys.path.remove(folder)
    return module
