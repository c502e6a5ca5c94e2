"""No port is open and nobody is called: what driver, blocks, agents and jobs say to each other goes by files and pipes.

So proxies and firewalls of a site cannot be in the way. Read off the source: what speaks to a network is not imported, and the
sockets there are lie on one machine.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "flowrules"

SPEAKS = frozenset(
    [
        "aiohttp",
        "asyncio",
        "ftplib",
        "http",
        "httpx",
        "imaplib",
        "paramiko",
        "poplib",
        "requests",
        "smtplib",
        "socketserver",
        "ssl",
        "urllib3",
        "xmlrpc",
        "zmq",
    ]
)
"""Modules that are of use for networks only, or bring them along."""


def trees() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield str(path.relative_to(PACKAGE)), ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


def test_nothing_that_speaks_to_a_network_is_imported():
    found = {(path, name) for path, tree in trees() for name in imported(tree)}
    assert len(found) > 1000, "the source was read"
    assert not [(path, name) for path, name in found if name.partition(".")[0] in SPEAKS or name == "urllib.request"]


def test_sockets_are_of_this_machine():
    made = []
    for path, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("socket", "socket.socket"):
                made.append((path, ast.unparse(node)))
    assert len(made) >= 3, "they were found"
    assert not [(path, text) for path, text in made if "AF_UNIX" not in text and "fileno=" not in text]
    used = {(path, node.attr) for path, tree in trees() for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not [(path, name) for path, name in used if name in ("AF_INET", "AF_INET6", "create_connection")]
