"""A folder with an executor in it, and orders in one line, for the tests of `flowrules.execute`."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator

from flowrules.execute.local import LocalExecutor
from flowrules.execute.processes import find
from flowrules.model.order import Order, Outcome
from flowrules.model.rule import CallAction, RunAction, ScriptAction, ShellAction, TemplateAction
from flowrules.span import Source, Span

SPAN = Span(Source("Flowfile", ""), 0, 0)
PATIENCE = 90.0


def items(*paths: object, **named: object) -> dict[str, object]:
    """The part of a document that holds files or params."""
    values, names = list(paths), {}
    for name, value in named.items():
        more = value if isinstance(value, list) else [value]
        names[name] = [len(values), len(values) + len(more)]
        values.extend(more)
    return {"items": values, "names": names}


class Box:
    """An executor that runs orders in the current folder."""

    def __init__(self, executor: LocalExecutor) -> None:
        self.executor = executor
        self.number = 0

    def order(self, action: object, command: str = "", *, log: str = "log", **fields: object) -> Order:
        self.number += 1
        return Order(self.number, fields.pop("attempt", 1), "a job", action, command, log=log, **fields)

    def shell(self, command: str, **fields: object) -> Order:
        return self.order(ShellAction(None, "", SPAN), command, **fields)

    def script(self, path: str, text: str = "", **fields: object) -> Order:
        if text:
            with open(path, "w") as file:
                file.write(text)
        return self.order(ScriptAction(path, SPAN), **fields)

    def block(self, text: str, **fields: object) -> Order:
        return self.order(RunAction(text, text, "Flowfile", fields.pop("first_line", 1), SPAN), **fields)

    def template(self, path: str, text: str, **fields: object) -> Order:
        with open(path, "w") as file:
            file.write(text)
        return self.order(TemplateAction(path, SPAN), **fields)

    def call(self, target: str, **fields: object) -> Order:
        where, _, function = target.partition(":")
        path, module = (where, None) if where.endswith(".py") else (None, where)
        return self.order(CallAction(path, module, function, SPAN), **fields)

    def run(self, order: Order) -> Outcome:
        """Start an order and wait for its end."""
        self.executor.start(order)
        return self.outcome(order)

    def outcome(self, order: Order) -> Outcome:
        outcomes = self.outcomes(1)
        assert [outcome.job for outcome in outcomes] == [order.job]
        return outcomes[0]

    def outcomes(self, count: int) -> list[Outcome]:
        end = time.monotonic() + PATIENCE
        found: list[Outcome] = []
        while len(found) < count and time.monotonic() < end:
            found += self.executor.wait(end - time.monotonic())
        assert len(found) == count
        return found

    def until(self, condition: Callable[[], object]) -> None:
        """Wait for something a job does; outcomes stay where they are."""
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, "it did not happen"
            time.sleep(0.005)

    def log(self, path: str = "log") -> str:
        with open(path) as file:
            return file.read()

    def living(self) -> list[int]:
        """Processes of this run that are alive."""
        return find(self.executor.run_id)


def boxes(tmp_path, monkeypatch, pidfds: bool | None = None) -> Iterator[Box]:
    """A box that is checked afterwards: no process, no descriptor and no handler stays behind."""
    monkeypatch.chdir(tmp_path)
    before = signal.getsignal(signal.SIGCHLD), len(os.listdir("/proc/self/fd"))
    executor = LocalExecutor(f"test-{os.getpid()}-{time.time_ns()}", grace=0.3, python=sys.executable, pidfds=pidfds)
    box = Box(executor)
    try:
        yield box
    finally:
        executor.close()
        executor.close()
    assert box.living() == []
    assert (signal.getsignal(signal.SIGCHLD), len(os.listdir("/proc/self/fd"))) == before
