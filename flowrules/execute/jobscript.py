"""Renders the job script of a block from a profile's template; what could break a scheduler's line is refused."""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Final

from flowrules.errors import UsageError
from flowrules.model.profile import Profile

if TYPE_CHECKING:
    import jinja2

LARGEST: Final = 1 << 20
"""Bytes of a template, and of a script."""

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,229}")
_WORD: Final = re.compile(r"[A-Za-z0-9._@-]*")
_DEPEND: Final = re.compile(r"[A-Za-z0-9.,:_\[\]@?-]*")
_BREAKS: Final = re.compile(r"""["'`\\$#]|[\x00-\x1f\x7f]""")
_ARRAY: Final = {"pbs": re.compile(r"-J\b"), "slurm": re.compile(r"(-a\b|--array\b)")}
_UNFILLED: Final = (
    TypeError,
    ValueError,
    ArithmeticError,
    LookupError,
    AttributeError,
    RecursionError,  # this and what follows: deeper than Python's own compiler likes, or too large
    SyntaxError,
    MemoryError,
)
"""What expressions of a template raise beside what Jinja2 says itself."""

_HEADS: Final = {"pbs": "#PBS", "slurm": "#SBATCH"}


@dataclass(frozen=True, slots=True)
class ScriptBlock:
    """A block as its job script describes it.

    Attributes:
        name: under which the batch system is to know it; queue: "" for the batch system's own choice.
        walltime: seconds.
        folder: absolute path of the block's folder, which exists: the batch system's own output goes there.
        directory: absolute path in which the command is run.
        depend: what the block waits for, in the batch system's words (`afterany:12:13`); "" for nothing.
    """

    name: str
    nodes: int
    walltime: float
    queue: str
    folder: str
    directory: str
    depend: str = ""


def require_options(profile: Profile) -> None:
    """Make sure that a profile says what its site demands, before anything is submitted.

    Raises:
        UsageError: keys of its `required` list have no value; names them and how to set them.
    """
    required = profile.options.get("required")
    missing = [key for key in required if not profile.options.get(key)] if isinstance(required, tuple) else []
    if missing:
        section = profile.scheduler
        keys = " and ".join(f"`{section}.{key}`" for key in missing)
        variable = f"FLOWRULES_SET_{section}__{missing[0]}".upper()
        hint = f"write `--set {section}.{missing[0]}=…`, or set {variable} once in your shell's start-up file"
        raise UsageError(f"the profile `{profile.name}` needs {keys}: the site takes no job without", hint)


def render_script(profile: Profile, block: ScriptBlock, command: str, *, emulated: bool = False) -> str:
    """The job script of a block.

    Args:
        command: the runner's command line, its words quoted for a shell.
        emulated: no site sees it, so that what the site demands may be missing.

    Raises:
        UsageError: the profile lacks what its site demands, a value cannot stand in a line that a scheduler reads, or
            the template cannot be read, has a mistake, or makes a script that does not start the command.
    """
    if not emulated:
        require_options(profile)
    _check(profile, block, command)
    values = {
        "profile": profile,
        "block": _Shown(block, profile),
        "options": profile.options,
        "command": command,
    }
    text = _rendered(profile.template, values)
    _check_script(profile, text, block, command)
    return text


