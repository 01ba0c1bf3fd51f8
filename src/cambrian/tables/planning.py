"""Looking at a table once: what its columns are, what is left out, and why."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cambrian.errors import UsageError
from cambrian.tables.encoding import inputs
from cambrian.tables.frames import days, in_order, mixed, numbers, read_frame
from cambrian.tables.plan import Column, Kind, Plan

FIRST = 0.2
TASKS = ("class-incremental", "domain")
LEAST_ROWS, LEAST_OF_CLASS, MOST_VALUES, MOST_CLASSES = 60, 4, 30, 100


@dataclass(frozen=True)
class Made:
    """A plan, and what is to be said of it.

    Attributes:
        rows: how many rows the table has.
        notes: what was done to the data, a sentence each.
    """

    plan: Plan
    rows: int
    notes: tuple[str, ...]


def make_plan(
    path: Path, label: str, *, kind: Kind = "drift", order: str = "", domain: str = ""
) -> Made:
    """What to make of a table.

    Raises:
        NotFound: no such file.
        UsageError: the table cannot be used; the message names the line and the column.
    """
    frame, separator, digest = read_frame(path, label)
    for role, name in (("label", label), ("order", order), ("domain", domain)):
        if name and name not in frame.columns:
            raise UsageError(
                f"{path}:1: expected a column {name!r} (the {role}); there are "
                f"{', '.join(map(repr, frame.columns))}"
            )
    for name in filter(None, (label, order, domain)):
        _require_whole(path, frame, name)
    if len(frame) < LEAST_ROWS:
        raise UsageError(f"{path}: expected at least {LEAST_ROWS} rows; got {len(frame)}")
    frame = mixed(frame) if kind in TASKS else in_order(path, frame, order)
    seen = frame.drop(columns=[name for name in (label, order, domain) if name])
    # Of equal rows one is kept: these are the first rows after that as well.
    first = max(LEAST_ROWS // 2, int(FIRST * len(seen.drop_duplicates())))
    columns, notes = [], []
    for name in frame.columns:
        if name not in (label, order, domain):
            column, note = _column(path, frame[name], first)
            columns += [column] if column else []
            notes += [note] if note else []
    if not columns:
        raise UsageError(f"{path}: expected a column to learn from beside {label!r}; got none")
    classes, mean, spread = _labels(path, frame[label], kind, first)
    different = len(np.unique(inputs(frame, columns), axis=0))
    if different < LEAST_ROWS:
        raise UsageError(
            f"{path}: expected at least {LEAST_ROWS} rows with different inputs, for of equal ones "
            f"the first alone is kept; got {different}"
        )
    plan = Plan(
        label,
        tuple(columns),
        classes,
        digest,
        separator,
        order,
        domain,
        first,
        mean,
        spread,
    )
    return Made(plan, len(frame), tuple(notes))


def _require_whole(path: Path, frame: Any, name: str) -> None:
    missing = frame.index[frame[name] == ""]
    if len(missing):
        raise UsageError(f"{path}:{missing[0]}: column {name!r} is empty: every row needs one")


def _column(path: Path, cells: Any, first: int) -> tuple[Column | None, str]:
    """What a column is, by its first rows; and what is to be said of it."""
    name, given = str(cells.name), cells[cells != ""]
    if given.nunique() < 2:
        return None, f"{name} is the same in every row and left out."
    gaps = f"{len(cells) - len(given)} missing cells of {name} count as its mean. "
    gaps = gaps if len(given) < len(cells) else ""
    for sort, found in (("number", numbers(given)), ("date", days(given))):
        if np.isfinite(found).all():
            whole = numbers(cells) if sort == "number" else days(cells)
            early = whole[:first][np.isfinite(whole[:first])]
            if not len(early):
                return None, f"{name} has no value in the first {first} rows and is left out."
            mean, spread = _figures(path, name, early)
            note = gaps + (f"{name} is a date, in days." if sort == "date" else "")
            return Column(name, sort, mean, spread), note.strip()  # type: ignore[arg-type]
    if given.nunique() > MOST_VALUES:
        odd = given.index[~np.isfinite(numbers(given))][0]
        raise UsageError(
            f"{path}:{odd}: column {name!r} has {given.nunique()} different texts (the first is "
            f"{str(cells[odd])[:40]!r}): expected numbers, dates or at most {MOST_VALUES} values. "
            "Mend it, or take the column out of the file"
        )
    values = tuple(sorted(set(given[cells.index[:first].intersection(given.index)])))
    if not values:
        return None, f"{name} has no value in the first {first} rows and is left out."
    return Column(name, "category", values=values), f"{name} has {len(values)} values, 0 or 1 each."


def _figures(path: Path, name: str, early: Any) -> tuple[float, float]:
    """Mean and deviation of the first values (N,); a deviation of 0 is 1.

    Raises:
        UsageError: one of the two is not finite.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        mean, spread = float(early.mean()), float(early.std())
    if not np.isfinite([mean, spread]).all():
        raise UsageError(
            f"{path}: column {name!r}: expected values whose mean and deviation are finite; got "
            f"{np.abs(early).max():.3g}. Scale the column, or take it out of the file"
        )
    return mean, spread or 1.0


def _labels(path: Path, cells: Any, kind: Kind, first: int) -> tuple[tuple[str, ...], float, float]:
    """The classes; or mean and deviation of the first rows, of regression."""
    if kind == "regression":
        found = numbers(cells)
        wrong = cells.index[~np.isfinite(found)]
        if len(wrong):
            raise UsageError(
                f"{path}:{wrong[0]}: column {cells.name!r}: expected a number to be told; got "
                f"{cells[wrong[0]][:40]!r}"
            )
        return (), *_figures(path, str(cells.name), found[:first])
    counts = cells.value_counts()
    if not 2 <= len(counts) <= MOST_CLASSES:
        raise UsageError(
            f"{path}: column {cells.name!r}: expected 2 to {MOST_CLASSES} labels; got "
            f"{len(counts)}. Where it holds amounts, say --kind regression"
        )
    if kind != "drift" and counts.min() < LEAST_OF_CLASS:
        rare = counts.idxmin()
        raise UsageError(
            f"{path}:{cells.index[cells == rare][0]}: label {rare!r}: expected at least "
            f"{LEAST_OF_CLASS} rows; got {counts.min()}"
        )
    return tuple(sorted(map(str, counts.index))), 0.0, 1.0
