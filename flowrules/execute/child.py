"""Where Python processes of jobs begin: `python child.py REQUEST` for one job; for a warm worker `python child.py`, or
with `--warm` on the node of a block (see `warmserve`).

It is started by path, with whatever interpreter the job wants, so it finds the rest of flowrules by itself.
"""

from __future__ import annotations

import os
import sys
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CHANNEL = 3
"""Descriptor by which a warm worker hears from the driver."""


def find_flowrules() -> None:
    """Make `import flowrules` work, and take this file's folder off the search path."""
    from importlib.util import module_from_spec, spec_from_file_location

    here = os.path.dirname(os.path.abspath(__file__))
    if sys.path and os.path.abspath(sys.path[0]) == here:
        del sys.path[0]
    package = os.path.dirname(here)
    spec = spec_from_file_location("flowrules", f"{package}/__init__.py", submodule_search_locations=[package])
    if spec is None or spec.loader is None:
        raise ImportError(f"flowrules is not in `{package}`")
    module = sys.modules["flowrules"] = module_from_spec(spec)
    spec.loader.exec_module(module)


def main() -> None:
    """Serve calls, or run one request; the process ends as the code in it wants."""
    find_flowrules()
    if len(sys.argv) == 1:
        from flowrules.execute.worker import serve

        serve(CHANNEL)
        return
    if sys.argv[1] == "--warm":
        from flowrules.execute import warmserve

        warmserve.serve(int(sys.argv[2]), sys.argv[3], sys.argv[4])
        return
    import json

    from flowrules.execute import inside

    with open(sys.argv[1], "rb") as file:
        request: dict[str, Any] = json.load(file)
    inside.line_buffered_streams()
    inside.hide_own_frames()
    if request["kind"] == "script":
        inside.run_script(request["path"], _main_module())
    elif request["kind"] == "run":
        inside.run_block(request, _main_module())
    elif request["kind"] == "call":
        from flowrules.execute.worker import call_once

        sys.exit(call_once(request))
    else:
        inside.render_template(request["path"])


def _main_module() -> ModuleType:
    """A new `__main__` for the user's code, with nothing of this file in it."""
    module = ModuleType("__main__")
    module.__dict__["__builtins__"] = sys.modules["builtins"]
    sys.modules["__main__"] = module
    return module


if __name__ == "__main__":
    main()
