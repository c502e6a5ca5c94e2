"""The page of a DAG as people use it, in a real browser."""

import re

import pytest
from page_plans import page, samples
from show_plans import RUN, SKIP, Builder

pytestmark = pytest.mark.browser

EXPANDED = '[role=treeitem][aria-expanded="true"] .name'
ALIGN_2 = 6 + 2  # after six jobs of `trim`


@pytest.fixture
def dag(tab):
    return tab(page(samples(), packing=True))


def test_it_opens_with_rules_and_counts(dag):
    assert dag.title() == "samples – 6 jobs will run, 1 may run, 6 are up to date"
    dag.shows("[role=treeitem] .name", ["trim", "align", "merge", "all"])
    dag.shows("[role=treeitem] .count", ["6", "6", "1", "1"])
    dag.shows(EXPANDED, [])
    assert [text.split("\n")[0] for text in dag.texts("#states label")] == [
        "will run",
        "may run",
        "up to date",
        "collects",
    ]


def test_a_click_unfolds_a_rule_and_the_arrow_folds_it(dag):
    dag.click_at(dag.middle("align"))
    dag.shows(EXPANDED, ["align"])
    dag.shows("[role=treeitem] .name", ["trim", "align", "s0", "s1", "s2", "s3", "s4", "s5", "merge", "all"])
    x, y, width = dag.evaluate("""() => {
        const { placement, plane } = flowrules, frame = plane.canvas.getBoundingClientRect();
        const [x, y, width] = placement.boxes[1], [a, b] = plane.at.apply([x, y]);
        return [frame.left + a, frame.top + b, width * plane.at.k];
    }""")
    dag.mouse.click(x + width - 14, y + 14)
    dag.shows(EXPANDED, [])


def test_a_click_on_a_job_tells_all_of_it(dag):
    dag.click_at(dag.middle("align"))
    dag.click_at(dag.cell(ALIGN_2))
    text = dag.panel()
    for told in (
        "align · job", "s2", "will run", "missing output: out", "trim/s2.fq", "bam/s2.bam",
        "align < trim/s2.fq \\\n    > bam/s2.bam", "threads\n4", "mem\n2GB", "block 1", "node 1, GPU 0, 8 threads",
        "1m 00s to 2m 00s after the block's start", "trim s2", "merge",
    ):  # fmt: skip
        assert told in text
    dag.shows('[aria-selected="true"] .name', ["s2"])
    dag.get_by_role("button", name="trim s2").click()
    dag.until("document.querySelector('#panel').innerText.includes('trim/s2.fq\\n')")
    dag.shows(EXPANDED, ["trim", "align"])
    dag.keyboard.press("Escape")
    assert not dag.locator("#panel").is_visible()


def test_a_rule_of_one_job_is_that_job(dag):
    dag.click_at(dag.middle("merge"))
    text = dag.panel()
    assert "merge · job" in text and "an input will be made anew: bam/s0.bam" in text and "INPUTS (6)" in text


def test_a_rule_tells_of_its_jobs(dag):
    dag.locator("[role=treeitem]", has_text="align").locator(".name").click()
    text = dag.panel()
    for told in (
        "Rule",
        "align",
        "will run\n6",
        "missing output\n6",
        "defined in\nFlowfile:1",
        "Unfold 6 jobs",
        "trim",
        "merge",
    ):
        assert told in text
    dag.get_by_role("button", name="Only this rule").click()
    dag.shows("[role=treeitem] .count", ["0 / 6", "6 / 6", "0 / 1", "0 / 1"])


def test_search_finds_jobs_by_wildcard_and_file(dag):
    dag.keyboard.press("/")
    dag.keyboard.type("s3.bam")
    dag.until("document.querySelector('#found').textContent === '1 found'")
    dag.shows("[role=treeitem] .count", ["0 / 6", "1 / 6", "0 / 1", "0 / 1"])
    dag.keyboard.press("Enter")
    assert "bam/s3.bam" in dag.panel()
    dag.shows(EXPANDED, ["align"])
    dag.keyboard.press("Control+A")
    dag.keyboard.type("TRIM s1")
    dag.until("document.querySelector('#found').textContent === '1 found'")
    dag.keyboard.press("Control+A")
    dag.keyboard.type("nothing like it")
    dag.until("document.querySelector('#found').textContent === 'none found'")
    dag.locator("#only").click()
    assert dag.locator("#search").input_value() == ""
    dag.shows("[role=treeitem] .count", ["6", "6", "1", "1"])


