"""`flowrules profiles list`, `show` and `check`: what profiles there are, what is in force, whether it fits."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import click

from flowrules.cli.completing import complete_profiles
from flowrules.cli.options import Sections, format_option
from flowrules.cli.texts import Helped, output


class Profiles(Helped, click.Group):
    """The three commands, in the order in which they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order in which help shows them."""
        return list(self.commands)


def overriding(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--set` and `--launcher`."""
    text = "Set a key of the profile; dotted keys, YAML values. May be repeated."
    function = click.option("--launcher", metavar="NAME", help="Set how work is started on nodes.")(function)
    return click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help=text)(function)


@click.group("profiles", cls=Profiles)
def profiles_command() -> None:
    """Show and check profiles: what the program knows of a machine and its batch system.

    \b
    flowrules profiles list             what profiles there are
    flowrules profiles show polaris     every value in force, and whence
    flowrules profiles check polaris    compare it with this machine
    """


@profiles_command.command("list", cls=Sections)
@format_option(["text", "json"])
def list_command(form: str) -> int:
    """List the profiles that a name finds.

    \b
    flowrules profiles list                  yours first, then those of the program
    flowrules profiles list --format json    with the folder of each

    Yours lie in ~/.config/flowrules/profiles, a folder each.
    """
    from flowrules.app.profiles import all_profiles
    from flowrules.show.profiles import Listed, render_profiles

    out = output()
    listed = [
        Listed(found.name, "yours" if found.own else "built in", found.about, found.folder)
        for found in all_profiles(os.environ)
    ]
    out.text(render_profiles(listed, form, out.color, out.columns))
    return 0


@profiles_command.command("show", cls=Sections, short_help="Show what is in force, and where it comes from.")
@click.argument("name", metavar="NAME", shell_complete=complete_profiles)
@overriding
@format_option(["text", "json"])
def show_command(name: str, sets: tuple[str, ...], launcher: str | None, form: str) -> int:
    """Show the profile NAME, or that in a folder, as it is in force, with the origin of each value.

    \b
    flowrules profiles show polaris
    flowrules profiles show polaris --set blocks.nodes=4
    flowrules profiles show ./mine > ~/.config/flowrules/profiles/mine/profile.yaml
    """
    from flowrules.app.profiles import open_profile
    from flowrules.show.profiles import render_profile

    out = output()
    out.text(render_profile(open_profile(name, os.environ, sets, launcher), form, out.color))
    return 0


@profiles_command.command("check", cls=Sections, short_help="Check a profile, and compare it with this machine.")
@click.argument("name", metavar="NAME", shell_complete=complete_profiles)
@overriding
@format_option(["text", "json"])
def check_command(name: str, sets: tuple[str, ...], launcher: str | None, form: str) -> int:
    """Check the profile NAME: its keys, the commands it needs and, in a batch job, the node.

    \b
    flowrules profiles check polaris
    flowrules profiles check ./mine --set pbs.account=me

    The status is 0 if everything is as the profile says, 1 if something is not, 2 if the profile has mistakes.
    """
    from flowrules.app.profile_check import check_profile
    from flowrules.app.profiles import open_profile
    from flowrules.show.profiles import render_findings

    out = output()
    findings = check_profile(open_profile(name, os.environ, sets, launcher), os.environ)
    out.text(render_findings(findings, form, out.color, out.columns))
    return int(any(finding.state == "wrong" for finding in findings))
