#!/usr/bin/env python3
"""Write docs/does-the-archive-pay.md from the stored results.

tools/payoff_docs.py                write the page
tools/payoff_docs.py --check        only compare
tools/payoff_docs.py --store DIR    keep the results of `cambrian experiment simulate --out DIR`
                                    as those that ship, compressed, and write the page
"""

from __future__ import annotations

import argparse
import gzip
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from cambrian.experiments.page import MEASURED, document  # noqa: E402 - after the path is set
from cambrian.experiments.simulate import RESULTS, load  # noqa: E402

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write docs/does-the-archive-pay.md.")
    parser.add_argument("--check", action="store_true", help="only compare")
    parser.add_argument("--store", type=Path, metavar="DIR", help="keep these results first")
    asked = parser.parse_args()
    if asked.store is not None:
        load(asked.store)  # only what makes sense is kept
        whole = (asked.store / RESULTS).read_bytes()
        MEASURED.parent.mkdir(exist_ok=True)
        MEASURED.write_bytes(gzip.compress(whole[: whole.rfind(b"\n") + 1], mtime=0))
    target, text = ROOT / "docs" / "does-the-archive-pay.md", document()
    if not asked.check:
        target.write_text(text, encoding="utf-8")
    elif not target.is_file() or target.read_text(encoding="utf-8") != text:
        sys.exit("docs/does-the-archive-pay.md is not what was measured: run tools/payoff_docs.py")