def test_states_and_rules_are_filtered(dag):
    dag.locator("#states label", has_text="will run").click()
    dag.shows("[role=treeitem] .count", ["6 / 6", "0 / 6", "1 / 1", "1 / 1"])
    dag.locator("[role=treeitem]", has_text="trim").locator("[data-do=check]").click()
    dag.shows("[role=treeitem] .count", ["0 / 6", "0 / 6", "1 / 1", "1 / 1"])
    assert dag.locator("[role=treeitem]", has_text="trim").get_attribute("aria-checked") == "false"
    dag.locator("#only").click()
    dag.shows("[role=treeitem] .count", ["6", "6", "1", "1"])


def test_a_click_may_take_its_time(dag):
    box = dag.locator("[role=treeitem]", has_text="trim").locator("[data-do=check]").bounding_box()
    dag.mouse.move(box["x"] + 5, box["y"] + 5)
    dag.mouse.down()
    dag.evaluate("new Promise((ready) => requestAnimationFrame(() => requestAnimationFrame(ready)))")
    dag.mouse.up()
    dag.shows("[role=treeitem] .count", ["0 / 6", "6 / 6", "1 / 1", "1 / 1"])


def test_everything_works_by_keyboard(dag):
    dag.locator("#graph").focus()
    dag.keyboard.press("ArrowDown")
    dag.shows("#announce", ["trim, 6 jobs"])
    dag.keyboard.press("ArrowDown")
    dag.keyboard.press("Enter")
    dag.shows(EXPANDED, ["align"])
    dag.keyboard.press("ArrowDown")
    dag.keyboard.press("ArrowDown")
    dag.shows("#announce", ["align s1, will run"])
    dag.keyboard.press("Enter")
    assert "bam/s1.bam" in dag.panel()
    dag.until("document.activeElement.id === 'panel'")
    dag.keyboard.press("Escape")
    dag.until("document.activeElement.id === 'graph'")
    dag.keyboard.press("c")
    dag.shows(EXPANDED, [])
    dag.keyboard.press("e")
    dag.shows(EXPANDED, ["trim", "align"])
    dag.keyboard.press("?")
    assert dag.locator("#keys").is_visible()
    dag.keyboard.press("Escape")
    assert not dag.locator("#keys").is_visible()
    dag.keyboard.press("p")
    assert dag.locator("#view-packing").is_visible()


def test_the_list_is_a_tree_for_the_keyboard(dag):
    dag.locator("#list").focus()
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "ArrowDown"):
        dag.keyboard.press(key)
    dag.shows(".item.active", ["s1"])
    active = dag.locator("#list").get_attribute("aria-activedescendant")
    assert dag.locator(f"#{active}.active").get_attribute("aria-label") == "s1, will run"
    dag.keyboard.press("Enter")
    assert "bam/s1.bam" in dag.panel()
    dag.locator("#list").focus()
    dag.keyboard.press("ArrowLeft")
    dag.keyboard.press(" ")
    dag.shows("[role=treeitem] .count", ["6 / 6", "0 / 6", "1 / 1", "1 / 1"])
    dag.keyboard.press("ArrowLeft")
    dag.shows(EXPANDED, [])


def test_tab_reaches_every_part_and_focus_is_seen(dag):
    seen = []
    for _ in range(24):
        dag.keyboard.press("Tab")
        seen.append(dag.evaluate("document.activeElement.id || document.activeElement.tagName"))
        style = dag.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert style != "none" or seen[-1] in ("BODY", "HTML", "INPUT")
    assert {"tab-dag", "search", "help", "theme", "list", "graph", "zoom-in", "zoom-out", "zoom-fit"} <= set(seen)


def test_the_packing_is_lanes_of_slots(dag):
    dag.get_by_role("tab", name="Packing").click()
    text = dag.locator("#view-packing").inner_text()
    assert "1 block · 2m 00s once they run · 0.033 node-hours" in text
    assert "2 jobs in no block: each asks for more than a node, or a block, has" in text
    dag.shows("#view-packing .legend li", ["align"])
    frame = dag.locator("#view-packing canvas").bounding_box()
    dag.mouse.click(frame["x"] + 140, frame["y"] + 30 + 46 + 10)
    assert "bam/s0.bam" in dag.panel()
    dag.get_by_role("tab", name="DAG").click()
    dag.get_by_role("button", name="block 1").click()
    assert dag.get_by_role("tab", name="Packing").get_attribute("aria-selected") == "true"


PIXEL = """async () => {
    const picture = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    picture.drawImage(document.querySelector("#graph"), 0, 0, 1, 1, 0, 0, 1, 1);
    return `rgb(${[...picture.getImageData(0, 0, 1, 1).data.slice(0, 3)].join(", ")})`;
}"""


@pytest.mark.parametrize("dark", [False, True])
def test_light_and_dark(tab, dark):
    dag = tab(page(samples()), dark=dark)
    light, night = "rgb(255, 255, 255)", "rgb(14, 17, 22)"
    ground = "getComputedStyle(document.body).backgroundColor"
    shown = (light, night) if not dark else (night, light)
    for colour in shown:
        assert dag.evaluate(ground) == colour
        dag.until(f"async () => await ({PIXEL})() === '{colour}'")
        dag.locator("#theme").click()
    dag.reload()
    dag.wait_for_selector("body[data-ready=jobs]")
    assert dag.evaluate(ground) == shown[0], "what was chosen last"


