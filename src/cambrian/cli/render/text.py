"""Words and numbers as people read them. Whatever an agent or a model wrote is made safe here."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from cambrian.text import line as line
from cambrian.text import neutralise
from cambrian.text import short as short


def block(text: str) -> str:
    """Untrusted text of several lines that is safe on a terminal."""
    return neutralise(text)


def indented(text: str, by: str = "    ") -> str:
    """Untrusted text of several lines, safe and indented."""
    return "\n".join(by + row for row in block(text).rstrip("\n").split("\n"))


def number(value: float | None, digits: int = 3) -> str:
    """A number with a fixed number of digits; "-" for none."""
    return "-" if value is None else f"{value:.{digits}f}"


def signed(value: float | None, digits: int = 3) -> str:
    """A difference, with its sign."""
    return "-" if value is None else f"{value:+.{digits}f}"


def interval(value: float | None, lower: float | None, upper: float | None) -> str:
    """A mean with its interval: "0.512 [0.480, 0.544]"; the interval only where there is one."""
    if value is None:
        return "-"
    return f"{number(value)}{_bounds(lower, upper, '')}"


def difference(value: float | None, lower: float | None, upper: float | None) -> str:
    """A paired difference with its interval, signed."""
    if value is None:
        return "-"
    return f"{signed(value)}{_bounds(lower, upper, '+')}"


def _bounds(lower: float | None, upper: float | None, sign: str) -> str:
    if lower is None or upper is None or not (math.isfinite(lower) and math.isfinite(upper)):
        return ""
    return f" [{lower:{sign}.3f}, {upper:{sign}.3f}]"


def quantity(value: float | None, unit: str = "") -> str:
    """A large count in powers of a thousand: "1.24 GFLOP", "640 kB"."""
    if value is None:
        return "-"
    for factor, prefix in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= factor:
            return f"{value / factor:.3g} {prefix}{unit}"
    return f"{value:.3g} {unit}".rstrip()


def duration(seconds: float) -> str:
    """Seconds as people say them: "40 s", "9 min", "2 h 05 min"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def now() -> str:
    """This moment, ISO 8601 in UTC: the `as_of` of JSON output."""
    return datetime.now(UTC).isoformat(timespec="seconds")
