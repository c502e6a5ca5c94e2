"""Makes the pictures of README and docs: pages of examples/molecules in headless Chromium, by `make screenshots`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

HERE = Path(__file__).parent
EXAMPLE = HERE.parent.parent / "examples" / "molecules"
MOST = 200_000
"""Bytes of a picture."""


def main() -> int:
    """Write the pictures beside this file. Returns the exit status."""
    from playwright.sync_api import sync_playwright

    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        print("no browser: `chromium` is not installed", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page = Path(folder) / "dag.html"
        call = ["-m", "flowrules", "dag", "--profile", "polaris", "--sandbox", "-j", "8", "-o"]
        subprocess.run([sys.executable, *call, str(page)], cwd=EXAMPLE, check=True, stdout=subprocess.DEVNULL)
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--headless", "--no-sandbox", "--disable-gpu"]
        )
        for dark in (False, True):
            take(browser, page, dark)
        browser.close()
    return 0


def take(browser: Browser, path: Path, dark: bool) -> None:
    """The pictures in one theme."""
    context = browser.new_context(
        viewport={"width": 1360, "height": 860}, color_scheme="dark" if dark else "light", reduced_motion="reduce"
    )
    page = context.new_page()
    page.goto(path.as_uri())
    page.wait_for_selector("body[data-ready=jobs]")
    page.evaluate("flowrules.model.open(1)")
    page.evaluate("flowrules.model.choose({ rule: 1, job: flowrules.model.rules[1].first + 58 })")
    page.wait_for_selector("#panel:not([hidden])")
    page.wait_for_timeout(500)
    page.evaluate("""() => {
        const [, top] = flowrules.placement.boxes[0], [left, y, width, height] = flowrules.placement.boxes[1];
        flowrules.plane.show([left, top, width, y + height - top], { margin: 24 });
    }""")
    save(page, f"dag-{'dark' if dark else 'light'}.png")
    page.evaluate("flowrules.model.choose(null)")
    page.keyboard.press("p")
    save(page, f"packing-{'dark' if dark else 'light'}.png")
    context.close()


def save(page: Page, name: str) -> None:
    """Write what is seen."""
    page.wait_for_timeout(500)
    page.screenshot(path=HERE / name)
    size = (HERE / name).stat().st_size
    print(f"{name}: {size:,} bytes")
    assert size <= MOST, f"{name} is too large"


if __name__ == "__main__":
    sys.exit(main())
