"""Words and numbers as the page shows them, and the templates that do."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cambrian.text import line, neutralise, short

LONGEST = 40_000
"""Characters of one text that are shown; code is cut by nothing, for an agent's is bounded."""

UNKNOWN = "unknown"
"""What is not known; never 0."""


def number(value: float | None, digits: int = 3) -> str:
    """A number with a fixed number of digits; "–" where there is none."""
    return "–" if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def signed(value: float | None, digits: int = 3) -> str:
    """A difference, with its sign."""
    return "–" if value is None or not math.isfinite(value) else f"{value:+.{digits}f}"


def bounds(found: Any, sign: str = "") -> str:
    """The interval of what has `lower` and `upper`: "[0.480, 0.544]", or nothing."""
    if not found:
        return ""
    lower, upper = found.get("lower"), found.get("upper")
    if lower is None or upper is None:
        return ""
    return f"[{lower:{sign}.3f}, {upper:{sign}.3f}]"


def quantity(value: float | None, unit: str = "") -> str:
    """A large count in powers of a thousand: "1.24 GFLOP"; "unknown" where nothing was measured."""
    if value is None:
        return UNKNOWN
    for factor, prefix in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= factor:
            return f"{value / factor:.3g} {prefix}{unit}"
    return f"{value:.3g} {unit}".rstrip()


def duration(seconds: float | None) -> str:
    """Seconds as people say them: "40 s", "9 min", "2 h 05 min"."""
    if seconds is None:
        return UNKNOWN
    if seconds < 90:
        return f"{max(seconds, 0):.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h {minutes % 60:02d} min" if hours < 48 else f"{hours // 24} days"


def ago(at: str | float | None) -> str:
    """How long ago a moment was (ISO 8601, or seconds since the epoch)."""
    if at is None:
        return "never"
    seconds = datetime.fromisoformat(at).timestamp() if isinstance(at, str) else at
    return f"{duration(max(0.0, time.time() - seconds))} ago"


def clipped(text: object, length: int = 200) -> str:
    """One safe line of at most so many characters."""
    whole = line(str(text)[: 4 * length])
    return whole if len(whole) <= length else whole[: length - 1] + "…"


def told(data: Mapping[str, Any]) -> str:
    """What an event says, in a line: its values, numbers cut to three places."""
    values = [f"{each:.3f}" if isinstance(each, float) else str(each) for each in data.values()]
    return clipped(" · ".join(values), 64)


def words(text: object) -> str:
    """A name of ours as words: "stepping_stone" is "stepping stone"."""
    return str(text).replace("_", " ")


def _shown(value: Any) -> Any:
    """Every expression of a template comes through here: what agents wrote is made visible, and
    bounded; Jinja escapes it afterwards."""
    if isinstance(value, Markup):
        return value
    if isinstance(value, str):
        rest = len(value) - LONGEST
        cut = f"… ({rest:,} more characters)" if rest > 0 else ""
        return neutralise(value[:LONGEST]) + cut
    return "" if value is None else value


def environment() -> Environment:
    """The templates, in which all text is neutralised and escaped."""
    made = Environment(
        loader=PackageLoader("cambrian.web", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "num": number,
        "signed": signed,
        "bounds": bounds,
        "quantity": quantity,
        "duration": duration,
        "ago": ago,
        "clip": clipped,
        "told": told,
        "words": words,
        "short": short,
    }
    return made
