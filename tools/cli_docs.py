#!/usr/bin/env python3
"""Write docs/cli.md and docs/settings.md from the commands; with --check, only compare."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from cambrian.cli.render.pages import pages, settings_page  # noqa: E402 - after the path is set

DOCS = ROOT / "docs"

if __name__ == "__main__":
    for name, make in (("cli.md", pages), ("settings.md", settings_page)):
        target, text = DOCS / name, make()
        if "--check" not in sys.argv[1:]:
            target.write_text(text, encoding="utf-8")
        elif not target.is_file() or target.read_text(encoding="utf-8") != text:
            sys.exit(f"docs/{name} is not what the commands say: run tools/cli_docs.py")
