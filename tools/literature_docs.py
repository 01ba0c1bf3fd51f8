#!/usr/bin/env python3
"""Write docs/literature.md from the claims room; with --check, only compare."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from cambrian.claims.page import document  # noqa: E402 - after the path is set

PAGE = ROOT / "docs" / "literature.md"


def main() -> None:
    """Write or compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true")
    text = document()
    if not parser.parse_args().check:
        PAGE.write_text(text, encoding="utf-8")
    elif not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != text:
        sys.exit("docs/literature.md is not what the claims say: run tools/literature_docs.py")


if __name__ == "__main__":
    main()