@pytest.mark.parametrize("dark", [False, True])
def test_nothing_keeps_people_out(tab, dark):
    """The rules of axe-core, which are those of WCAG as far as a program can tell."""
    axe = pytest.importorskip("axe_playwright_python.base", reason="no axe-core: `pip install '.[browser]'`")
    dag = tab(page(samples(), packing=True), dark=dark)

    def check():
        dag.evaluate(axe.AXE_FILE_PATH.read_text(encoding="utf-8"))
        found = dag.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
        assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []

    check()
    dag.keyboard.press("e")
    dag.locator("[role=treeitem]", has_text="s1").first.click()
    dag.panel()
    check()
    dag.locator("[role=treeitem]", has_text="align").first.locator(".name").click()
    dag.locator("#states label", has_text="may run").click()
    dag.get_by_role("tab", name="Packing").click()
    check()
    dag.keyboard.press("?")
    check()


NAMES = [
    "<script>alert(1)</script>",
    "a\"b'c",
    "</script>",
    "x\u2028y",
    "\u202ertl",
    "]]>",
    "<!--",
    "n" * 300,
    "{{ 7 * 7 }}",
    "&lt;",
]


def test_names_are_text(tab):
    b = Builder()
    for name in NAMES:
        for value in ("1", f"<img src=x onerror=alert('{name[:9]}')>"):
            b.add(name, (), [f"in/{name}"], [f"out/{name}/{value}"], RUN, w=value)
    dag = tab(page(b.plan, title="<b>title</b>"))
    assert dag.locator("h1").inner_text() == "<b>title</b>"
    shown = dag.texts("[role=treeitem] .name")
    assert shown[:3] == NAMES[:3] and shown[3:5] == ["x\\u2028y", "\\u202ertl"] and shown[-2:] == NAMES[-2:]
    dag.keyboard.press("e")
    for rule in range(len(NAMES)):
        dag.evaluate(f"flowrules.model.choose({{ rule: {rule}, job: {2 * rule + 1} }})")
        dag.until(f"document.querySelector('#panel').innerText.includes({shown_name(NAMES[rule])!r})")
        dag.evaluate(f"flowrules.model.choose({{ rule: {rule} }})")
        dag.until("document.querySelector('#panel .kind')?.innerText === 'Rule'")
    assert dag.locator("#panel img, #panel script, #list img").count() == 0


def shown_name(name):
    return re.sub("[\u2028\u202e]", lambda found: f"\\u{ord(found[0]):04x}", name)


def test_ten_thousand_jobs(tab):
    dag = tab(page(samples(5000)))
    dag.shows("[role=treeitem] .count", ["5,000", "5,000", "1", "1"])
    dag.keyboard.press("e")
    dag.wait_for_selector("[role=treeitem][aria-level='2']")
    assert dag.locator("[role=treeitem]").count() < 80, "only rows in view exist"
    dag.locator("#list").focus()
    dag.keyboard.press("End")
    dag.wait_for_selector("#row-10003.active")
    dag.locator("#search").fill("bam/s4321.bam")
    dag.until("document.querySelector('#found').textContent === '1 found'")
    dag.locator("#search").press("Enter")
    assert "bam/s4321.bam" in dag.panel()


def test_what_a_page_does_not_hold_is_said(tab):
    dag = tab(page(samples(50), jobs=20))
    assert "This page holds 20 of 102 jobs; counts are of all of them." in dag.locator("#kept").inner_text()
    dag.shows("[role=treeitem] .count", ["50", "50", "1", "1"])
    dag.keyboard.press("e")
    dag.shows(".item.left", ["… 41 more jobs not on this page"] * 2)


def test_rules_only(tab):
    dag = tab(page(samples(50), jobs=0))
    assert "This page shows rules only; 102 jobs are counted, not held." in dag.locator("#kept").inner_text()
    dag.click_at(dag.middle("align"))
    dag.shows(EXPANDED, [])
    assert "will run\n50" in dag.panel()


def test_the_empty_dag(tab):
    dag = tab(page(Builder().plan, packing=True))
    assert "The DAG is empty: nothing was asked for." in dag.locator("#view-dag").inner_text()
    for key in ("e", "c", "0", "ArrowDown"):
        dag.keyboard.press(key)


def test_one_rule_and_a_narrow_window(tab):
    b = Builder()
    b.add("only", (), [], ["out"], SKIP)
    dag = tab(page(b.plan), width=480)
    dag.click_at(dag.middle("only"))
    assert "up to date" in dag.panel()
