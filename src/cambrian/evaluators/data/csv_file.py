"""A table of one's own, from a CSV file: numbers and one column of labels.

What is wrong with a table is said with file, line and column, before a learner sees any of it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cambrian.errors import NotFound, UsageError
from cambrian.evaluators.data.base import Floats, Labels

LEAST_ROWS = 4
"""Rows of a class: two to learn from, one to be judged by, one for sealed runs."""
SHOWN = 30
LARGEST = 1e15
"""Squares of larger ones, summed over a table's rows, are no float32 any more."""
OTHER_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}


@dataclass(frozen=True)
class Table:
    """A table's rows.

    Attributes:
        x: (N, columns) float32, all finite, no column constant.
        y: (N,) int64, an index into `classes`.
        columns: the names of x's columns.
        classes: the labels, sorted.
    """

    x: Floats
    y: Labels
    columns: tuple[str, ...]
    classes: tuple[str, ...]


@dataclass(frozen=True)
class _Row:
    line: int
    cells: list[str]


def read_table(
    path: Path | str,
    *,
    label: str,
    columns: int | None = None,
    classes: int | None = None,
    least: int = LEAST_ROWS,
) -> Table:
    """Read a CSV file (UTF-8, commas, a header) of numbers and one column of labels.

    Args:
        label: the name of the labels' column.
        columns: how many columns of numbers there should be; None: any.
        classes: how many different labels there should be; None: two or more.
        least: how many rows every class has at least.

    Raises:
        NotFound: there is no such file.
        UsageError: something in it is not as it should be; says where.
    """
    file = Path(path)
    header, *rows = _rows(file)
    names = _names(file, header, label)
    at = names.index(label)
    if columns is not None and len(names) - 1 != columns:
        raise _wrong(
            file, 1, f"expected {_some(columns, 'column')} beside {label!r}, got {len(names) - 1}"
        )
    for row in rows:
        if len(row.cells) != len(names):
            raise _wrong(
                file, row.line, f"expected {_some(len(names), 'cell')}, got {len(row.cells)}"
            )
    if not rows:
        raise _wrong(file, 1, "expected rows under the header, got none")
    kept = [place for place in range(len(names)) if place != at]
    x = np.array(
        [[_number(file, row, place, names[place]) for place in kept] for row in rows], np.float32
    )
    _expect_changes(file, x, [(place, names[place]) for place in kept])
    given, y = _labels(file, rows, at, label, classes, least)
    return Table(x, y, tuple(names[place] for place in kept), given)


def _rows(file: Path) -> list[_Row]:
    """Header and rows, each with the line that it begins on; empty lines are left out."""
    text = _text(file)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    found: list[_Row] = []
    line = 1
    try:
        for cells in reader:
            if cells:
                found.append(_Row(line, cells))
            line = reader.line_num + 1
    except csv.Error as error:
        raise _wrong(file, max(line, reader.line_num), f"expected CSV; {error}") from None
    if not found:
        raise UsageError(f"{file} is empty: expected a header and rows")
    return found


def _text(file: Path) -> str:
    try:
        raw = file.read_bytes()
    except FileNotFoundError:
        raise NotFound(f"no such file: {file}") from None
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from None
    for mark in (b"\xff\xfe", b"\xfe\xff"):
        if raw.startswith(mark):
            raise _wrong(file, 1, "expected UTF-8, got UTF-16; save the file as UTF-8")
    if raw.startswith(b"\xef\xbb\xbf"):
        raise _wrong(
            file, 1, "a byte order mark (BOM) before the first column's name; save without it"
        )
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        byte = raw[error.start]
        raise _wrong(file, line, f"byte {byte:#04x} is not UTF-8; save the file as UTF-8") from None


def _names(file: Path, header: _Row, label: str) -> list[str]:
    """The columns' names, checked."""
    names = [name.strip() for name in header.cells]
    if len(names) == 1:
        for other, called in OTHER_DELIMITERS.items():
            if other in names[0]:
                raise _wrong(file, header.line, f"expected commas between columns, got {called}")
    if len(names) > 1 and all(map(_is_number, names)):
        raise _wrong(file, header.line, "expected a header with the names of the columns")
    for place, name in enumerate(names):
        if not name:
            raise _wrong(file, header.line, "expected a name, got none", place)
        if name in names[:place]:
            raise _wrong(file, header.line, f"a second column called {name[:SHOWN]!r}", place)
    if label not in names:
        shown = ", ".join(name[:SHOWN] for name in names[:20])
        raise _wrong(file, header.line, f"expected a column {label!r} with the labels, got {shown}")
    if len(names) == 1:
        raise _wrong(file, header.line, f"expected columns of numbers beside {label!r}, got none")
    return names


def _number(file: Path, row: _Row, place: int, name: str) -> float:
    """A cell's value, finite also as float32."""
    text = row.cells[place].strip()
    if not _is_number(text):
        hint = ""
        if not text:
            hint = "; fill it, or leave the row out"
        elif _is_number(text.replace(",", ".")):
            hint = ": a decimal point, not a comma"
        raise _wrong(file, row.line, f"expected a number, got {text[:SHOWN]!r}{hint}", place, name)
    value = float(text)
    if not abs(value) <= LARGEST:  # NaN compares as false
        raise _wrong(
            file,
            row.line,
            f"expected a finite number of at most {LARGEST:g} in size, got {text[:SHOWN]}",
            place,
            name,
        )
    return value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text and text.isascii()


def _expect_changes(file: Path, x: Floats, columns: Sequence[tuple[int, str]]) -> None:
    """Refuse a column in which every row has the same value: it tells nothing, and its standard
    deviation is 0."""
    for number, (place, name) in enumerate(columns):
        if len(x) > 1 and np.ptp(x[:, number]) == 0:
            raise _wrong(
                file, 2, f"constant: {x[0, number]:g} in every row; leave it out", place, name
            )


def _labels(
    file: Path, rows: Sequence[_Row], at: int, label: str, classes: int | None, least: int
) -> tuple[tuple[str, ...], Labels]:
    """The different labels, sorted, and each row's as an index into them."""
    texts = [row.cells[at].strip() for row in rows]
    for row, text in zip(rows, texts, strict=True):
        if not text or text.lower() in ("?", "na", "n/a", "nan", "null", "none"):
            raise _wrong(file, row.line, f"expected a label, got {text!r}", at, label)
    given = sorted(set(texts))
    some = ", ".join(repr(text[:SHOWN]) for text in given[:8]) + (", ..." if len(given) > 8 else "")
    if classes is not None and len(given) != classes:
        raise UsageError(
            f"{file}, column {at + 1} ({label}): expected {_some(classes, 'class', 'classes')}, "
            f"got {len(given)}: {some}"
        )
    if len(given) < 2:
        raise UsageError(
            f"{file}, column {at + 1} ({label}): expected two classes or more, got one: {some}"
        )
    y = np.array([given.index(text) for text in texts], dtype=np.int64)
    for number, rows_of in enumerate(np.bincount(y)):
        if rows_of < least:
            first = rows[int(np.argmax(y == number))].line
            raise _wrong(
                file,
                first,
                f"expected {_some(least, 'row')} or more of class {given[number][:SHOWN]!r}, "
                f"got {rows_of}",
                at,
                label,
            )
    return tuple(given), y


def _some(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"


def _wrong(
    file: Path, line: int, what: str, place: int | None = None, name: str = ""
) -> UsageError:
    column = "" if place is None else f", column {place + 1}" + (f" ({name[:SHOWN]})" * bool(name))
    return UsageError(f"{file}, line {line}{column}: {what}")
