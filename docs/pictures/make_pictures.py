"""Makes the pictures of README and docs in headless Chromium, by `make screenshots`: pages, a report, a terminal."""

from __future__ import annotations

import html
import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyte
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
        report, terminal = Path(folder) / "report.html", Path(folder) / "terminal.html"
        campaign(Path(folder) / "screening", report, terminal)
        for dark in (False, True):
            take(browser, page, dark)
            take_report(browser, report, dark)
        take_terminal(browser, terminal)
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


# A campaign of sleeps that fails here and there.
SCREENING = """\
rule all:
    input: expand("score/{n}.txt", n=range(60)), "ranking.csv"
rule dock:
    output: "dock/{n}.txt"
    resources: gpus=1, walltime=1min
    shell:
        "sleep 0.$(( ({n} * 37) % 90 + 10 )); "
        "if [ $(( {n} % 17 )) = 5 ]; then echo 'CUDA out of memory' >&2; exit 1; fi; "
        "echo {n} > {output}"
rule score:
    input: "dock/{n}.txt"
    output: "score/{n}.txt"
    resources: gpus=1, walltime=1min
    shell:
        "sleep 0.$(( ({n} * 23) % 60 + 20 )); "
        "if [ $(( {n} % 29 )) = 7 ]; then echo 'error: no pose of ligand {n} fits'; exit 2; fi; "
        "cp {input} {output}"
rule ranking:
    output: report("ranking.csv", caption="Best ligands so far", category="Ranking")
    local: true
    shell: "printf 'ligand,score\\\\nL17,-9.2\\\\nL3,-8.7\\\\nL42,-8.1\\\\n' > {output}"
"""
WIDE, TALL = 92, 18


def campaign(folder: Path, report: Path, terminal: Path) -> None:
    """Run it in the sandbox in a real terminal of `WIDE` by `TALL`; write its report, and the terminal half way."""
    import pexpect
    import pyte

    folder.mkdir()
    (folder / "Flowfile").write_text(SCREENING)
    call = ["-m", "flowrules", "-k", "--profile", "polaris", "--sandbox", "-j", "8"]
    run = pexpect.spawn(sys.executable, call, cwd=folder, dimensions=(TALL, WIDE), encoding="utf-8", timeout=300)
    screen = pyte.Screen(WIDE, TALL)
    stream = pyte.Stream(screen)
    half = ""
    while run.isalive() or not half:
        with suppress(pexpect.TIMEOUT, pexpect.EOF):
            stream.feed(run.read_nonblocking(4096, timeout=0.2))
        done = re.search(r"total .* (\d+)/121", "\n".join(screen.display))
        if done and 30 <= int(done[1]) <= 80:
            half = as_html(screen)
    run.close()
    terminal.write_text(half, encoding="utf-8")
    call = ["-m", "flowrules", "report", "-o", str(report)]
    subprocess.run([sys.executable, *call], cwd=folder, check=True, stdout=subprocess.DEVNULL)


COLOURS = {"green": "#3fb950", "cyan": "#39c5cf", "red": "#ff7b72", "brown": "#d29922", "brightblack": "#8b949e"}


def as_html(screen: pyte.Screen) -> str:
    """A terminal as a page."""
    lines = []
    for y in range(screen.lines):
        cells = [screen.buffer[y][x] for x in range(screen.columns)]
        lines.append("".join(cell(char) for char in cells).rstrip())
    text = "\n".join(lines).strip("\n")
    style = "margin:0;padding:18px 22px;background:#0d1117;color:#e6edf3;font:14px/1.35 'DejaVu Sans Mono',monospace"
    return f'<meta charset="utf-8"><body style="margin:0;background:#0d1117"><pre style="{style}">{text}</pre>'


def cell(char: pyte.screens.Char) -> str:
    text = html.escape(char.data)
    colour = COLOURS.get(char.fg, "")
    style = (f"color:{colour};" if colour else "") + ("font-weight:bold" if char.bold else "")
    return f'<span style="{style}">{text}</span>' if style and text.strip() else text


def take_report(browser: Browser, path: Path, dark: bool) -> None:
    context = browser.new_context(
        viewport={"width": 1280, "height": 1480}, color_scheme="dark" if dark else "light", reduced_motion="reduce"
    )
    page = context.new_page()
    page.goto(path.as_uri())
    page.wait_for_selector("body[data-ready=jobs]")
    save(page, f"report-{'dark' if dark else 'light'}.png")
    context.close()


def take_terminal(browser: Browser, path: Path) -> None:
    page = browser.new_page(viewport={"width": 840, "height": 380})
    page.goto(path.as_uri())
    save(page, "progress.png")


def save(page: Page, name: str) -> None:
    """Write what is seen."""
    page.wait_for_timeout(500)
    page.screenshot(path=HERE / name)
    size = (HERE / name).stat().st_size
    print(f"{name}: {size:,} bytes")
    assert size <= MOST, f"{name} is too large"


if __name__ == "__main__":
    sys.exit(main())
