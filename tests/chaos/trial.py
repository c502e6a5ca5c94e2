"""One run of a random workflow that is disturbed, gone on with by plain reruns, and looked at in the end.

A seed decides the workflow, the options and the faults with their moments. What a fault meets there is a matter of
time, so a seed that failed is worth running more than once.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import faults
from dags import random_dag
from faults import BETWEEN, FEW, WITHIN, Moment
from places import Place
from processes import kill_all, processes_of

from flowrules.errors import FlowrulesError
from flowrules.record.store import Store

_LOOKS = """
import json, sys
from flowrules.cli.main import status_of
for call in json.loads(sys.argv[1]):
    print(f"\\n$ {' '.join(call)}", flush=True)
    print(f"\\n== {status_of(call)}", flush=True)
"""

RERUNS = 5
ENDING = (signal.SIGHUP, signal.SIGINT, signal.SIGKILL, signal.SIGTERM)
"""Signals that may end a driver that does not heed them yet, or no more."""

LEFT_SECONDS = 40.0
LOOK_SECONDS = 120.0
DISK = "16m"
_TRACEBACK = re.compile(r"^(?! *\| ).*Traceback \(most recent call last\)", re.MULTILINE)
"""The end of a job's log is shown behind bars: what its own code says is no mistake of the program."""

_LOOSE = 0.2
"""Seconds by which the clocks that wrote ledger and records may differ."""


@dataclass
class Verdict:
    """What came of a trial.

    Attributes:
        problems: kind and words; empty if all is well. Kinds: lost, repeated, corrupted, left, and others.
        happened: faults that struck, by name; missed: those whose moment did not come.
    """

    seed: int
    problems: list[tuple[str, str]] = field(default_factory=list)
    happened: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    jobs: int = 0
    seconds: float = 0.0
    folder: str = ""


