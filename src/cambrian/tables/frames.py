"""A CSV file as people keep them, read with pandas: every cell as text, each row with its line."""

from __future__ import annotations

import csv
import hashlib
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.errors import NotFound, UsageError
from cambrian.evaluators.data.base import SPLIT_SEED

if TYPE_CHECKING:
    import pandas as pd

SEPARATORS = (",", ";", "\t", "|")
MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?", "-"})
"""Cells that say that there is no value, in small letters."""


def raw_of(path: Path) -> bytes:
    """The file's bytes.

    Raises:
        NotFound: there is none. UsageError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise NotFound(f"no such file: {path}") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None


def digest_of(raw: bytes) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    return hashlib.sha256(raw).hexdigest()


def read_frame(path: Path, label: str = "") -> tuple[pd.DataFrame, str, str]:
    """A table as text, its separator and its digest; missing cells are "".

    A byte order mark is left aside; commas, semicolons, tabs and vertical bars are told apart by
    the header. The index of a row is the line that it stands on.

    Args:
        label: a column in which "-" is a value, as in + and -.

    Raises:
        NotFound: no such file.
        UsageError: it is no table; the message names the line, and the column where there is one.
    """
    import pandas

    raw = raw_of(path)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise UsageError(
            f"{path}:{line}: expected UTF-8; got the byte {raw[error.start]:#04x}: save it as UTF-8"
        ) from None
    lines = text.splitlines()
    if not lines:
        raise UsageError(f"{path} is empty: expected a header and rows")
    separator = max(SEPARATORS, key=lines[0].count)
    rows, numbers = _rows(path, text, separator)
    header, *body = rows
    names = [name.strip() for name in header]
    _check_header(path, names)
    for row, number in zip(body, numbers[1:], strict=True):
        if len(row) != len(names):
            raise UsageError(
                f"{path}:{number}: expected {len(names)} cells, as in the header; got {len(row)}"
            )
    if not body:
        raise UsageError(f"{path}:1: expected rows under the header; got none")
    frame = pandas.DataFrame(body, columns=names, index=numbers[1:], dtype=str)
    stripped = frame.apply(lambda column: column.str.strip())
    missing = stripped.apply(_is_missing)
    if label in names:
        missing[label] &= stripped[label] != "-"
    return stripped.mask(missing, ""), separator, digest_of(raw)


def in_order(path: Path, frame: Any, order: str) -> Any:
    """The rows by their order column, numbers or dates; equal ones as in the file."""
    if not order:
        return frame
    for values in (numbers(frame[order]), days(frame[order])):
        if np.isfinite(values).all():
            return frame.iloc[np.argsort(values, kind="stable")]
    raise UsageError(f"{path}: expected numbers or dates (2024-01-31) in {order!r}, the order")


def mixed(frame: Any) -> Any:
    """The rows in a random order that is always the same: where tasks are made of them, the file's
    own order says nothing."""
    return frame.iloc[np.random.default_rng(SPLIT_SEED).permutation(len(frame))]


def numbers(column: Any) -> Any:
    """The cells (N,) as float64; NaN where one is missing or no number."""
    import pandas

    found = pandas.to_numeric(column, errors="coerce").to_numpy(np.float64)
    return np.where(np.isfinite(found), found, np.nan)


def days(column: Any) -> Any:
    """The cells (N,) as days since 1970, for dates as ISO 8601 has them; NaN for any other."""
    import pandas

    found = pandas.to_datetime(column, errors="coerce", format="ISO8601", utc=True)
    # In numpy, for pandas has no difference of years that nanoseconds do not reach ("-1" is one).
    since = found.dt.tz_localize(None).to_numpy("datetime64[us]") - np.datetime64(0, "us")
    return since / np.timedelta64(1, "D")


def _is_missing(column: Any) -> Any:
    return column.str.lower().isin(MISSING)


def _rows(path: Path, text: str, separator: str) -> tuple[list[list[str]], list[int]]:
    """Rows of cells and the line each begins on; empty lines are left out."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows, numbers, line = [], [], 1
    try:
        for cells in reader:
            if cells:
                rows.append(cells)
                numbers.append(line)
            line = reader.line_num + 1
    except csv.Error as error:
        raise UsageError(f"{path}:{line}: expected CSV; {error}") from None
    return rows, numbers


def _check_header(path: Path, names: list[str]) -> None:
    for place, name in enumerate(names):
        if not name:
            raise UsageError(f"{path}:1: column {place + 1} has no name: give it one")
        if name in names[:place]:
            raise UsageError(
                f"{path}:1: columns {names.index(name) + 1} and {place + 1} are both named "
                f"{name!r}: rename one of them"
            )
