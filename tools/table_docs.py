#!/usr/bin/env python3
"""Write docs/table.md from the table that ships. With --check, only say whether it is the same."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cambrian.experiments.tabular.page import document

PAGE = Path(__file__).resolve().parent.parent / "docs" / "table.md"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    if parser.parse_args().check:
        if PAGE.read_text(encoding="utf-8") == document():
            return 0
        print("docs/table.md is not what the table says: tools/table_docs.py")
        return 1
    PAGE.write_text(document(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
