"""What the page costs at 100,000 agents, and whether a tree of thousands stays fluid.

    python benchmarks/web.py [--quick] [--json FILE] [--agents N] [--folder DIR] [--no-browser]

An archive is made (`_made`; its proposals graft mechanisms, its members have scores in a suite),
and served by uvicorn in this process. Each page is asked for over HTTP, once to warm up and then
`TIMES` times; the median counts. Then Chromium (of the system) opens the tree, zooms it for some
seconds and counts frames, and adds up what all pages load. --quick makes 20,000 agents. With
--folder the archive is kept for the next time.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from _made import make
from _table import Figure, report

from cambrian.archive import Archive
from cambrian.evaluators.suites import suite_of
from cambrian.web.app import create_app
from cambrian.web.guard import Rules
from cambrian.web.pages import PAGES

AGENTS, QUICK = 100_000, 20_000
TIMES = 7
PAGE_MS, FRAMES, WHOLE_KB = 300.0, 30.0, 868.0
"""Targets: milliseconds a page, frames a second, and the size of ShinkaEvolve's page, in kB."""
MECHANISMS = ("reservoir", "ewc", "hopfield", "class_mean", "adam", "label_map")
TOKEN = "benchmark-of-the-page"
ZOOM_S = 4

FRAMES_JS = """
(seconds) => new Promise((done) => {
  const canvas = document.getElementById("canvas"), box = canvas.getBoundingClientRect();
  let frames = 0;
  const began = performance.now();
  const tick = (now) => {
    frames += 1;
    if (now - began > 1000 * seconds) return done(1000 * frames / (now - began));
    canvas.dispatchEvent(new WheelEvent("wheel", {
      deltaY: Math.sin(now / 300) * 40, clientX: box.left + box.width / 2, clientY: box.top + 200,
      bubbles: true, cancelable: true}));
    requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
})
"""


def grow(home: Path, count: int) -> None:
    """The archive, with mechanisms in its operations and a suite that scored its members."""
    make(home, count)
    with Archive.open(home) as archive:
        archive.suites.open(suite_of("", ["split-mnist"]))
        kept = archive.suites.current()
        assert kept is not None
        with archive.transaction():
            names = json.dumps(MECHANISMS)
            archive.database.execute(
                "UPDATE proposals SET operation = json_object('kind', 'graft', 'mechanism', "
                "json_extract(:names, '$[' || (id % :count) || ']'))",
                {"names": names, "count": len(MECHANISMS)},
            )
            archive.database.execute(
                "INSERT OR REPLACE INTO scores (suite_id, number, score, lower, upper, vector) "
                "SELECT :suite, number, score, lower, upper, json_object('split-mnist', score) "
                "FROM agents WHERE status IN ('seed', 'admitted') AND lower IS NOT NULL",
                {"suite": kept.id},
            )


@contextmanager
def served(home: Path) -> Iterator[str]:
    config = uvicorn.Config(
        create_app({"made": home}, Rules(TOKEN)), host="127.0.0.1", port=0, log_level="warning"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


def timed(url: str) -> tuple[float, float, float]:
    """Median milliseconds, those of the first time, and the kB of an answer."""
    found, size = [], 0
    for _ in range(TIMES + 1):
        began = time.perf_counter()
        with urllib.request.urlopen(url, timeout=120) as answer:
            size = len(answer.read())
        found.append(1000 * (time.perf_counter() - began))
    return statistics.median(found[1:]), found[0], size / 1000


def pages(origin: str) -> dict[str, tuple[float, float, float]]:
    paths = [name for name, page in PAGES.items() if page.title]
    paths += ["agent/@best", "agent/@root", "tree.json", "tree.json?ghosts=1", "branch.json?of=5"]
    return {path: timed(f"{origin}/made/{path}") for path in paths}


def in_browser(origin: str) -> dict[str, float]:
    """Frames a second of the tree, how many agents it shows, and the kB that all pages load."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        raise SystemExit("expected Chromium: scripts/chromium installs it, or give --no-browser")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=flags)
        page = browser.new_page(viewport={"width": 1280, "height": 860})
        loaded: dict[str, int] = {}

        def came(answer: Any) -> None:
            if "/static/" in answer.url:
                loaded[answer.url] = len(answer.body())

        page.on("response", came)
        page.goto(f"{origin}/made/tree")
        page.wait_for_selector("#tree[data-ready]", timeout=60_000)
        shown = float(page.get_attribute("#tree", "data-ready") or 0)
        frames = float(page.evaluate(FRAMES_JS, ZOOM_S))
        for name in ("now", "agent/@best"):
            page.goto(f"{origin}/made/{name}")
            page.wait_for_timeout(500)
        browser.close()
    return {"frames": frames, "shown": shown, "static_kb": sum(loaded.values()) / 1000}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help=f"{QUICK:,} agents")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--agents", type=int, help="so many agents")
    parser.add_argument("--folder", type=Path, help="where the archive is made and kept")
    parser.add_argument("--no-browser", action="store_true", help="only what the server does")
    given = parser.parse_args()
    count = given.agents or (QUICK if given.quick else AGENTS)
    with tempfile.TemporaryDirectory() as scratch:
        home = (given.folder or Path(scratch)) / f"web-{count}"
        if not (home / "archive.db").exists():
            grow(home, count)
        with served(home) as origin:
            found = pages(origin)
            seen = {} if given.no_browser else in_browser(origin)
    figures = [
        Figure(
            f"{path} at {count:,}",
            ms,
            "ms",
            PAGE_MS,
            note=f"{size:,.0f} kB; the first time {first:,.0f} ms",
        )
        for path, (ms, first, size) in found.items()
    ]
    if seen:
        note = f"{seen['shown']:,.0f} agents on the canvas, zoomed"
        figures += [
            Figure("frames of the tree", seen["frames"], "fps", FRAMES, at_least=True, note=note),
            Figure("scripts and styles of all pages", seen["static_kb"], "kB", WHOLE_KB),
        ]
    if given.json:
        plain = {
            path: {"ms": ms, "first_ms": first, "kb": size}
            for path, (ms, first, size) in found.items()
        }
        given.json.write_text(
            json.dumps({"agents": count, "pages": plain, **seen}, indent=2) + "\n"
        )
    return report("web", figures)


if __name__ == "__main__":
    sys.exit(main())
