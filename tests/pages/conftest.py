"""A real browser for tests of pages: Debian's Chromium, driven by Playwright; left out where either is missing."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def browser() -> Iterator["object"]:
    """The browser of a test process."""
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no browser: `chromium` is not installed")
    sync_api = pytest.importorskip("playwright.sync_api", reason="no Playwright: `pip install '.[browser]'`")
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium, args=OPTIONS, timeout=120_000)
        yield found
        found.close()


class Tab:
    """A page in the browser, with all it said and asked for.

    Attributes:
        page: Playwright's page; said: what went to the console, or was thrown; asked: addresses beyond the file itself.
    """

    def __init__(self, page, path: Path) -> None:
        self.page = page
        self.said: list[str] = []
        self.asked: list[str] = []
        address = path.as_uri()
        page.set_default_timeout(60_000)
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("dialog", lambda dialog: (self.said.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: self.asked.append(request.url) if request.url != address else None)
        page.goto(address)
        page.wait_for_selector("body[data-ready=jobs]")

    def __getattr__(self, name: str):
        return getattr(self.page, name)

    def middle(self, rule: str) -> tuple[float, float]:
        """Where in the window the middle of a rule's box is."""
        return self._place(f"placement.boxes[model.rules.find((rule) => rule.name === {rule!r}).index]")

    def cell(self, job: int) -> tuple[float, float]:
        """Where in the window the cell of a job is."""
        return self._place(f"placement.cell({job})")

    def _place(self, box: str) -> tuple[float, float]:
        script = """() => {
            const { model, placement, plane } = flowrules;
            const [x, y, width, height] = BOX, frame = plane.canvas.getBoundingClientRect();
            const [a, b] = plane.at.apply([x + width / 2, y + height / 2]);
            return [frame.left + a, frame.top + b];
        }"""
        return tuple(self.page.evaluate(script.replace("BOX", box)))

    def until(self, script: str) -> None:
        """Look until it is so; Playwright's own way is refused by the policy of pages."""
        end = time.monotonic() + 60
        while not self.page.evaluate(script):
            assert time.monotonic() < end, f"never: {script}"
            self.page.wait_for_timeout(20)

    def click_at(self, place: tuple[float, float]) -> None:
        self.page.mouse.click(*place)

    def texts(self, selector: str) -> list[str]:
        """Texts of all elements that are shown."""
        return [text.strip() for text in self.page.locator(selector).all_inner_texts()]

    def shows(self, selector: str, texts: list[str]) -> None:
        """Look until elements have these texts: what a key or a click changes is drawn with the next frame."""
        end = time.monotonic() + 60
        while (found := self.texts(selector)) != texts and time.monotonic() < end:
            self.page.wait_for_timeout(20)
        assert found == texts

    def panel(self) -> str:
        """The text of the panel, once it is open."""
        self.page.wait_for_selector("#panel:not([hidden]) h2")
        return self.page.locator("#panel").inner_text()


@pytest.fixture
def tab(browser, tmp_path: Path) -> Iterator[Callable[..., Tab]]:
    """Opens HTML in the browser, without a network; whatever the page says or asks for is a failure."""
    contexts, tabs = [], []

    def show(html: str, *, dark: bool = False, width: int = 1280, height: int = 800) -> Tab:
        path = tmp_path / f"page{len(tabs)}.html"
        path.write_text(html, encoding="utf-8")
        size = {"width": width, "height": height}
        scheme = "dark" if dark else "light"
        context = browser.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce", offline=True)
        contexts.append(context)
        tabs.append(Tab(context.new_page(), path))
        return tabs[-1]

    yield show
    for context in contexts:
        context.close()
    for one in tabs:
        assert one.said == []
        assert one.asked == []
