"""Tables of one's own: read as people keep them, and written down as benchmarks.

A file that `cambrian bench new` has written takes a class and its plan from here.
"""

from __future__ import annotations

from cambrian.tables.plan import Column, Plan
from cambrian.tables.stream import TableStream, TableTasks

__all__ = ["Column", "Plan", "TableStream", "TableTasks"]
