"""Finds profiles on disk (a path, the user's own, those of the program) and loads them with what is set beside them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from flowrules import bundled
from flowrules.errors import UsageError, suggestion
from flowrules.load.profile_settings import Overrides
from flowrules.load.profiles import load_profile
from flowrules.model.profile import Profile
from flowrules.span import Source
from flowrules.syntax.reader import decode_source

FILE: Final = "profile.yaml"
TEMPLATE: Final = "job.sh.j2"
LARGEST: Final = 1 << 20
"""Bytes of a profile."""


@dataclass(frozen=True, slots=True)
class Found:
    """A profile on disk.

    Attributes:
        own: it is the user's, not the program's.
        about: the comment at its beginning.
    """

    name: str
    folder: str
    own: bool
    about: str


def open_profile(
    name: str, environ: Mapping[str, str], sets: Sequence[str] = (), launcher: str | None = None
) -> Profile:
    """The profile of a name or path, with what environment variables, `--set` and `--launcher` change.

    Raises:
        UsageError: there is no such profile.
        FlowfileError: with everything that is wrong with it.
    """
    folder = find_profile(name, environ)
    overrides = Overrides(environ, tuple(sets), launcher)
    source = _source(folder)
    called = os.path.basename(folder) if _is_path(name) else name
    # which template is needed is known only when the scheduler is
    profile = load_profile(source, called, overrides)
    template = _template(folder, profile.scheduler)
    return load_profile(source, called, overrides, template) if template else profile


def find_profile(name: str, environ: Mapping[str, str]) -> str:
    """The absolute folder of a profile: a path as it is, a name in the user's folder, then among those of the program.

    Raises:
        UsageError: there is none; names those there are.
    """
    if _is_path(name):
        folder = os.path.dirname(name) or "." if os.path.basename(name) == FILE else name.rstrip("/") or "/"
        if not os.path.isfile(os.path.join(folder, FILE)):
            raise UsageError(f"there is no profile in `{folder}`", f"a profile is a folder with a file `{FILE}`")
        return os.path.abspath(folder)
    for place in profile_folders(environ):
        folder = os.path.join(place, name)
        if name and os.path.isfile(os.path.join(folder, FILE)):
            return folder
    names = list(dict.fromkeys(found.name for found in all_profiles(environ)))
    hint = suggestion(name, names) or "there are " + ", ".join(f"`{known}`" for known in names)
    if os.path.isfile(os.path.join(name, FILE)):
        hint = f"a folder here is written as a path: `./{name}`"
    raise UsageError(f"there is no profile `{name}`", hint)


def all_profiles(environ: Mapping[str, str]) -> list[Found]:
    """Every profile that a name finds, sorted by name; one of the user's hides one of the program's."""
    found: dict[str, Found] = {}
    for place in profile_folders(environ):
        try:
            names = sorted(os.listdir(place))
        except OSError:
            continue
        for name in names:
            folder = os.path.join(place, name)
            if name not in found and os.path.isfile(os.path.join(folder, FILE)):
                found[name] = Found(name, folder, place != bundled.profiles_folder(), _about(folder))
    return [found[name] for name in sorted(found)]


def profile_folders(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Where names of profiles are looked for, in this order."""
    config = environ.get("XDG_CONFIG_HOME", "")
    if not os.path.isabs(config):  # the specification wants such a value to be ignored
        home = environ.get("HOME", "")
        config = os.path.join(home, ".config") if os.path.isabs(home) else ""
    own = (os.path.join(config, "flowrules", "profiles"),) if config else ()
    return (*own, bundled.profiles_folder())


def _is_path(name: str) -> bool:
    return "/" in name or name in (".", "..", FILE)


def _template(folder: str, scheduler: str) -> str:
    """The job script's template: the profile's own, else the one of its scheduler; "" where there is no scheduler."""
    if scheduler == "none":
        return ""
    own = os.path.join(folder, TEMPLATE)
    return own if os.path.isfile(own) else os.path.join(bundled.profiles_folder(), scheduler, TEMPLATE)


def _source(folder: str) -> Source:
    """The text of a profile, under the path that a user would type."""
    path = os.path.join(folder, FILE)
    try:
        if os.path.getsize(path) > LARGEST:
            raise UsageError(f"the profile `{path}` is larger than 1MiB")
        with open(path, "rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise UsageError(f"the profile `{path}` cannot be read: {(error.strerror or str(error)).lower()}") from None
    near = os.path.relpath(path)
    return decode_source(path if near.startswith("..") else near, data, folder)


def _about(folder: str) -> str:
    """The first comment line of a profile; "" where it has none."""
    try:
        with open(os.path.join(folder, FILE), encoding="utf-8", errors="replace") as file:
            line = file.readline(500).strip()
    except OSError:
        return ""
    return line.lstrip("# ") if line.startswith("#") else ""
