"""Small drawings as SVG that is part of the page: intervals, a heat map, a waterfall, a bar.

Colours are classes and attributes, never styles, for the page's policy forbids those.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

from cambrian.text import line

LOW, HIGH = -0.25, 1.1
"""Normalised scores are drawn between these; an interval that goes further has an arrow."""
WIDTH, ROW = 420, 9

# cividis (Nuñez, Anderton and Renslow 2018) at eleven points: even without red or green.
CIVIDIS = (
    *("#00224e", "#123570", "#3b496c", "#575d6d", "#707173", "#8a8678"),
    *("#a59c74", "#c3b369", "#e1cc55", "#f3db4b", "#fee838"),
)
DARK = 6
"""Colours before this one are dark, and have light text on them."""


def colour(value: float | None) -> str:
    """The colour of a share from 0 to 1; grey for none."""
    if value is None:
        return "#9a9a9a"
    return CIVIDIS[round(min(max(value, 0.0), 1.0) * (len(CIVIDIS) - 1))]


def _svg(width: float, height: float, label: str, inner: Sequence[Any], name: str) -> Markup:
    shape = Markup(
        '<svg class="{}" viewBox="0 0 {:.0f} {:.0f}" width="{:.0f}" height="{:.0f}" role="img" '
        'aria-label="{}">{}</svg>'
    )
    inside = Markup("").join(inner)
    return shape.format(name, width, height, width, height, line(label)[:400], inside)


def _x(value: float, low: float, high: float, width: float) -> float:
    return (min(max(value, low), high) - low) / (high - low) * width


def interval(
    found: Mapping[str, Any] | None, low: float = LOW, high: float = HIGH, name: str = "c0"
) -> Markup:
    """One mean with its interval on a line from `low` to `high`, with a mark at 0."""
    if not found or found.get("mean") is None:
        return Markup("")
    return _svg(
        160,
        14,
        _said(found),
        [_zero(low, high, 160, 14), *_bar(found, 7, 160, low, high, name)],
        "interval",
    )


def forest(rows: Sequence[tuple[str, Mapping[str, Any] | None]]) -> Markup:
    """Means with intervals below each other, one colour a row: an agent beside others."""
    height = ROW * len(rows) + 5
    inner: list[Any] = [_zero(LOW, HIGH, WIDTH, height)]
    for place, (_, found) in enumerate(rows):
        if found and found.get("mean") is not None:
            inner += _bar(found, 7 + ROW * place, WIDTH, LOW, HIGH, f"c{place}")
    label = "; ".join(f"{name}: {_said(found)}" for name, found in rows if found)
    return _svg(WIDTH, height, label, inner, "forest")


def _said(found: Mapping[str, Any]) -> str:
    lower, upper = found.get("lower"), found.get("upper")
    if lower is None or upper is None:
        return f"{found['mean']:.3f}, no interval"
    return f"{found['mean']:.3f}, from {lower:.3f} to {upper:.3f}"


def _zero(low: float, high: float, width: float, height: float) -> Markup:
    marks = [0.0, 1.0] if high > 1 else [0.0]
    lines = Markup('<line class="axis" x1="{0:.1f}" x2="{0:.1f}" y1="0" y2="{1:.0f}"/>')
    return Markup("").join(lines.format(_x(each, low, high, width), height) for each in marks)


def _bar(
    found: Mapping[str, Any], y: float, width: float, low: float, high: float, name: str
) -> list[Markup]:
    parts = []
    lower, upper, mean = found.get("lower"), found.get("upper"), float(found["mean"])
    if lower is not None and upper is not None:
        parts.append(
            Markup('<line class="{} reach" x1="{:.1f}" x2="{:.1f}" y1="{}" y2="{}"/>').format(
                name, _x(lower, low, high, width), _x(upper, low, high, width), y, y
            )
        )
        arrow = Markup('<path class="{} cut" d="M{:.1f} {:.1f}l{} -3v6z"/>')
        if lower < low:
            parts.append(arrow.format(name, 0, y, 5))
        if upper > high:
            parts.append(arrow.format(name, width, y, -5))
    parts.append(
        Markup('<circle class="{} mean" cx="{:.1f}" cy="{}" r="3.4"/>').format(
            name, _x(mean, low, high, width), y
        )
    )
    return parts


def heat(values: Sequence[Sequence[float | None]], label: str = "") -> Markup:
    """A matrix R[i, j]: the accuracy on task j after task i, a row for each i."""
    size = max(14, min(38, 340 // max(len(values), 1)))
    inner: list[Any] = []
    cell = Markup('<rect x="{}" y="{}" width="{}" height="{}" fill="{}"/>')
    text = Markup('<text x="{:.0f}" y="{:.0f}" class="{}">{}</text>')
    for i, row in enumerate(values):
        for j, value in enumerate(row):
            x, y = 24 + j * size, 16 + i * size
            if value is None:
                continue
            inner.append(cell.format(x, y, size - 1, size - 1, colour(value)))
            if size >= 24:
                dark = round(min(max(value, 0), 1) * 10) < DARK
                kind = "on-dark" if dark else "on-light"
                inner.append(text.format(x + size / 2, y + size / 2 + 4, kind, f"{value:.2f}"))
    for k in range(len(values)):
        inner.append(text.format(12, 16 + k * size + size / 2 + 4, "tick", k + 1))
    for k in range(max((len(row) for row in values), default=0)):
        inner.append(text.format(24 + k * size + size / 2, 11, "tick", k + 1))
    width = 26 + size * max((len(row) for row in values), default=0)
    said = label or "accuracy on each task (column) after each task (row)"
    return _svg(width, 18 + size * len(values), said, inner, "heat")


def waterfall(steps: Sequence[Mapping[str, Any]], rest: float | None) -> Markup:
    """The seed's score, each step's gain on top of it, what does not add up, the last score."""
    bars = _bars(steps, rest)
    if not bars:
        return Markup("")
    low = min(0.0, *(min(a, b) for _, a, b, _ in bars))
    high = max(0.1, *(max(a, b) for _, a, b, _ in bars))
    wide, tall = max(34, min(90, 900 // len(bars))), 190
    inner: list[Any] = []

    def y(value: float) -> float:
        return 12 + (high - value) / (high - low) * (tall - 30)

    inner.append(
        Markup('<line class="axis" x1="0" x2="{}" y1="{:.1f}" y2="{:.1f}"/>').format(
            wide * len(bars), y(0), y(0)
        )
    )
    shape = Markup('<rect class="{}" x="{}" y="{:.1f}" width="{}" height="{:.1f}"/>')
    text = Markup('<text class="tick" x="{:.0f}" y="{:.0f}">{}</text>')
    for place, (name, start, end, kind) in enumerate(bars):
        top = min(y(start), y(end))
        tall_bar = max(abs(y(start) - y(end)), 1.0)
        inner.append(shape.format(kind, place * wide + 4, top, wide - 8, tall_bar))
        inner.append(text.format(place * wide + wide / 2, tall - 2, escape(name)))
        said = f"{end:.2f}" if kind == "whole" else f"{end - start:+.2f}"
        said = "–" if kind == "unknown" else said
        inner.append(text.format(place * wide + wide / 2, top - 3, said))
    return _svg(wide * len(bars), tall, "gains from the seed to the agent", inner, "waterfall")


def _bars(
    steps: Sequence[Mapping[str, Any]], rest: float | None
) -> list[tuple[str, float, float, str]]:
    """Name, start, end and kind of each bar."""
    if not steps or steps[0]["score"] is None:
        return []
    at = float(steps[0]["score"])
    bars = [(f"#{steps[0]['number']}", 0.0, at, "whole")]
    for step in steps[1:]:
        gain = (step["gain"] or {}).get("mean")
        kind = "unknown" if gain is None else "gain" if gain >= 0 else "loss"
        bars.append((f"#{step['number']}", at, at + (gain or 0.0), kind))
        at += gain or 0.0
    if rest is not None and abs(rest) > 0.0005:
        bars.append(("rest", at, at + rest, "rest"))
    if len(steps) > 1 and steps[-1]["score"] is not None:
        bars.append(("now", 0.0, float(steps[-1]["score"]), "whole"))
    return bars


def share(value: float | None, of: float | None) -> Markup:
    """How much of a limit is used, as a bar."""
    if value is None or not of:
        return Markup("")
    part = min(max(value / of, 0.0), 1.0)
    inner = [
        Markup('<rect class="track" width="120" height="8"/>'),
        Markup('<rect class="fill" width="{:.1f}" height="8"/>').format(120 * part),
    ]
    return _svg(120, 8, f"{part:.0%} used", inner, "share")


DRAWINGS: dict[str, Callable[..., Markup]] = {
    "draw_interval": interval,
    "draw_forest": forest,
    "draw_heat": heat,
    "draw_waterfall": waterfall,
    "draw_share": share,
}
"""What templates may draw."""