def clock(seconds: float) -> str:
    """Seconds as `HH:MM:SS`, rounded up."""
    minutes, second = divmod(ceil(seconds), 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{second:02}"


class _Shown:
    """What a template sees of a block."""

    def __init__(self, block: ScriptBlock, profile: Profile) -> None:
        self.name, self.nodes, self.queue, self.depend = block.name, block.nodes, block.queue, block.depend
        self.folder, self.directory = block.folder, block.directory
        self.walltime, self.seconds = clock(block.walltime), ceil(block.walltime)
        self.rerunnable = any(queue.rerunnable for queue in profile.queues if queue.name == block.queue)
        # Slurm takes a file, in whose name `%` begins a code; PBS takes a folder, known by the slash
        folder = block.folder.rstrip("/").replace("%", "%%") if profile.scheduler == "slurm" else block.folder
        self.output = f"{folder}/batch-%j.out" if profile.scheduler == "slurm" else f"{folder.rstrip('/')}/"


def _check(profile: Profile, block: ScriptBlock, command: str) -> None:
    """Refuse values that a scheduler, or the shell that runs the script, would read as something else."""
    for what, value, form in (
        ("name", block.name, _NAME),
        ("queue", block.queue, _WORD),
        ("dependency", block.depend, _DEPEND),
    ):
        if not form.fullmatch(value):
            raise UsageError(f"the {what} `{value}` of a block cannot stand in a job script")
    for key, option in profile.options.items():
        texts: tuple[object, ...] = option if isinstance(option, tuple) else (option,)
        for item in texts:
            if isinstance(item, str):
                _refuse(item, f"`{profile.scheduler}.{key}`", "change it in the profile")
    array = _ARRAY.get(profile.scheduler)
    directives = profile.options.get("directives")
    for line in directives if isinstance(directives, tuple) else ():
        if array is not None and array.match(line.strip()):
            raise UsageError(
                f"`{profile.scheduler}.directives` asks for a job array: `{line}`",
                "leave it out: a block is one batch job, and its jobs are put on slots by the program",
            )
    where = "work in a folder whose path holds plain characters only"
    _refuse(block.folder, "the folder of a block", where)
    if profile.scheduler == "pbs" and any(char in block.folder for char in ":,"):
        raise UsageError(f"PBS would take a part of `{block.folder}` for the name of a host or another file", where)
    if "\n" in command or "\0" in command:
        raise UsageError("the command of a block has several lines", where)


def _refuse(text: str, what: str, hint: str) -> None:
    bad = _BREAKS.search(text)
    if bad is not None:
        shown = {"\n": "a newline", "\t": "a tab"}.get(bad[0], f"`{bad[0]}`")
        raise UsageError(f"{what} holds {shown}, which cannot stand in a job script: `{text}`", hint)


def _rendered(path: str, values: dict[str, object]) -> str:
    import jinja2

    try:
        with open(path, encoding="utf-8") as file:
            source = file.read(LARGEST + 1)
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or str(error)).lower() if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(f"the template `{path}` cannot be read: {reason}") from None
    if len(source) > LARGEST:
        raise UsageError(f"the template `{path}` is larger than 1MiB")
    name = os.path.basename(path)
    try:
        text = _environment().from_string(source).render(values)
    except jinja2.TemplateSyntaxError as error:
        raise UsageError(f"the template `{path}` has a mistake in line {error.lineno}: {error.message}") from None
    except jinja2.UndefinedError as error:
        hint = "a template knows `block`, `options`, `profile` and `command`"
        raise UsageError(f"the template `{path}` asks for something that is not there: {error.message}", hint) from None
    except (jinja2.TemplateError, *_UNFILLED) as error:
        raise UsageError(f"the template `{path}` cannot be filled in: {error}") from None
    if len(text) > LARGEST:
        raise UsageError(f"the script that `{name}` makes is larger than 1MiB")
    return text


def _environment() -> jinja2.Environment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters["quote"] = lambda value: shlex.quote(str(value))
    environment.filters["directive"] = _directive
    return environment


def _directive(value: object) -> str:
    """A value as one word of a line that a scheduler reads."""
    text = str(value)
    _refuse(text, "a value", "change it in the profile")
    return f'"{text}"' if re.search(r"\s", text) else text


def _check_script(profile: Profile, text: str, block: ScriptBlock, command: str) -> None:
    """A template of the user's own may leave out what the program relies on."""
    lines = text.splitlines()
    head = _HEADS.get(profile.scheduler, "")
    first = next((i for i, line in enumerate(lines) if line.strip() and not line.startswith("#")), len(lines))
    late = next((i for i, line in enumerate(lines) if i > first and line.startswith(f"{head} ")), None)
    mistakes = (
        (not text.startswith("#!"), "does not begin with `#!`, so its shell is not known"),
        (late is not None, f"has a line `{head}` after the first command, which is not read"),
        (block.name not in "\n".join(lines[:first]), "does not give the job its name, `{{ block.name }}`"),
        (command not in text, "does not start the runner, `{{ command }}`"),
    )
    for wrong, what in mistakes:
        if wrong:
            hint = "copy the template that comes with the program and change that"
            raise UsageError(f"the script that `{profile.template}` makes {what}", hint)
