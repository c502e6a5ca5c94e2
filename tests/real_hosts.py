"""Hosts for tests: network namespaces, each with its own name, processes and sshd, on one file system."""

import os
import random
import shutil
import subprocess
import time
from pathlib import Path

NEEDED = {
    "ip": "iproute2",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "tini": "tini",
    "ssh": "openssh-client",
    "/usr/sbin/sshd": "openssh-server",
}

_SSHD = """\
Port 22
ListenAddress {address}
HostKey {folder}/host_key
PidFile none
AuthorizedKeysFile {folder}/key.pub
PermitRootLogin yes
StrictModes no
UsePAM no
PrintMotd no
MaxStartups 100
"""

_START = """\
hostname {name}
mount --bind {folder}/hosts /etc/hosts
mount --bind {folder}/nsswitch.conf /etc/nsswitch.conf
mkdir -p /run/sshd
exec /usr/sbin/sshd -D -e -f {folder}/sshd.{name}
"""


def missing() -> str:
    """Why there can be no hosts here; empty if there can."""
    if os.geteuid() != 0:
        return "making network namespaces needs root"
    lacking = sorted({package for command, package in NEEDED.items() if shutil.which(command) is None})
    if lacking:
        return f"not installed: {', '.join(lacking)}"
    name = f"frprobe{os.getpid()}"
    if subprocess.run(["ip", "netns", "add", name], capture_output=True).returncode:
        return "network namespaces cannot be made here"
    _do("ip", "netns", "del", name)
    return ""


class Hosts:
    """Some hosts; `names` are known to ssh by the config file `config`, and among one another."""

    def __init__(self, folder: Path, count: int) -> None:
        self.folder = folder
        tag = f"{random.SystemRandom().randrange(1 << 20):05x}"
        self._net = "10.%d.%d" % (random.SystemRandom().randrange(64, 192), random.SystemRandom().randrange(256))
        self._tag = tag
        self.bridge = f"frb{tag}"
        self.names = [f"{tag}n{i}" for i in range(1, count + 1)]
        self.config = folder / "ssh_config"
        self.gateway = f"{self._net}.254"
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        for key in ("key", "host_key"):
            _do("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key))
        addresses = {name: f"{self._net}.{i}" for i, name in enumerate(self.names, 1)}
        self._addresses = addresses
        lines = [f"{address} {name}\n" for name, address in addresses.items()]
        (folder / "hosts").write_text(
            "127.0.0.1 localhost\n%s %s\n%s" % (self.gateway, os.uname().nodename, "".join(lines))
        )
        (folder / "nsswitch.conf").write_text("passwd: files\ngroup: files\nshadow: files\nhosts: files\n")
        self.config.write_text(
            "".join(f"Host {name}\n  HostName {address}\n" for name, address in addresses.items())
            + f"Host *\n  User root\n  IdentityFile {folder}/key\n  IdentitiesOnly yes\n"
            + "  StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n  LogLevel ERROR\n"
        )
        self.ssh = folder / "ssh"
        self.ssh.write_text(f'#!/bin/sh\nexec ssh -F {self.config} "$@"\n')
        self.ssh.chmod(0o755)
        _do("ip", "link", "add", self.bridge, "type", "bridge")
        _do("ip", "addr", "add", f"{self.gateway}/24", "dev", self.bridge)
        _do("ip", "link", "set", self.bridge, "up")
        for name in self.names:
            self._wire(name)
            self.start(name)

    def start(self, name: str) -> None:
        """Switch a host on, and wait for its sshd."""
        (self.folder / f"sshd.{name}").write_text(_SSHD.format(folder=self.folder, address=self._addresses[name]))
        script = _START.format(folder=self.folder, name=name)
        log = (self.folder / f"log.{name}").open("ab")
        self._running[name] = subprocess.Popen(
            [
                *("ip", "netns", "exec", name),
                *("unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--uts"),
                *("tini", "--", "sh", "-ec", script),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        log.close()
        end = time.monotonic() + 60
        while subprocess.run([str(self.ssh), name, "true"], capture_output=True).returncode:
            assert time.monotonic() < end, (self.folder / f"log.{name}").read_text()
            time.sleep(0.05)

    def power_off(self, name: str) -> None:
        """All processes of a host are gone at once."""
        process = self._running.pop(name)
        process.kill()
        process.wait()

    def shell(self, name: str, command: str) -> str:
        """What a command says on a host, run there without ssh."""
        first = self._first(name)
        argv = ["nsenter", "-t", str(first), "-n", "-p", "-m", "-u", "sh", "-c", command]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout

    def close(self) -> None:
        for name in list(self._running):
            self.power_off(name)
        for name in self.names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)
        subprocess.run(["ip", "link", "del", self.bridge], capture_output=True)

    def _wire(self, name: str) -> None:
        number = self.names.index(name)
        near, far = f"frv{self._tag}{number}", "eth0"
        _do("ip", "netns", "add", name)
        _do("ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns", name)
        _do("ip", "link", "set", near, "master", self.bridge, "up")
        _do("ip", "-n", name, "addr", "add", f"{self._addresses[name]}/24", "dev", far)
        _do("ip", "-n", name, "link", "set", "lo", "up")
        _do("ip", "-n", name, "link", "set", far, "up")

    def _first(self, name: str) -> int:
        """The first process of a host, as this machine counts: unshare's child."""
        pid = self._running[name].pid
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return int(file.read().split()[0])


def _do(*argv: str) -> None:
    subprocess.run(argv, check=True, capture_output=True)
