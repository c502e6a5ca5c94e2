"""The frame of pages: nothing in a page can be anything but what it is."""

import base64
import hashlib
import html
import json
import re
import zlib
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from page_plans import page, samples

from flowrules.pages import assets
from flowrules.pages.embed import packed
from flowrules.pages.shell import ZOOM, Page, policy, render_page
from flowrules.pages.states import STATES
from flowrules.pages.tables import Cell, Column, Table

VENDOR = Path(assets.FOLDER) / "vendor"


class Elements(HTMLParser):
    """All elements of a page with their attributes and the text of scripts and styles."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.inside = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.inside = []
        self.found.append((tag, dict(attrs), self.inside))

    def handle_endtag(self, tag):
        self.inside = None

    def handle_data(self, data):
        if self.inside is not None:
            self.inside.append(data)

    def named(self, *tags):
        return [(attrs, "".join(data)) for tag, attrs, data in self.found if tag in tags]


def sha(text):
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


@pytest.mark.parametrize("text", [page(samples(), packing=True), render_page(Page("t", "shell.html.j2"))])
def test_the_policy_names_the_one_script_and_the_one_style(text):
    elements = Elements(text)
    metas = [attrs for attrs, _ in elements.named("meta") if "http-equiv" in attrs]
    told = dict(part.split(" ", 1) for part in metas[0]["content"].split("; "))
    assert told["default-src"] == told["base-uri"] == told["form-action"] == "'none'"
    (style,) = elements.named("style")
    (script,) = [found for found in elements.named("script") if found[0].get("type") != "text/plain"]
    assert told["style-src"] == sha(style[1]) and told["script-src"] == sha(script[1])
    assert set(told) == {"default-src", "style-src", "script-src", "img-src", "base-uri", "form-action"}


def test_a_page_refers_to_nothing_outside_it():
    elements = Elements(page(samples(), packing=True))
    for tag, attrs, _ in elements.found:
        assert not {"src", "srcset", "action", "background", "data", "style"} & set(attrs), (tag, attrs)
        assert not [name for name in attrs if name.startswith("on")], (tag, attrs)
        assert attrs.get("href", "#").startswith("#")
        assert tag not in {"link", "base", "iframe", "object", "embed", "img"}
    assert not re.search(r"@import|url\(|\bfetch\(|XMLHttpRequest|WebSocket|\beval\(|new Function", assets_text())


def assets_text():
    return "".join([path.read_text() for path in Path(assets.FOLDER).rglob("*") if path.suffix in (".js", ".css")])


@given(
    st.recursive(
        st.text() | st.none() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_data_come_back_and_are_inert(value):
    text = packed(value)
    assert re.fullmatch("[A-Za-z0-9+/=]+", text)
    assert json.loads(zlib.decompress(base64.b64decode(text))) == value


def test_titles_are_text():
    text = render_page(Page("<script>x</script>\u202e", "shell.html.j2", subtitle='"><img src=x>', made="<b>"))
    head = text[: text.index("<style>")]
    assert "<title>&lt;script&gt;x&lt;/script&gt;\\u202e – &#34;&gt;&lt;img src=x&gt;</title>" in head
    assert "<b>" not in text.replace("<b aria", "")


def test_a_script_cannot_end_its_element(monkeypatch):
    monkeypatch.setattr("flowrules.pages.shell.asset", lambda name: "let a = '</SCRIPT>'")
    with pytest.raises(ValueError, match="would end it"):
        render_page(Page("t", "shell.html.j2"))


def test_a_page_may_embed_pictures_and_documents_if_it_says_so():
    assert "img-src data: blob:" in policy("", "", images=True) and "frame-src data: blob:" in policy(
        "", "", frames=True
    )
    assert "frame-src" not in policy("", "")


def test_libraries_are_as_they_were_published():
    listed = json.loads((VENDOR / "libraries.json").read_text())
    files = {path.name for path in VENDOR.iterdir()}
    assert files == {"libraries.json"} | {f"{n}.min.js" for n in listed} | {f"{n}.LICENSE" for n in listed}
    for name, entry in listed.items():
        code = (VENDOR / f"{name}.min.js").read_bytes()
        assert hashlib.sha256(code).hexdigest() == entry["sha256"], f"{name} was changed: take it by tools/vendor.py"
        assert f"v{entry['version']} Copyright" in code.decode().split("\n")[0]
        assert entry["licence"] in ("ISC", "BSD-3-Clause", "MIT")
    assert set(ZOOM) == set(listed)


def test_a_page_carries_the_licences_of_its_libraries():
    text = render_page(Page("t", "shell.html.j2", libraries=ZOOM))
    for name in ZOOM:
        assert assets.asset(f"vendor/{name}.LICENSE").strip() in text
    assert text.count("Permission to use, copy, modify, and/or distribute") == 1


def test_every_state_has_colours_and_a_shape():
    style, marks = assets.asset("base.css"), assets.asset("marks.js")
    for state in STATES:
        assert f"--{state.key}:" in style and f"--{state.key}-soft:" in style and f"\n  {state.key}: [" in marks


def table(*rows, **more):
    from markupsafe import Markup

    template = assets.environment().from_string('{% from "parts.html.j2" import table %}{{ table(t) }}')
    columns = [Column("name"), Column("count", "number")]
    return str(Markup(template.render(t=Table("Rows <b>", columns, rows, **more))))


def test_tables_are_text_with_values_to_sort_by():
    text = table(
        ["<i>a</i>", Cell("1.2kB", 1200, part=0.5)], [Cell("\x1b[31m", state="failed", href="#x"), "7"], note="n & m"
    )
    assert "<caption>Rows &lt;b&gt;</caption>" in text
    assert '<td class="text">&lt;i&gt;a&lt;/i&gt;</td>' in text
    assert re.search(r'<td class="number" data-value="1200"><meter [^>]*value="0.5"[^>]*></meter>1.2kB</td>', text)
    assert 'data-mark="failed"' in text and '<a href="#x">\\x1b[31m</a>' in text
    assert '<p class="note">n &amp; m</p>' in text
    assert html.unescape(table(empty="no <rows>")).strip() == '<p class="empty">no <rows></p>'


@pytest.mark.parametrize("address", ["javascript:alert(1)", "http://example.org/", "data:text/html,x"])
def test_tables_lead_nowhere_else(address):
    with pytest.raises(ValueError, match="leads out of the page"):
        table([Cell("x", href=address), "1"])
