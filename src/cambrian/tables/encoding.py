"""Rows of a table as numbers, by its plan and by nothing else of the table."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cambrian.errors import UsageError
from cambrian.evaluators.data import Floats
from cambrian.tables.frames import days, in_order, mixed, numbers, read_frame
from cambrian.tables.plan import Column, Plan

CLIP = 5.0


@functools.lru_cache(maxsize=8)
def encoded(path: Path, plan: Plan, mix: bool) -> tuple[Floats, Any, tuple[str, ...]]:
    """x (N, inputs) float32 within ±5; y (N,) int64, of regression (N, 1) float32 in units of the
    first rows; and the domain of each row. Of rows with equal inputs the first alone is there.

    Args:
        mix: whether rows are put into a fixed random order first.

    Raises:
        UsageError: the file is not the one that the plan was made of.
    """
    frame, _, digest = read_frame(path, plan.label)
    if digest != plan.digest:
        raise UsageError(
            f"{path} has changed since this benchmark was written: write it anew with "
            "`cambrian bench new`, under another name or version"
        )
    frame = mixed(frame) if mix else in_order(path, frame, plan.order)
    x = inputs(frame, plan.columns)
    y: Any
    if plan.classes:
        y = np.searchsorted(np.array(plan.classes), frame[plan.label].to_numpy(str)).astype(
            np.int64
        )
    else:
        y = ((numbers(frame[plan.label]) - plan.mean) / plan.spread).astype(np.float32)[:, None]
    domains = tuple(frame[plan.domain]) if plan.domain else ("",) * len(x)
    _, first = np.unique(x, axis=0, return_index=True)
    kept = np.sort(first)
    return x[kept], y[kept], tuple(domains[row] for row in kept)


def inputs(frame: Any, columns: Sequence[Column]) -> Floats:
    """What learners see of a table: (N, inputs) within ±5."""
    x = np.concatenate([_inputs(frame[column.name], column) for column in columns], axis=1)
    return np.asarray(x.clip(-CLIP, CLIP), dtype=np.float32)


def _inputs(cells: Any, column: Column) -> Any:
    """(N, width) float64; a cell that is missing is the mean, or of a category all zeros."""
    if column.sort == "category":
        values = np.array(column.values, dtype=object)
        return (cells.to_numpy(object)[:, None] == values[None, :]).astype(np.float64)
    found = numbers(cells) if column.sort == "number" else days(cells)
    return np.nan_to_num((found - column.mean) / column.spread, nan=0.0)[:, None]
