"""The lines of a bundle, read and checked: any of them may have been written by anyone.

`lines` checks what can be checked of any line: that the file is gzip and JSON, no line and no
ratio of compression beyond reason, nothing after the tail, nothing before it changed. `merging`
checks what lines say.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import math
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, cast

import numpy as np

from cambrian.archive.sqlite import storage_errors
from cambrian.archive.sqlite.database import encode
from cambrian.archive.tables.series import unpack
from cambrian.errors import CambrianError, Refused, UsageError

FORMAT, VERSION = "cambrian-bundle", 2
LONGEST_LINE = 64 << 20


@dataclass(frozen=True)
class Bounds:
    """What a bundle may be, wherever it comes from.

    Attributes:
        line: the most bytes that a line may have.
        easy, ratio: what is bigger than `easy` bytes may be at most so many times as big as it was
            compressed.
    """

    line: int = LONGEST_LINE
    easy: int = 64 << 20
    ratio: int = 400


USUAL = Bounds()


class Line:
    """A line of a bundle, asked for its parts by kind.

    Every method raises UsageError, with the line's number, for a part that is not of that kind.
    """

    def __init__(self, number: int, parts: Mapping[str, Any]) -> None:
        self.number = number
        self.parts = parts

    def wrong(self, expected: str, came: object) -> NoReturn:
        """Refuse the line, with its number and what it holds (at most 80 characters of it).

        Raises:
            UsageError: always.
        """
        raise UsageError(
            f"line {self.number} of the bundle: expected {expected}, got {str(came)[:80]!r}"
        )

    def text(self, name: str, *, most: int = 1 << 20) -> str:
        """A text of at most `most` characters. Raises UsageError, as all of these do, for
        anything else."""
        value = self.parts.get(name)
        if not isinstance(value, str) or len(value) > most:
            self.wrong(f"{name} as text of at most {most} characters", value)
        return value

    def maybe_text(self, name: str) -> str | None:
        """A text, or None where it is null or missing."""
        return None if self.parts.get(name) is None else self.text(name)

    def choice(self, name: str, choices: frozenset[str] | set[str]) -> Any:
        """One of `choices`."""
        value = self.parts.get(name)
        if value not in choices:
            self.wrong(f"{name} out of {sorted(choices)}", value)
        return value

    def integer(self, name: str) -> int:
        """A whole number below 2^62 in size, which SQLite holds (true and false are none)."""
        value = self.parts.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 1 << 62:
            self.wrong(f"{name} as an integer", value)
        return value

    def maybe_integer(self, name: str) -> int | None:
        """A whole number, or None where it is null or missing."""
        return None if self.parts.get(name) is None else self.integer(name)

    def real(self, name: str) -> float:
        """A finite number."""
        value = self.parts.get(name)
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            self.wrong(f"{name} as a number", value)
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            self.wrong(f"a finite {name}", value)
        return number

    def maybe_real(self, name: str) -> float | None:
        """A finite number, or None where it is null or missing."""
        return None if self.parts.get(name) is None else self.real(name)

    def mapping(self, name: str) -> dict[str, Any]:
        """An object; what it holds is not checked."""
        value = self.parts.get(name)
        if not isinstance(value, dict):
            self.wrong(f"{name} as an object", value)
        return cast("dict[str, Any]", value)

    def texts(self, name: str, *, most: int) -> list[str]:
        """A list of at most `most` texts."""
        value = self.parts.get(name)
        short = isinstance(value, list) and len(value) <= most
        if not short or not all(isinstance(each, str) for each in cast("list[Any]", value)):
            self.wrong(f"{name} as a list of at most {most} texts", value)
        return cast("list[str]", value)

    def inside(self, name: str) -> Line:
        """An object in this line, to be asked in the same way."""
        return Line(self.number, self.mapping(name))

    def each(self, name: str, *, most: int = 10_000) -> list[Line]:
        """The objects of a list in this line."""
        value = self.parts.get(name)
        if not isinstance(value, list) or len(value) > most:
            self.wrong(f"{name} as a list of at most {most}", value)
        if not all(isinstance(each, dict) for each in value):
            self.wrong(f"{name} as a list of objects", value)
        return [Line(self.number, each) for each in value]

    def data(self, name: str) -> bytes:
        """Bytes from base64, whose text is at most `LONGEST_LINE` characters long."""
        try:
            return base64.b64decode(self.text(name, most=LONGEST_LINE), validate=True)
        except ValueError:
            self.wrong(f"{name} in base64", "something else")


def lines(path: Path, bounds: Bounds = USUAL) -> Iterator[Line]:
    """The lines of a bundle after its head and before its tail; the first is the head itself.

    Raises (while it goes on, so nothing may be kept before the end):
        UsageError: it is no bundle, or cut off, or changed, or a bomb.
        Refused: it is of a newer version.
    """
    try:
        with storage_errors.storage(), path.open("rb") as file, gzip.open(file) as text:
            yield from _checked(cast(BinaryIO, text), file, bounds)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UsageError(f"{path} is not a bundle, or was cut off: {error}") from error
    except OSError as error:
        raise CambrianError(f"cannot read {path}: {error}") from error


def _checked(text: BinaryIO, file: BinaryIO, bounds: Bounds) -> Iterator[Line]:
    digest, number, read = hashlib.sha256(), 0, 0
    while True:
        raw = text.readline(bounds.line + 1)
        read += len(raw)
        _expect_reason(len(raw), read, file.tell(), bounds)
        line = _parsed(number + 1, raw)
        if number == 0:
            _expect_head(line)
        if line.parts.get("t") == "tail":
            if line.text("sha256") != digest.hexdigest() or line.integer("lines") != number:
                line.wrong("the digest of the lines before", "another: the bundle was changed")
            if text.read(1):
                line.wrong("nothing after the tail", "more")
            return
        digest.update(raw)
        number += 1
        yield line


def _expect_reason(line: int, read: int, compressed: int, bounds: Bounds) -> None:
    if line > bounds.line:
        raise UsageError(f"expected lines of at most {bounds.line} bytes in a bundle, got more")
    if read > bounds.easy and read > bounds.ratio * compressed:
        raise UsageError(
            f"expected a bundle at most {bounds.ratio} times as big as its file, got {read} bytes "
            f"out of {compressed}"
        )


def _parsed(number: int, raw: bytes) -> Line:
    def constant(name: str) -> NoReturn:
        raise ValueError(f"{name} is no JSON")

    try:
        parts = json.loads(raw, parse_constant=constant)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"line {number} of the bundle is not JSON, or was cut off") from error
    if not isinstance(parts, dict):
        raise UsageError(f"line {number} of the bundle: expected an object")
    return Line(number, parts)


def _expect_head(line: Line) -> None:
    if line.parts.get("t") != "head" or line.parts.get("format") != FORMAT:
        raise UsageError(f"expected a bundle that `cambrian archive export` made: no {FORMAT} head")
    if line.integer("version") > VERSION:
        raise Refused(
            f"the bundle was made by Cambrian {line.text('cambrian', most=40)}, which is newer; "
            "upgrade to import it"
        )


def score_of(agent: Line) -> dict[str, float]:
    """An agent's score and its interval."""
    return {name: agent.real(name) for name in ("score", "lower", "upper")}


def times_of(agent: Line) -> dict[str, float]:
    """When an agent was made and decided (seconds since 1970)."""
    return {name: agent.real(name) for name in ("created_at", "decided_at")}


def json_of(line: Line, name: str) -> str | None:
    """A part as JSON text; None where it is null or not there."""
    return None if (value := line.parts.get(name)) is None else encode(value)


def array_of(line: Line) -> np.ndarray:
    """An array (of any shape), of a type that is kept.

    Raises:
        UsageError: it is none.
    """
    shape = line.parts.get("shape")
    if not isinstance(shape, list) or not all(type(side) is int and side >= 0 for side in shape):
        line.wrong("shape as a list of sizes", shape)
    row = {"name": line.text("name"), "dtype": line.text("dtype", most=8), "shape": encode(shape)}
    try:
        return unpack({**row, "data": line.data("data")})
    except (CambrianError, TypeError, ValueError, OverflowError) as error:
        line.wrong("an array", error)
