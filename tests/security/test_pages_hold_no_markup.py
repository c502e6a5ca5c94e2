"""A page with hostile texts has the elements of the same page with harmless ones, no more and no other."""

from __future__ import annotations

import random
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from typing import NamedTuple

import pytest

from flowrules.model.files import FileRecord
from flowrules.model.job import Job
from flowrules.model.likeness import Failure, alike
from flowrules.model.plan import Cause, Decision, Plan, Reason
from flowrules.model.record import Record
from flowrules.model.rule import Rule, RunAction
from flowrules.pages.campaign import BlockUse, Report, RunUse, Shown
from flowrules.pages.columns import Facts
from flowrules.pages.dag import render_dag_page
from flowrules.pages.report import render_report
from flowrules.pages.tables import Column, Table
from flowrules.show.dag import render_dag
from flowrules.span import Source, Span

CASES = 40
HOSTILE = (
    "<script>alert(1)</script>", "</script>", "</style>", "<!--", "-->", "<![CDATA[", "]]>", "<?xml", "<!DOCTYPE x>",
    '"><img src=x onerror=alert(1)>', "' onclick='x", '" style="x', "&lt;b&gt;", "&#60;b&#62;", "&", "<", ">", '"',
    "'", "javascript:alert(1)", "data:text/html,<b>", "{{ 7*7 }}", "{% raw %}", "${x}", "<svg/onload=x>", "<b>",
    "</td></tr>", "</title>", "<base href=//x>", "<iframe srcdoc=x>", "\u2028", "\u202e", "\x1b[31m", "\x07",
    "\ufeff", "\ud800", "é", "a b", "</textarea>", "</noscript>", "</template>", "<a href=x>", "\\", "%3Cb%3E",
    "=cmd()", "x" * 60,
)  # fmt: skip


class Element(NamedTuple):
    """A start tag: its name and its attributes without their values."""

    tag: str
    attributes: tuple[str, ...]


class Elements(HTMLParser):
    """What a browser would make of a page, as far as this matters."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: Counter[Element] = Counter()
        self.addresses: list[str] = []
        self.odd: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found[Element(tag, tuple(sorted(name for name, _ in attrs)))] += 1
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src", "action", "data", "srcdoc")]

    def handle_comment(self, data: str) -> None:
        self.odd.append(f"comment {data}")

    def unknown_decl(self, data: str) -> None:
        self.odd.append(f"declaration {data}")

    def handle_pi(self, data: str) -> None:
        self.odd.append(f"instruction {data}")


Words = Callable[[], str]


def hostile(seed: str) -> Words:
    """Texts made to break out, one after the other."""
    chance, numbers = random.Random(seed), iter(range(100_000))
    return lambda: "".join(chance.choice(HOSTILE) for _ in range(chance.randint(1, 4))) + str(next(numbers))


def harmless() -> Words:
    """As many texts, each of them another word."""
    numbers = iter(range(100_000))
    return lambda: f"word{next(numbers)}"


def report(word: Words) -> str:
    """A report in which every text is a word."""
    record = Record(
        word(),
        {word(): word()},
        [FileRecord(word(), 1, 0, word())],
        inputs=[FileRecord(word(), 1, 0, word())],
        code="c0de",
        params=word(),
        reason=word(),
        resources={word(): word()},
        gpus=[word()],
        host=word(),
        log=word(),
        run=word(),
        started=1.0,
        ended=2.0,
    )
    failed = Record(
        record.rule, {"n": word()}, [], status="failed", exit=1, error=word(), log=word(), started=1.0, ended=2.0
    )
    shown = [
        Shown(word(), word(), word(), "text", 1, text=word()),
        Shown(word(), word(), word(), "table", 1, table=Table(word(), [Column(word())], [[word()]], word())),
        Shown(word(), word(), word(), "link", 1, "out/x.bin"),
    ]
    return render_report(
        Report(
            title=word(),
            now=1.0,
            running=True,
            attempts=[record, failed],
            runs=[RunUse(1.0, None, word(), word(), word())],
            blocks=[BlockUse(word(), word(), word(), word(), 1, 1.0, 1.0, 2.0, 0, 1)],
            failures=alike([Failure(failed, [word()])]),
            commands={"c0de": word()},
            shown=shown,
            dag_note=word(),
            configuration=word(),
        )
    )


def plan(word: Words) -> Plan:
    """A plan of three jobs of two rules in which every text is a word."""
    made, first = Plan(producer={}), word()
    here = Span(Source(word(), "rule x:\n"), 0, 6)
    action = RunAction("pass", "pass", "Flowfile", 1, here)
    rules = [Rule(word(), at, here, wildcards=(word(),), action=action, doc=word(), group=word()) for at in range(2)]
    for number in range(3):
        outputs = (word(),)
        job = Job(number, rules[min(number, 1)], (word(),), (first,), outputs, {}, {}, frozenset())
        made.jobs.append(job)
        made.needs.append((0,) if number else ())
        made.decisions.append(Decision.RUN)
        made.reasons.append((Reason(Cause.MISSING, word()),))
        made.producer[outputs[0]] = number
    made.targets, made.target_jobs = (word(),), (2,)
    return made


def dag(word: Words) -> str:
    texts = [word() for _ in range(4)]
    facts = Facts(command=lambda job: texts[0], needs=lambda job: {texts[1]: texts[2]})
    return render_dag_page(plan(word), facts, title=texts[3], made=word())


def without_code(found: Counter[Element]) -> Counter[Element]:
    """Words in backticks of a message are set as code: the one element that a text may choose."""
    return Counter({element: count for element, count in found.items() if element != Element("code", ())})


@pytest.mark.parametrize("page", [report, dag])
def test_elements_are_those_of_the_harmless_page(page: Callable[[Words], str]) -> None:
    wanted = Elements(page(harmless()))
    assert sum(wanted.found.values()) > 30
    for number in range(CASES):
        found = Elements(page(hostile(f"{page.__name__} {number}")))
        extra = without_code(found.found) - without_code(wanted.found)
        lost = without_code(wanted.found) - without_code(found.found)
        assert (dict(extra), dict(lost)) == ({}, {}), f"case {number}"
        assert found.odd == wanted.odd
        assert [a for a in found.addresses if not a.startswith(("#", "data:", "out/"))] == []


@pytest.mark.parametrize("level", ["rules", "jobs", "files"])
def test_a_picture_is_well_formed_and_has_no_other_elements(level: str) -> None:
    def shape(word: Words) -> Counter[str]:
        root = ET.fromstring(render_dag(plan(word), "svg", level))
        return Counter(element.tag.rpartition("}")[2] for element in root.iter())

    wanted = set(shape(harmless()))
    for number in range(CASES):
        assert set(shape(hostile(f"svg {level} {number}"))) <= wanted | {"tspan"}, f"case {number}"


def test_the_hostile_page_would_break_if_it_were_not_escaped() -> None:
    word = hostile("a check of the check")
    text = "".join(f"<p>{word()}</p>" for _ in range(20))
    assert set(Elements(text).found) - {Element("p", ())}
