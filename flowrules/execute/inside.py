"""What happens inside a job's Python process: scripts, run blocks and templates run, and how their failures read."""

from __future__ import annotations

import linecache
import os
import re
import sys
from contextlib import suppress
from types import ModuleType, TracebackType

from flowrules.jobdoc import Fields, JobList, JobView, load_job

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

_HERE = os.path.dirname(os.path.abspath(__file__))
_UNFILLED = re.compile(
    r"(?<![$\w\\])\{(?:input|output|params|wildcards|threads|resources|log|config|attempt)(?:\.\w+|\[[\w-]+\])*\}"
)


class CommandFailed(RuntimeError):
    """A command of `shell()` did not end with status 0.

    Attributes:
        exit: its exit status; negative signal number where a signal ended it.
    """

    def __init__(self, command: str, exit: int) -> None:
        self.exit = exit
        how = f"was ended by signal {-exit}" if exit < 0 else f"ended with status {exit}"
        shown = command if len(command) <= 200 else command[:200] + "…"
        super().__init__(f"the command {how}: {shown.strip()}")


def line_buffered_streams() -> None:
    """Write out each line at once, so that output and error stand in the log in the order they were made."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(line_buffering=True)


def hide_own_frames() -> None:
    """Let tracebacks that end this process show the user's code only."""

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        print_failure(error)

    sys.excepthook = hook


def print_failure(error: BaseException) -> None:
    """Write a traceback to the log, after what the code printed before; frames of flowrules are left out."""
    import traceback

    with suppress(OSError, ValueError, AttributeError):
        sys.stdout.flush()
    told = traceback.TracebackException.from_exception(error)
    told.stack[:] = [frame for frame in told.stack if not _is_own(frame.filename)]
    sys.stderr.writelines(told.format())


def run_script(path: str, module: ModuleType) -> None:
    """Run a Python file as `python PATH` would."""
    with open(path, "rb") as file:
        source = file.read()
    sys.argv = [path]
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    module.__file__ = path
    code = compile(source, path, "exec", dont_inherit=True)
    exec(code, module.__dict__)


def run_block(request: dict[str, Any], module: ModuleType) -> None:
    """Run the Python text of a `run:` block; its lines keep the numbers they have in the Flowfile."""
    text, file = request["text"], request["file"]
    padded = "\n" * (request["first_line"] - 1) + text
    linecache.cache[file] = (len(padded), None, padded.splitlines(keepends=True), file)
    job = load_job()
    shell = request["shell"]

    def run_shell(command: str) -> None:
        """Run a command under the rule's shell; raises CommandFailed if it fails."""
        run_command(command, shell)

    sys.argv = [file]
    sys.path.insert(0, os.path.dirname(os.path.abspath(file)))
    module.__dict__.update(job_names(job), shell=run_shell)
    exec(compile(padded, file, "exec", dont_inherit=True), module.__dict__)


def job_names(job: JobView) -> dict[str, Any]:
    """The names a run block and a template know."""
    return {name: getattr(job, name) for name in JobView.NAMES if name != "rule"}


def run_command(command: str, shell: Sequence[str]) -> None:
    """Run a shell command with the job's output and error as its own.

    Raises:
        CommandFailed: it did not end with status 0.
        ValueError: it holds a placeholder that nothing will fill in.
    """
    import subprocess
    import tempfile

    if unfilled := _UNFILLED.search(command):
        raise ValueError(
            f'`{unfilled[0]}` is not filled in by `shell()` in a run block: write an f-string, shell(f"…")'
        )
    sys.stdout.flush()
    sys.stderr.flush()
    if len(os.fsencode(command)) < 100_000:
        status = subprocess.run([*shell, "-c", command], stdin=subprocess.DEVNULL, check=False).returncode
    else:
        with tempfile.NamedTemporaryFile("wb", suffix=".sh") as file:
            file.write(os.fsencode(command) + b"\n")
            file.flush()
            argv = [*shell, "-c", '. "$1"', shell[0], file.name]
            status = subprocess.run(argv, stdin=subprocess.DEVNULL, check=False).returncode
    if status:
        raise CommandFailed(command, status)


def render_template(path: str) -> None:
    """Render a Jinja2 file to the one output of the job, all of it or nothing."""
    import jinja2
    from jinja2.sandbox import SandboxedEnvironment

    class Absent(jinja2.StrictUndefined):
        """What is not there, told in the words of the job where it is a part of it."""

        @property
        def _undefined_message(self) -> str:
            if isinstance(self._undefined_obj, (JobList, Fields)) and isinstance(self._undefined_name, str):
                return self._undefined_obj.absent(self._undefined_name)
            return super()._undefined_message

    job = load_job()
    folder, name = os.path.split(path)
    environment = SandboxedEnvironment(
        loader=jinja2.FileSystemLoader(folder or "."),
        undefined=Absent,
        keep_trailing_newline=True,
        autoescape=False,
    )
    try:
        text = environment.get_template(name).render(job_names(job))
    except jinja2.TemplateSyntaxError as error:
        sys.exit(f"{error.filename or path}:{error.lineno}: error: {error.message}")
    except jinja2.TemplateNotFound as error:
        sys.exit(f"{path}: error: there is no template `{error.name}`")
    except Exception as error:
        where = _template_place(error.__traceback__) or path
        sys.exit(f"{where}: error: {error}")
    write_whole(os.fspath(job.output), text)


def write_whole(path: str, text: str) -> None:
    """Write a file so that it is there in full or not at all."""
    folder, name = os.path.split(path)
    part = os.path.join(folder, f".{name[:200]}.{os.getpid()}.part")
    try:
        with open(part, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            file.write(text)
        os.replace(part, path)
    except BaseException:
        if os.path.lexists(part):
            os.unlink(part)
        raise


def _template_place(trace: TracebackType | None) -> str:
    """File and line of the innermost template frame; Jinja2 gives its frames the template's name and lines."""
    place = ""
    while trace is not None:
        if "__jinja_exception__" in trace.tb_frame.f_globals:
            place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def _is_own(filename: str) -> bool:
    return os.path.dirname(filename) == _HERE or filename.startswith("<frozen ")
