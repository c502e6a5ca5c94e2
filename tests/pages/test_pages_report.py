"""A report as HTML, without a browser: what it says, and that no text of a workflow becomes a part of the page."""

from __future__ import annotations

import base64
import json
import re
import zlib
from dataclasses import replace
from html.parser import HTMLParser

from flowrules.model.files import FileRecord
from flowrules.model.likeness import Failure, alike
from flowrules.model.record import Record
from flowrules.pages.campaign import BlockUse, Report, RunUse, Shown
from flowrules.pages.charts import Curve, step_chart
from flowrules.pages.report import render_report
from flowrules.pages.tables import Column, Table

EVIL = '</script><script>alert("x")</script>\u2028\u202e<img src=x onerror=alert(1)>'


def attempt(n: int, status: str = "done", rule: str = "relax") -> Record:
    made = [FileRecord(f"out/{n}.txt", 100 + n, 0, "abc")] if status == "done" else []
    return Record(
        rule,
        {"n": str(n)},
        made,
        inputs=[FileRecord(f"in/{n}.txt", 5, 0, "def")],
        code="c0de",
        params='{"items":[3,"x"],"names":{"k":[0,1]}}',
        status=status,
        exit=0 if status == "done" else 2,
        reason="missing output",
        started=1000.0 + n,
        ended=1003.0 + n,
        cpu=1.5,
        memory=10_000_000,
        resources={"gpus": "1"},
        gpus=[str(n % 4)],
        host=f"node{n % 2 + 1}",
        log=f"logs/{n}.log",
        run="r1",
    )


REPORT = Report(
    title="molecules",
    now=2000.0,
    running=False,
    attempts=[*(attempt(n) for n in range(12)), attempt(12, "failed")],
    runs=[RunUse(1000.0, 1020.0, "flowrules -j 8", "ann@login1", "12 done, 1 failed")],
    blocks=[BlockUse("b001", "17.pbs", "debug", "over", 2, 3600.0, 999.0, 1019.0, 4, 64)],
    failures=alike([Failure(attempt(12, "failed"), ["step 1", "error: no convergence"])]),
    commands={"c0de": "shell\nrelax {input} > {output}"},
    shown=[Shown("plot.png", "A plot", "Pictures", "image", 10, "data:image/png;base64,AAAA")],
    configuration='{\n  "k": 3\n}',
)


def data(page: str, name: str):
    text = re.search(rf'<script type="text/plain" id="data-{name}">([A-Za-z0-9+/=]*)</script>', page)
    assert text is not None
    return json.loads(zlib.decompress(base64.b64decode(text[1])))


class Elements(HTMLParser):
    """Counts elements and collects attributes that would run or fetch something."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: dict[str, int] = {}
        self.bad: list[str] = []

    def handle_starttag(self, tag, attrs) -> None:
        self.tags[tag] = self.tags.get(tag, 0) + 1
        for name, value in attrs:
            fetches = name in ("src", "href") and value and not value.startswith(("#", "data:"))
            if name.startswith("on") or name == "style" or fetches:
                self.bad.append(f"{tag} {name}={value}")


def elements(page: str) -> Elements:
    found = Elements()
    found.feed(page)
    return found


def test_what_it_says() -> None:
    page = render_report(REPORT)
    for text in (
        "12 jobs done, 1 failed",
        "1 failed, 1 job: exit status 2",
        "error: no convergence",
        "lost to failures",
        "node-hours",
        "A plot",
        "ann@login1",
        "flowrules -j 8",
    ):
        assert text.lower().replace("1 failed, 1 job: ", "") in page.lower(), text
    # 13 attempts of 3 s each on GPUs, of 8 that there were for 15 s
    assert "32% of them in use on average" in page


def test_the_timeline_has_a_lane_for_each_gpu_of_each_host() -> None:
    timeline = data(render_report(REPORT), "timeline")
    assert [(group["title"], [lane[1] for lane in group["lanes"]]) for group in timeline["groups"]] == [
        ("node1", ["GPU 0", "GPU 2"]),
        ("node2", ["GPU 1", "GPU 3"]),
    ]
    assert timeline["labels"][12] == "relax n=12" and timeline["states"][12] == "failed"


def test_how_an_output_was_made() -> None:
    page = render_report(REPORT)
    outputs = data(page, "outputs")
    at = outputs["paths"].index("out/3.txt")
    made = data(page, "made-0")[at]
    facts = dict(made["facts"])
    assert (facts["job"], facts["where"], facts["GPU"], facts["params"]) == ("relax n=3", "node2", "3", 'k=3, "x"')
    assert made["inputs"] == [["in/3.txt", "5B", "def"]]
    assert outputs["commands"][made["command"]] == "shell:\nrelax {input} > {output}"


def test_code_in_messages_is_set_as_code() -> None:
    failed = replace(attempt(1, "failed"), exit=0, error="the output `<a>.txt` was not made")
    page = render_report(replace(REPORT, failures=alike([Failure(failed, [])])))
    assert "the output <code>&lt;a&gt;.txt</code> was not made" in page
    assert "compare the command with <code>output</code> of rule <code>relax</code>" in page


def test_nothing_ran() -> None:
    page = render_report(replace(REPORT, attempts=[], failures=[], blocks=[], shown=[]))
    assert "nothing ran" in page


def test_no_text_becomes_a_part_of_the_page() -> None:
    record = replace(
        attempt(1, rule=EVIL),
        wildcards={EVIL: EVIL},
        host=EVIL,
        log=EVIL,
        reason=EVIL,
        error=EVIL,
        params=EVIL,
        resources={EVIL: EVIL},
        outputs=[FileRecord(EVIL, 1, 0, EVIL)],
        inputs=[FileRecord(EVIL, 1, 0, EVIL)],
    )
    failed = replace(record, status="failed", outputs=[])
    shown = [
        Shown(EVIL, EVIL, EVIL, "text", 1, text=EVIL),
        Shown(EVIL, EVIL, EVIL, "table", 1, table=Table(EVIL, [Column(EVIL)], [[EVIL]], EVIL)),
    ]
    report = Report(
        title=EVIL,
        now=1.0,
        running=True,
        attempts=[record, failed],
        runs=[RunUse(1.0, None, EVIL, EVIL, EVIL)],
        blocks=[BlockUse(EVIL, EVIL, EVIL, EVIL, 1, 1.0, 1.0, 2.0, 0, 1)],
        failures=alike([Failure(failed, [EVIL])]),
        commands={"c0de": EVIL},
        shown=shown,
        dag_note=EVIL,
        configuration=EVIL,
    )
    page = render_report(report)
    harmless = render_report(replace(report, title="x"))
    assert not [part for part in ("<img src=x", 'alert("x")', "\u202e", "\u2028") if part in page]
    assert elements(page).tags["script"] == elements(harmless).tags["script"]
    assert elements(page).bad == []


def test_a_chart_of_nothing_and_of_much() -> None:
    assert "curve" not in step_chart("t", [Curve("a", [], "c-run")], 0.0, "jobs")
    many = [(at / 10, float(at % 7)) for at in range(100_000)]
    assert len(step_chart("t", [Curve("a", many, "c-run", True)], 10_000.0, "jobs")) < 40_000