class Driver:
    """A call of the program that runs the workflow; what it says goes to a file."""

    def __init__(self, trial: Trial, number: int, limit: int | None) -> None:
        self._trial = trial
        self.said = trial.folder / f"said.{number}"
        command = trial.place.command(trial.folder, *trial.options)
        if limit is not None:
            command = ["bash", "-c", f'ulimit -n {limit}; exec "$@"', "bash", *command]
        self._before = {event: self._count(event) for event in ("begin", "end", "line")}
        with open(self.said, "wb") as out:
            self._process = subprocess.Popen(
                command,
                cwd=trial.work,
                env=trial.place.environ(trial.folder),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
        self.pid = self._process.pid

    @property
    def lives(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    @property
    def words(self) -> int:
        """Lines it has said."""
        return self.said.read_bytes().count(b"\n")

    def send(self, number: int) -> bool:
        """Signal it; whether it lived."""
        if not self.lives:
            return False
        self._process.send_signal(number)
        if number == signal.SIGKILL:
            self._process.wait()
        return True

    def wait(self, patience: float) -> int | None:
        """Its status; None, and it is killed, where it does not end."""
        try:
            return self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return None

    def comes(self, moment: Moment, patience: float) -> bool:
        """Wait for a moment; whether it came while the driver lived."""
        end = time.monotonic() + patience
        while self.lives and time.monotonic() < end:
            if self._count(moment.event) - self._before.get(moment.event, 0) >= moment.count:
                return True
            time.sleep(0.004)
        return False

    def _count(self, event: str) -> int:
        if event == "word":
            return self.words
        path, needle = (self._trial.ledger, f" {event} ".encode())
        if event == "line":
            path, needle = self._trial.work / ".flowrules/journal", b"\n"
        try:
            return path.read_bytes().count(needle)
        except OSError:
            return 0


class Trial:
    """A workflow in a folder of its own, with what is to befall it.

    Attributes:
        folder: everything of it; work: the working directory; ledger: what jobs tell.
        small: the working directory is a small file system of its own; may_mount: such things can be had.
        apart: drivers cannot see one another's locks, as on several hosts.
    """

    def __init__(self, place: Place, seed: int, base: Path) -> None:
        self.place = place
        self.rng = rng = random.Random(seed)
        self.folder = Path(tempfile.mkdtemp(prefix=f"{place.name}-{seed}-", dir=base)).resolve()
        self.work = self.folder / "work"
        self.ledger = self.folder / "ledger"
        self.verdict = Verdict(seed, folder=str(self.folder))
        self.children: list[subprocess.Popen[bytes]] = []
        self.dag = random_dag(rng, batch=place.batch)
        self.verdict.jobs = len(self.dag.jobs)
        self.may_mount = os.geteuid() == 0 and place.name != "ssh"
        self._excused: dict[str, int] = {}
        self._mounted: list[str] = []
        self._done: Counter[str] = Counter()
        self._drivers = 0
        self.work.mkdir()
        self.ledger.touch()
        self.options = place.prepare(self.folder, rng)
        if place.name == "sandbox" and "walltime" not in self.dag.flowfile and rng.random() < 0.2:
            self.options += ["--set", "blocks.walltime=10s"]
            self._note("blocks of 10 seconds", True)
        self._rounds = [self._drawn_round() for _ in range(rng.randint(1, 3))]
        self.small = self.may_mount and any("fill the disk" in names for _, names, _ in self._rounds)
        if self.small:
            self.mount("-t", "tmpfs", "-o", f"size={DISK}", "none", str(self.work))
        self.apart = self.may_mount and any("another host takes over" in names for _, names, _ in self._rounds)
        if self.apart:
            (self.folder / "faults").mkdir(exist_ok=True)
            (self.folder / "faults/apart").touch()
        self.dag.write(self.work)

    def _drawn_round(self) -> tuple[str, dict[str, Moment], int | None]:
        """What befalls before a driver, while it runs, and how many files it may have open."""
        rng = self.rng
        before = rng.choice(list(BETWEEN)) if rng.random() < 0.4 else ""
        within: dict[str, Moment] = {}
        for _ in range(rng.choice([1, 1, 1, 2])):
            within[faults.drawn(rng, self.place.name)] = faults.random_moment(rng, len(self.dag.jobs))
        limit = rng.randint(16, 64) if rng.random() < 0.06 else None
        return before, within, limit

    def described(self) -> str:
        """What is to befall it, for people."""
        rounds = []
        for before, within, limit in self._rounds:
            words = [before] if before else []
            words += [f"{FEW} ({limit})"] if limit else []
            words += [f"{name} at {moment}" for name, moment in within.items()]
            rounds.append(" + ".join(words))
        return f"{len(self.dag.jobs)} jobs, {' '.join(self.options)}: {'; '.join(rounds)}"

    # ── what faults use ──────────────────────────────────────────────────────────────────────────────────────────────

    def finds(self, kind: str, words: str) -> None:
        """Something is wrong."""
        self.verdict.problems.append((kind, words))

    def excuse(self, path: str) -> None:
        """An output was destroyed: its job may run once more, and those that make what it needs for that."""
        for name in self.dag.remade_with(self.dag.maker[path]):
            self._excused[name] = self._excused.get(name, 0) + 1

    def mount(self, *args: str, known: bool = False) -> None:
        """Mount something, which is unmounted later; known: it is mounted already."""
        subprocess.run(["mount", *args], check=True, capture_output=True)
        if not known:
            self._mounted.append(args[-1])

    def look(self, *args: str) -> subprocess.CompletedProcess[str]:
        """A call of the program that soon ends; its output and errors are in one text."""
        command = self.place.command(self.folder, *args)
        env = self.place.environ(self.folder)
        try:
            done = subprocess.run(
                command,
                cwd=self.work,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=LOOK_SECONDS,
            )
        except subprocess.TimeoutExpired as error:
            self.finds("hung", f"`flowrules {' '.join(args)}` did not end")
            return subprocess.CompletedProcess(command, -1, str(error.stdout or ""))
        if _TRACEBACK.search(done.stdout):
            self.finds("traceback", f"`flowrules {' '.join(args)}`:\n{done.stdout}")
        return done

    # ── the way of a trial ───────────────────────────────────────────────────────────────────────────────────────────

    def run(self) -> Verdict:
        """Disturb, rerun, look; nothing is left running."""
        begun = time.monotonic()
        try:
            for before, within, limit in self._rounds:
                if before and not processes_of(self.folder):
                    self._note(before, BETWEEN[before](self) if self._drivers else False)
                self._disturb(within, limit)
                self._look_at_records()
            self._finish()
            self._look_at_processes()
            self._look_at_records()
            self._look_at_outputs()
            self._look_at_ledger()
            self._look_at_state()
            self._look_for_tracebacks()
        finally:
            self._unmount(0)
            kill_all(self.folder)
            for child in self.children:
                child.kill()
                child.wait()
            for line in self.place.happened(self.folder):
                self.verdict.happened[line] += 1
        self.verdict.seconds = time.monotonic() - begun
        return self.verdict

    def clean(self) -> None:
        """Remove its folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _disturb(self, within: dict[str, Moment], limit: int | None) -> None:
        driver = self._start(limit)
        if limit is not None:
            self._note(FEW, True)
        mounted = len(self._mounted)
        for name, moment in within.items():
            came = driver.comes(moment, self.place.patience)
            self._note(name, came and WITHIN[name].strike(self, driver))
        self._end(driver)
        self._unmount(mounted)

    def _finish(self) -> None:
        """Plain reruns until all is made."""
        for _ in range(RERUNS):
            if self._end(self._start(None)) == 0:
                return
        self.finds("lost", f"after {RERUNS} plain reruns all is still not made:\n{self._last_words()}")

    def _start(self, limit: int | None) -> Driver:
        self._drivers += 1
        return Driver(self, self._drivers, limit)

    def _end(self, driver: Driver) -> int | None:
        """Wait for the end of a driver, which is to say why it did not succeed."""
        status = driver.wait(self.place.patience)
        said = driver.said.read_text(errors="replace")
        if status is None:
            self.finds("hung", f"a driver did not end within {self.place.patience:g}s:\n{said[-3000:]}")
        elif status not in (0, 1, 2, 3, 130) and -status not in ENDING:
            self.finds("status", f"a driver ended with {status}:\n{said[-3000:]}")
        elif status > 0 and not said.strip():
            self.finds("wordless", f"a driver ended with {status} and did not say why")
        return status

    def _note(self, name: str, happened: bool) -> None:
        (self.verdict.happened if happened else self.verdict.missed)[name] += 1

    def _unmount(self, mounted: int) -> None:
        """Unmount all but the first few."""
        while len(self._mounted) > mounted:
            place = self._mounted.pop()
            if subprocess.run(["umount", place], capture_output=True).returncode:
                subprocess.run(["umount", "-l", place], capture_output=True)

    def _last_words(self) -> str:
        return (self.folder / f"said.{self._drivers}").read_text(errors="replace")[-3000:]

    # ── what is looked at ────────────────────────────────────────────────────────────────────────────────────────────

    def _good_ends(self) -> list[tuple[str, float]]:
        """Each good end that is recorded: of which job, and when it was."""
        try:
            records = [record for record in Store.open(str(self.work), read_only=True).records()]
        except FlowrulesError as error:
            self.finds("unreadable", f"the history cannot be read: {error}")
            return []
        good = [record for record in records if record.status == "done"]
        return [("-".join([record.rule, *record.wildcards.values()]), record.ended) for record in good]

    def _look_at_records(self) -> None:
        """Every job that is recorded as done stays so, and what it made is whole."""
        done = Counter(name for name, _ in self._good_ends())
        if lost := self._done - done:
            self.finds("lost", f"records are gone: {dict(lost)}")
        self._done = done
        for job in self.dag.jobs:
            if job.name in done:
                for path in job.outputs:
                    wrong = self._wrong(path)
                    if wrong and wrong != "is not there":
                        self.finds("corrupted", f"`{path}` of a job that is recorded as done {wrong}")
            if done[job.name] > 1 + self._excused.get(job.name, 0):
                self.finds("repeated", f"{job.name} is recorded as done {done[job.name]} times")

    def _wrong(self, path: str) -> str:
        """What is wrong with an output; "" for nothing."""
        place, wanted = self.work / path, self.dag.content[path]
        try:
            found = {p.name: p.read_bytes() for p in place.iterdir()} if place.is_dir() else {"": place.read_bytes()}
        except FileNotFoundError:
            return "is not there"
        return "" if found == wanted else f"holds {found!r} instead of {wanted!r}"

    def _look_at_outputs(self) -> None:
        for path in self.dag.kept:
            if wrong := self._wrong(path):
                kind = "lost" if wrong == "is not there" else "corrupted"
                self.finds(kind, f"in the end `{path}` {wrong}")
        known = {*self.dag.kept, *self.dag.sources}
        folders = {job.outputs[0].partition("/")[0] for job in self.dag.jobs}
        strange = {str(p.relative_to(self.work)) for folder in folders for p in (self.work / folder).glob("*")} - known
        if strange:
            self.finds("left", f"files are left that nobody asked for: {', '.join(sorted(strange))}")

    def _look_at_ledger(self) -> None:
        """No job began after its good end was recorded, unless its outputs were destroyed."""
        ended: dict[str, float] = {}
        for name, when in self._good_ends():
            ended[name] = min(when, ended.get(name, when))
        for line in self.ledger.read_text().splitlines():
            name, event, when = line.split(" ")
            late = float(when) - ended.get(name, float("inf"))
            if event == "begin" and late > _LOOSE and name not in self._excused:
                self.finds("repeated", f"{name} began {late:.2f}s after the end that is recorded as good")
        missing = [job.name for job in self.dag.jobs if job.name not in ended and not job.temps >= set(job.outputs)]
        if missing:
            self.finds("lost", f"no good end is recorded of {', '.join(missing)}")

    def _look_at_processes(self) -> None:
        end = time.monotonic() + LEFT_SECONDS
        while (left := processes_of(self.folder)) and time.monotonic() < end:
            time.sleep(0.1)
        if left:
            lines = "\n".join(f"{process.pid} ({process.parent}): {process.line[:300]}" for process in left)
            self.finds("left", f"processes are left:\n{lines}")

    def _look_at_state(self) -> None:
        """Commands that look succeed, and nothing is to be done any more."""
        report = ["report", "-o", str(self.folder / "report.html")]
        calls = [["status"], ["history"], ["failures"], report, ["-n", *self.options]]
        done = subprocess.run(
            [sys.executable, "-c", _LOOKS, json.dumps(calls)],
            cwd=self.work,
            env=self.place.environ(self.folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LOOK_SECONDS,
        )
        if _TRACEBACK.search(done.stdout):
            self.finds("traceback", done.stdout)
        if done.stdout.count("\n== 0\n") != len(calls):
            self.finds("unreadable", f"commands that look do not all succeed:\n{done.stdout}")
        if "will run" in done.stdout.rpartition("\n$ -n")[2]:
            self.finds("repeated", f"in the end something is still to run:\n{done.stdout}")

    def _look_for_tracebacks(self) -> None:
        state = self.work / ".flowrules"
        said = [*self.folder.glob("said.*"), self.folder / "twin", state / "sandbox/server.log"]
        for path in (*said, *(state / "blocks").rglob("*")):
            with suppress(OSError):
                content = path.read_text(errors="replace") if path.is_file() else ""
                if found := _TRACEBACK.search(content):
                    self.finds("traceback", f"{path.relative_to(self.folder)}:\n{content[found.start() :][:3000]}")
