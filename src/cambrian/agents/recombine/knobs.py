"""Knobs: what may be tuned, within which range, and how a value is drawn."""

from __future__ import annotations

import ast
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

Value = bool | int | float | str

MAX_CHOICES = 32
PERTURBATION = 0.15
"""Standard deviation of a perturbation, as a share of the range (of its logarithm)."""


@dataclass(frozen=True)
class Knob:
    """One number in [low, high] or one of `choices`.

    `scale` is "log" or "linear": where draws and perturbations are uniform or Gaussian.
    """

    name: str
    low: float = 0.0
    high: float = 0.0
    scale: str = "linear"
    integer: bool = False
    choices: tuple[Value, ...] = ()
    default: Value | None = None

    def sample(self, rng: random.Random) -> Value:
        """A draw from the whole range."""
        if self.choices:
            return rng.choice(self.choices)
        return self._value(rng.random())

    def perturb(self, value: Value, rng: random.Random) -> Value:
        """A value near the given one, and different from it; now and then a draw from the range.

        The value may be outside the range (a rewriter may have put it there); the result is not.
        """
        for _ in range(20):
            if self.choices or not _is_number(value) or rng.random() < 0.2:
                new = self.sample(rng)
            else:
                new = self._value(self._place(float(value)) + rng.gauss(0.0, PERTURBATION))
            if new == value and self.integer and _is_number(value):  # too small a move: one step
                new = round(min(max(value + rng.choice((-1, 1)), self.low), self.high))
            if new != value:
                return new
        return value

    def place(self, value: Value) -> float:
        """Where in [0, 1] a value is; the middle of its share for a choice, 0.5 for what is neither
        one nor a number."""
        if self.choices:
            known = [type(choice) is type(value) and choice == value for choice in self.choices]
            return (known.index(True) + 0.5) / len(known) if any(known) else 0.5
        return self._place(float(value)) if _is_number(value) else 0.5

    def at(self, place: float) -> Value:
        """The value at a place in [0, 1] (at its ends for one beyond), rounded as values are."""
        if self.choices:
            return self.choices[min(max(int(place * len(self.choices)), 0), len(self.choices) - 1)]
        return self._value(place)

    def _place(self, value: float) -> float:
        """Where in the range a value is, 0 at its low end."""
        value = min(max(value, self.low), self.high)
        if self.scale == "log":
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def _value(self, place: float) -> Value:
        place = min(max(place, 0.0), 1.0)
        if self.scale == "log":
            value = self.low * (self.high / self.low) ** place
        else:
            value = self.low + place * (self.high - self.low)
        rounded = round(value) if self.integer else float(f"{value:.3g}")
        return min(max(rounded, self.low), self.high) if not self.integer else rounded


def knobs_of_ranges(ranges: object) -> dict[str, Knob]:
    """The knobs of a learner's `RANGES`; entries that make no sense are left out.

    An entry is (low, high, "log" | "linear" | "int") or a list of choices; "int" is logarithmic.
    """
    found = {}
    for name, entry in ranges.items() if isinstance(ranges, Mapping) else ():
        knob = None
        if isinstance(entry, tuple) and len(entry) == 3:
            integer = entry[2] == "int"
            scale = "log" if integer and _positive(entry[0]) else entry[2]
            knob = _numeric(name, entry[:2], "linear" if scale == "int" else scale, integer)
        elif isinstance(entry, list):
            knob = _choice(name, entry)
        if knob is not None:
            found[knob.name] = knob
    return found


def knobs_of_card(card: Mapping[str, Any] | None) -> dict[str, Knob]:
    """The knobs of a mechanism's card; entries that make no sense are left out."""
    given = card.get("knobs") if card else None
    found = {}
    for name, entry in given.items() if isinstance(given, Mapping) else ():
        if not isinstance(entry, Mapping):
            continue
        if "choices" in entry:
            knob = _choice(name, entry["choices"], entry.get("default"))
        else:
            integer = entry.get("type") == "int"
            bounds, default = entry.get("range"), entry.get("default")
            knob = _numeric(name, bounds, entry.get("scale", "linear"), integer, default)
        if knob is not None:
            found[knob.name] = knob
    return found


def literal(source: str) -> Value | None:
    """A plain value written as a literal, or None."""
    try:
        value = ast.literal_eval(source)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    return _value(value)


def _numeric(
    name: object, bounds: object, scale: object, integer: bool, default: object = None
) -> Knob | None:
    if not isinstance(name, str) or not name.isidentifier() or scale not in ("log", "linear"):
        return None
    if not isinstance(bounds, Sequence) or isinstance(bounds, str) or len(bounds) != 2:
        return None
    low, high = bounds
    if not (_is_number(low) and _is_number(high) and low < high):
        return None
    if scale == "log" and low <= 0:
        return None
    return Knob(name, low, high, str(scale), integer, default=_value(default))


def _choice(name: object, choices: object, default: object = None) -> Knob | None:
    if (
        not isinstance(name, str)
        or not name.isidentifier()
        or not isinstance(choices, list | tuple)
    ):
        return None
    values = tuple(value for choice in choices if (value := _value(choice)) is not None)
    if len(values) < 2 or len(values) > MAX_CHOICES or len(values) != len(choices):
        return None
    return Knob(name, choices=values, default=_value(default))


def _is_number(value: object) -> TypeGuard[int | float]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < 1e12 and math.isfinite(value)


def _positive(value: object) -> bool:
    return _is_number(value) and value > 0


def _value(value: object) -> Value | None:
    """The value, if it is a plain and short one."""
    if isinstance(value, str):
        return value if len(value) <= 100 else None
    return value if isinstance(value, bool) or _is_number(value) else None
