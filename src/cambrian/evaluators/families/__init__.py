"""Families of streams: a family draws a stream from its seed.

Some families are sealed: no search of any suite draws them. Suites are made of families
(`cambrian.evaluators.suites`).
"""

from __future__ import annotations

import cambrian.evaluators.benchmarks  # noqa: F401 - first: it registers this package's modules
from cambrian.evaluators.families.base import Family, Stream
from cambrian.evaluators.families.listed import FAMILIES

__all__ = ["FAMILIES", "Family", "Stream"]
