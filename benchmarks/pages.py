"""How long the page of a large DAG takes to be made and opened, and how smoothly it moves, in headless Chromium."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import time
from pathlib import Path
from statistics import median

from generate import plan_graph
from measure import flowrules, scratch

OPTIONS = ["--headless", "--no-sandbox", "--disable-gpu"]

PAN = """async (steps) => {
    const { plane } = flowrules, times = [];
    let before = performance.now();
    for (let step = 0; step < steps; step++) {
        plane.go(plane.at.translate(step % 40 < 20 ? -9 : 9, 3), false);
        await new Promise(requestAnimationFrame);
        const now = performance.now();
        times.push(now - before);
        before = now;
    }
    return times.slice(1);
}"""
"""Moves the picture with every frame; milliseconds from one to the next."""


def main() -> None:
    """Prints a line for each thing measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=10_000, help="jobs (10000)")
    options = parser.parse_args()
    base = scratch("flowrules-pages-")
    folder = base / "work"
    folder.mkdir()
    try:
        jobs = plan_graph(folder, options.size)
        start = time.perf_counter()
        subprocess.run([flowrules(), "dag", "-o", "dag.html"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        print(f"{jobs:,} jobs")
        size = (folder / "dag.html").stat().st_size
        print(f"page made in {time.perf_counter() - start:.1f} s, {size / 1e6:.1f} MB")
        look(folder / "dag.html")
    finally:
        shutil.rmtree(base)


def look(page: Path) -> None:
    """Opens the page and moves it."""
    from playwright.sync_api import sync_playwright

    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=OPTIONS)
        opened: dict[str, list[float]] = {"rules": [], "jobs": []}
        for _ in range(5):
            tab = browser.new_page(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
            start = time.perf_counter()
            tab.goto(page.as_uri(), wait_until="commit")
            for state, times in opened.items():
                tab.wait_for_selector(f'body[data-ready="{state}"], body[data-ready="jobs"]')
                times.append(time.perf_counter() - start)
        print(f"opened, median of 5: rules {median(opened['rules']):.2f} s, jobs {median(opened['jobs']):.2f} s")
        tab.keyboard.press("e")
        tab.wait_for_timeout(1000)
        told(tab.evaluate(PAN, 120), "all unfolded, all in view")
        tab.evaluate("flowrules.plane.reveal(flowrules.placement.cell(500), 0.45)")
        told(tab.evaluate(PAN, 120), "as many names as can be read")
        tab.evaluate("flowrules.plane.reveal(flowrules.placement.cell(500), 1)")
        told(tab.evaluate(PAN, 120), "at full size")
        browser.close()


def told(times: list[float], what: str) -> None:
    """One line of frame times."""
    ordered = sorted(times)
    most = ordered[int(0.95 * len(ordered))]
    print(f"moving, {what}: {median(ordered):.0f} ms a frame, {most:.0f} ms at most in 95 %")


if __name__ == "__main__":
    main()
