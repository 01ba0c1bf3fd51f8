"""What has changed between the settings that a run was begun with and those it is now given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cambrian.evolution.settings import MAY_CHANGE, Settings, schema


def differences(before: Mapping[str, Any], now: Settings) -> list[str]:
    """What decides a run's course and is not as it was: "seed: 1 before, 2 now", ..."""
    return [text for name, text in _changes(before, now) if name not in MAY_CHANGE]


def changes(before: Mapping[str, Any], now: Settings) -> list[str]:
    """What may change in a run and is not as it was, in the same words."""
    return [text for name, text in _changes(before, now) if name in MAY_CHANGE]


def _as_now(before: Mapping[str, Any]) -> Mapping[str, Any]:
    """Settings as an older Cambrian kept them, in today's words."""
    if before.get("random_control"):
        return {**before, "selection": "random"}
    return before


def _changes(before: Mapping[str, Any], now: Settings) -> Iterator[tuple[str, str]]:
    current, before = now.to_json(), _as_now(before)
    usual = Settings(proposals=0).to_json()  # what an older Cambrian did not know was as usual
    for each in schema():
        name = each.name
        old, new = before.get(name, usual[name]), current[name]
        old, new = (list(one) if isinstance(one, tuple) else one for one in (old, new))
        if isinstance(old, Mapping) and isinstance(usual[name], Mapping):
            old = {**usual[name], **old}
        if old != new:
            yield name, f"{name}: {old} before, {new} now"
