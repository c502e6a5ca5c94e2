"""Keeps state folders of this version, so that later ones can be tested with them; run it in a checkout, as root.

Makes tests/golden/state/VERSION/: for each of three small workflows its files (`files`), its state folder (`state`),
and the times of its files (`times.json`). `local`: a run on this machine, with a failure. `sandbox`: a campaign that
came to its end. `left`: one whose driver was killed, and whose block went on and closed. Only what is text, and nothing
of this machine: it runs in a folder and on a host of plain names, and the interpreter is called so too.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
WORK = Path("/tmp/flowrules-state")
HOST = "laptop"

MACHINE = """\
scheduler: pbs
node: {cpus: 4, gpus: {env: CUDA_VISIBLE_DEVICES, slots: [{id: "0", cpus: "0-1"}, {id: "1", cpus: "2-3"}]}}
blocks: {nodes: 1, walltime: 20min, idle: 2s}
"""

LOCAL = """\
# Words of two texts, and a count of both; one rule fails.
rule all:
    input: "count.txt"

rule words:
    input: "{text}.txt"
    output: "words/{text}.txt"
    params: case="lower"
    shell: "tr -s ' ' '\\\\n' < {input} > {output}; echo said {params.case}"

rule count:
    input: expand("words/{text}.txt", text=["one", "two"])
    output: "count.txt"
    threads: 2
    resources: mem=10MB
    shell: "cat {input} | wc -l > {output}"

rule bad:
    output: "bad.txt"
    shell: "echo no such luck; exit 3"
"""

CAMPAIGN = """\
# Four jobs on a GPU each, a scratch file of each that goes, and a table.
rule all:
    input: "table.txt"

rule model:
    output: "runs/{seed}.txt", temp("scratch/{seed}.txt")
    resources: gpus=1, walltime=1min
    shell: "echo {seed} > scratch/{seed}.txt; echo seed {seed} > runs/{seed}.txt{hold}"

rule table:
    input: expand("runs/{seed}.txt", seed=range(1, 5))
    output: "table.txt"
    local: true
    shell: "cat {input} > {output}"
"""

HOLD = "; touch up; until [[ -e go ]]; do sleep 0.05; done"

ZEROS = str.maketrans("123456789abcdef", "0" * 15)

WORKFLOWS = {
    "local": {"Flowfile": LOCAL, "one.txt": "a rule of thumb\n", "two.txt": "a file\n"},
    "sandbox": {"Flowfile": CAMPAIGN.replace("{hold}", ""), "machine/profile.yaml": MACHINE},
    "left": {"Flowfile": CAMPAIGN.replace("{hold}", HOLD), "machine/profile.yaml": MACHINE},
}

DROPPED = (".gitignore", "lock", "plans", "sandbox")
"""Of a state folder: caches, locks, and the emulated batch system."""


def main() -> None:
    """Makes the folders."""
    if os.uname().nodename != HOST:  # in a namespace with a host name of its own
        script = f'hostname {HOST} && exec "$@"'
        sys.exit(
            subprocess.run(
                ["unshare", "--uts", "sh", "-c", script, "sh", sys.executable, *sys.argv], check=False
            ).returncode
        )
    version = subprocess.run([*flowrules(), "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]
    target = ROOT / "tests" / "golden" / "state" / version
    shutil.rmtree(WORK, ignore_errors=True)
    for name, files in WORKFLOWS.items():
        folder = WORK / name
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        {"local": run_local, "sandbox": run_sandbox, "left": leave}[name](folder)
        keep(folder, target / name)
    shutil.rmtree(WORK)


def flowrules() -> list[str]:
    return [sys.executable, "-m", "flowrules"]


def run(folder: Path, *arguments: str, status: int = 0) -> None:
    done = subprocess.run([*flowrules(), *arguments], cwd=folder, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != status:
        raise RuntimeError(f"`flowrules {' '.join(arguments)}` ended with {done.returncode}")


def run_local(folder: Path) -> None:
    """All is made; then a rule fails."""
    run(folder, "-q", "-j", "2")
    run(folder, "-q", "bad.txt", status=1)


CALL = ("-q", "-j", "4", "--profile", "./machine", "--sandbox")


def run_sandbox(folder: Path) -> None:
    """A campaign to its end."""
    run(folder, *CALL)


def leave(folder: Path) -> None:
    """The driver is killed while jobs run; the block ends them and closes."""
    driver = subprocess.Popen([*flowrules(), *CALL], cwd=folder, stdin=subprocess.DEVNULL)
    wait_for(lambda: (folder / "up").exists())
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    (folder / "go").touch()
    log = folder / ".flowrules/blocks/b001/runs/01/log"
    wait_for(lambda: "\tclosed\t" in log.read_text())
    (folder / "up").unlink()


def wait_for(seen: object) -> None:
    end = time.monotonic() + 60
    while not seen():  # type: ignore[operator]
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.05)


def keep(folder: Path, target: Path) -> None:
    """Copies a workflow's files and its state folder, and notes the files' times."""
    shutil.rmtree(target, ignore_errors=True)
    times = {}
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    # none of these is in lines that have sums
    replaced = {sys.executable: "/usr/bin/python3", str(ROOT): "/opt/flowrules", boot: boot.translate(ZEROS)}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        state = inside.parts[0] == ".flowrules"
        if state and not set(DROPPED).isdisjoint(inside.parts):
            continue
        if path.is_file():
            if not state:
                times[str(inside)] = path.stat().st_mtime_ns
            place = target / ("state" if state else "files") / (inside.relative_to(".flowrules") if state else inside)
            place.parent.mkdir(parents=True, exist_ok=True)
            text = path.read_text(encoding="utf-8")  # anything else is not to be kept
            for here, there in replaced.items():
                text = text.replace(here, there)
            place.write_text(text)
    (target / "times.json").write_text(json.dumps(times, indent=1) + "\n")


if __name__ == "__main__":
    main()
