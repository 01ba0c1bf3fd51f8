#!/usr/bin/env python3
"""Draw the mermaid blocks of docs/ as SVG, so that the site needs no script for them.

    python tools/docs_site/diagrams.py            draw what is new, remove what no page has any more
    python tools/docs_site/diagrams.py --check    only say whether every block has its drawing

Mermaid (MIT) comes from npm, at the version and hash below, into a temporary folder; a Chromium of
this machine draws. Neither is needed to build the site.
"""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tools.docs_site.blocks import DRAWINGS, blocks

VERSION = "11.17.2"
INTEGRITY = (
    "sha512-V6K3C8EBdEsPFZXSKMJe6ppQOENxuHARr9GvHX4hh47l"
    "AbhMRD9qf4oEK7LoaRQxULMa80/qt5gHO73aCleBBg=="
)
MEMBER = "package/dist/mermaid.min.js"


def mermaid(folder: Path) -> str:
    """The script, once its package's hash was found to be the one expected."""
    subprocess.run(["npm", "pack", "--silent", f"mermaid@{VERSION}"], cwd=folder, check=True)
    package = folder / f"mermaid-{VERSION}.tgz"
    found = base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()
    if f"sha512-{found}" != INTEGRITY:
        sys.exit(f"expected mermaid {VERSION} with {INTEGRITY}, got sha512-{found}: do not use it")
    with tarfile.open(package) as tar:
        member = tar.extractfile(MEMBER)
        if member is None:
            sys.exit(f"expected {MEMBER} in mermaid {VERSION}; it is not there")
        return member.read().decode()


def draw(sources: dict[str, str]) -> None:
    """Write a drawing for each block, by file name."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as made, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page()
        page.set_content("<body></body>")
        page.add_script_tag(content=mermaid(Path(made)))
        page.evaluate(
            "mermaid.initialize({startOnLoad: false, theme: 'neutral', htmlLabels: false,"
            " fontFamily: 'sans-serif', flowchart: {htmlLabels: false}})"
        )
        for name, source in sources.items():
            given = [f"d{name.removesuffix('.svg')}", source]
            svg = page.evaluate("async ([id, text]) => (await mermaid.render(id, text)).svg", given)
            (DRAWINGS / name).write_text(svg + "\n", encoding="utf-8")
            print(DRAWINGS / name)
        browser.close()


def main() -> None:
    """Draw, or compare."""
    wanted = blocks()
    there = {path.name for path in DRAWINGS.glob("*.svg")}
    if "--check" in sys.argv[1:]:
        if there != set(wanted):
            sys.exit("the drawings are out of date: run tools/docs_site/diagrams.py")
        return
    DRAWINGS.mkdir(parents=True, exist_ok=True)
    for name in there - set(wanted):
        (DRAWINGS / name).unlink()
    if new := {name: text for name, text in wanted.items() if name not in there}:
        draw(new)


if __name__ == "__main__":
    main()
