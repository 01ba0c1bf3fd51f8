#!/usr/bin/env python3
"""Write docs/metrics.md from the catalogue of metrics (a test compares them)."""

from pathlib import Path

from cambrian.evaluators.metrics.catalogue import document

target = Path(__file__).resolve().parent.parent / "docs/metrics.md"
target.write_text(document(), encoding="utf-8")
print(target)
