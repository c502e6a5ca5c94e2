"""Understands what the commands of PBS answer: states, ends, refusals. Functions of text alone.

Exit statuses of the commands are the last eight bits of PBS's error numbers, which begin with 15000.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from flowrules.errors import BatchError, BatchFull
from flowrules.execute.batch.commands import Answer
from flowrules.model.batch import BatchState, BatchStatus

Attributes: TypeAlias = Mapping[str, object]
"""What `qstat -f` says of a batch job; values may be of any type, whatever they should be."""

UNKNOWN = 153
FINISHED = 35
EXITING = frozenset({168, 237})
"""`qdel` comes too late: the state of the batch job does not allow it, or it is being deleted."""

_STATES = {
    **dict.fromkeys("QWTM", BatchState.QUEUED),
    **dict.fromkeys("HSU", BatchState.HELD),
    **dict.fromkeys("REB", BatchState.RUNNING),
    **dict.fromkeys("FX", BatchState.ENDED),
}
_DELETED = "91"

_REFUSED = frozenset(
    number & 0xFF
    for number in (
        *(15002, 15003, 15004, 15005, 15007, 15008, 15014, 15018, 15021, 15022, 15023, 15026, 15028, 15029),
        *(15032, 15035, 15036, 15037, 15039, 15045, 15048, 15049, 15054, 15062, 15067, 15068, 15089),
        *(15107, 15108, 15109, 15110, 15111, 15116, 15136, 15144, 15155, 15169, 15172, 15173, 15175),
    )
) | {2}
_FULL = re.compile(r"would exceed .*limit|maximum number of jobs", re.IGNORECASE)
_PASSING = re.compile(
    r"cannot connect|connection (refused|reset|timed out)|timed? ?out|no route to host|unknown host|end of file"
    r"|premature end|try again|temporarily|server (is )?(busy|shutting down)|encountered an exception|protocol",
    re.IGNORECASE,
)
_NO_HISTORY = re.compile(r"not configured to maintain job history", re.IGNORECASE)

_ENDS = {
    -1: "could not be started: its files or its user's account are not right on the node",
    -2: "could not be started",
    -3: "could not be started; PBS gave up",
    -4: "was ended because PBS was restarted on its node",
    -5: "was ended because PBS was restarted on its node",
    -6: "was ended because PBS was restarted on its node",
    -10: "could not be started: its user is not known on the node",
    -11: "was ended to be run again",
    -14: "was ended to be run again: one of its nodes failed",
    -17: "was ended by a hook of the site",
    -19: "was ended by a hook of the site",
    -20: "was ended because its first node was lost",
    -24: "was ended because it used more cores than it asked for",
    -25: "was ended because it used more cores than it asked for",
    -26: "was ended because it used more virtual memory than it asked for",
    -27: "was ended because it used more memory than it asked for",
    -28: "was ended because it used more CPU time than it asked for",
    -29: "was ended at its walltime",
    -30: "could not be started: one of its nodes did not take part",
}


def read_json(text: str) -> dict[str, Attributes]:
    """Batch jobs by id; empty where the text is not, or not wholly, JSON."""
    try:
        found = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return {}
    jobs = found.get("Jobs") if isinstance(found, dict) else None
    if not isinstance(jobs, dict):
        return {}
    return {id: attributes for id, attributes in jobs.items() if isinstance(attributes, dict)}


def read_text(text: str) -> dict[str, Attributes]:
    """Batch jobs by id from `qstat -f`, wide or not; one whose text is not complete is left out.

    An empty line ends each. Of a name that occurs twice the first is meant: a variable of the batch job may have lines
    that look like attributes.
    """
    found: dict[str, Attributes] = {}
    id, attributes, last = "", dict[str, str](), ""
    for line in text.splitlines(keepends=True):
        whole, line = line.endswith("\n"), line.rstrip("\n")
        if line.startswith("Job Id: "):
            id, attributes, last = line.removeprefix("Job Id: ").strip(), {}, ""
        elif not line and whole:
            if id and "job_state" in attributes:
                found[id] = attributes
            id = ""
        elif line.startswith("\t") and last:
            attributes[last] += line[1:]
        elif line.startswith("    ") and " = " in line:
            last, _, value = line[4:].partition(" = ")
            attributes.setdefault(last, value)
    return found


def of_ids(found: Mapping[str, Attributes], ids: Iterable[str]) -> dict[str, Attributes]:
    """What was found, by the ids that were asked for: servers may write the part after the number differently."""
    by_number = {number(id): attributes for id, attributes in found.items()}
    return {
        id: attributes
        for id in ids
        if (attributes := found.get(id) or by_number.get(number(id))) and _state(attributes) is not None
    }


def number(id: str) -> str:
    """What is before the name of the server."""
    return id.partition(".")[0]


def named(pattern: str, text: str, ids: Iterable[str]) -> set[str]:
    """Those ids that a message names; the pattern has one group, for the id."""
    said = {number(id) for id in re.findall(pattern, text)}
    return {id for id in ids if number(id) in said}


def unknown(answer: Answer, ids: Iterable[str]) -> set[str]:
    """Those ids of which PBS says that it does not know them."""
    return named(r"Unknown Job Id (\S+)", answer.err, ids)


def finished(answer: Answer, ids: Iterable[str]) -> set[str]:
    """Those ids of which PBS says no more than that they have finished."""
    return named(r"qstat: (\S+) Job has finished", answer.err, ids)


def lacks_history(answer: Answer) -> bool:
    """Whether it says that what has ended is forgotten at once; its exit status is 0 all the same."""
    return bool(_NO_HISTORY.search(answer.err))


def status_of(attributes: Attributes) -> BatchStatus:
    """What `of_ids` found, in our terms."""
    state = _state(attributes) or BatchState.QUEUED
    comment = _text(attributes, "comment")
    if state is not BatchState.ENDED:
        return BatchStatus(state, comment)
    deleted = _text(attributes, "substate") == _DELETED
    status = _whole(attributes, "Exit_status")
    if deleted and status == 0:  # so it says of some that did not end by themselves
        status = None
    return BatchStatus(state, _ending(attributes, status, deleted, comment), status)


def refusal(answer: Answer, program: str, what: str) -> BatchError:
    """A command that failed, as an error; it is final where the exit status or the words say that PBS refused."""
    words = answer.words(program) or "it said nothing"
    message = f"{what}: {words} (`{program}` ended with status {answer.status})"
    if _FULL.search(words):
        return BatchFull(message)
    return BatchError(message, final=answer.status in _REFUSED and not _PASSING.search(words))


def _state(attributes: Attributes) -> BatchState | None:
    return _STATES.get(_text(attributes, "job_state"))


def _ending(attributes: Attributes, status: int | None, deleted: bool, comment: str) -> str:
    if deleted:
        said = "was deleted while it ran" if "run_count" in attributes else "was deleted before it started"
    elif status is None:
        said = "never started: what it depends on did not end well" if "s" in _text(attributes, "Hold_Types") else ""
    elif status < 0:
        said = _ENDS.get(status, f"was ended by PBS (exit status {status})")
    elif status >= 256:
        said = f"was ended from outside by signal {status - 256}"
    else:
        said = f"its script ended with status {status}" if status else ""
    if _text(attributes, "Stageout_status") == "0":
        said = "; ".join(filter(None, [said, "its output was lost, for PBS could not copy it"]))
    return f"{said} ({comment})" if said and comment else said


def _text(attributes: Attributes, name: str) -> str:
    value = attributes.get(name)
    return "" if value is None or isinstance(value, (dict, list)) else str(value).strip()


def _whole(attributes: Attributes, name: str) -> int | None:
    try:
        return int(_text(attributes, name))
    except ValueError:
        return None
