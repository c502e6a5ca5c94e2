"""A report as people use it, in a real browser."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from test_pages_report import EVIL, REPORT, attempt

from flowrules.pages.campaign import Shown
from flowrules.pages.report import render_report

pytestmark = pytest.mark.browser

FRAMED = base64.b64encode(b"<p>framed</p><script>document.body.append('ran')</script>").decode("ascii")


@pytest.fixture
def report(tab):
    return tab(render_report(REPORT))


def test_it_opens_with_its_parts(report) -> None:
    assert report.title() == "molecules – 12 jobs done, 1 failed"
    report.shows("main h2", [
        "Results", "Failures", "Over time", "Slots", "Rules", "Blocks", "Where outputs come from", "DAG",
        "Configuration and runs",
    ])  # fmt: skip
    assert "12" in report.locator(".card").first.inner_text()
    assert report.locator("svg.chart").count() == 2
    assert report.locator("#timeline canvas").count() == 1
    report.shows("#timeline-legend li", ["relax"])


def test_how_an_output_was_made(report) -> None:
    report.shows("#found", ["12 files"])
    report.locator("#search").fill("relax 11.txt")
    report.shows("#files button", ["out/11.txt"])
    report.locator("#files button").click()
    report.until("document.querySelector('#made').innerText.includes('relax n=11')")
    told = report.locator("#made").inner_text()
    for text in ("node2", 'k=3, "x"', "relax {input} > {output}", "in/11.txt", "missing output"):
        assert text in told
    assert report.locator("#files [aria-current=true]").inner_text() == "out/11.txt"


def test_a_table_sorts(report) -> None:
    head = report.locator("#rules th", has_text="total")
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "ascending"


def test_bars_tell_what_they_are(report) -> None:
    box = report.locator("#timeline canvas").bounding_box()
    report.locator("#timeline canvas").scroll_into_view_if_needed()
    box = report.locator("#timeline canvas").bounding_box()
    report.mouse.move(box["x"] + 128, box["y"] + 30 + 46 + 10)
    report.until("document.querySelector('#tip').innerText.includes('relax n=0')")


def test_documents_are_in_frames_without_scripts(tab) -> None:
    shown = [
        Shown("a.html", "A page", "", "page", 9, f"data:text/html;base64,{FRAMED}"),
        Shown("big.bin", "", "", "link", 9, "out/big%20one.bin"),
        Shown("notes.txt", "", "", "text", 9, text="line 1\n<b>"),
    ]
    report = tab(render_report(replace(REPORT, shown=shown)))
    report.wait_for_selector("iframe")
    frame = report.frames[1]
    frame.wait_for_selector("p")
    assert frame.locator("body").inner_text().strip() == "framed"
    assert report.locator("figure.link a").get_attribute("href") == "out/big%20one.bin"
    assert report.locator("figure.text pre").inner_text() == "line 1\n<b>"
    report.said.clear()  # that the frame's script was blocked


def test_hostile_texts_stay_texts(tab) -> None:
    record = replace(attempt(1, rule=EVIL), wildcards={EVIL: EVIL}, host=EVIL, log=EVIL, reason=EVIL, params=EVIL)
    report = tab(render_report(replace(REPORT, title=EVIL, attempts=[record], configuration=EVIL)))
    report.locator("#files button").first.click()
    report.until("document.querySelector('#made dl') !== null")
    assert report.locator("main img, #made script").count() == 1  # the picture among the results


@pytest.mark.parametrize("dark", [False, True])
def test_two_thousand_attempts(tab, dark) -> None:
    report = tab(render_report(replace(REPORT, attempts=[attempt(n) for n in range(2_000)])), dark=dark)
    report.shows("#found", ["2,000 files, the first 200 shown"])
    report.locator("#search").fill("1999")
    report.shows("#files button", ["out/1999.txt"])


@pytest.mark.parametrize("dark", [False, True])
def test_nothing_keeps_people_out(tab, dark) -> None:
    """The rules of axe-core, which are those of WCAG as far as a program can tell."""
    axe = pytest.importorskip("axe_playwright_python.base", reason="no axe-core: `pip install '.[browser]'`")
    report = tab(render_report(REPORT), dark=dark)
    report.locator("#files button").first.click()
    report.until("document.querySelector('#made dl') !== null")
    report.evaluate(axe.AXE_FILE_PATH.read_text(encoding="utf-8"))
    found = report.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
