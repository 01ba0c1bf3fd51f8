"""How proposals are shared between kinds of operation: tuning, and changes of structure."""

from __future__ import annotations

from collections.abc import Mapping

from cambrian.agents.recombine.agent import PROTOCOL, Agent

COMPOSED = {"graft": 0.36, "tune": 0.34, "swap": 0.1, "remove": 0.08, "crossover": 0.12}
FLAT = {"transplant": 0.7, "tune": 0.3}
OLDER = {"transplant": 0.4, "tune": 0.36, "remove": 0.1, "crossover": 0.14}
"""Composed agents of a protocol before: the mechanisms of today do not fit their hooks, so that
what they amount to is transplanted to the skeleton of today."""
FLOOR = 0.05
"""The share that no kind falls below, whatever the archive says of it."""
TABLES = {"composed": COMPOSED, "flat": FLAT, "older": OLDER}
KINDS = tuple(sorted({*COMPOSED, *FLAT, *OLDER}))


def table_of(agent: Agent) -> str:
    """Which of `TABLES` holds for an agent: the shares where no archive says more."""
    if not agent.code.is_composed:
        return "flat"
    return "composed" if agent.protocol == PROTOCOL else "older"


def shares(table: Mapping[str, float], favour: Mapping[str, float]) -> dict[str, float]:
    """A table of shares, each times how much its kind is favoured (1 where that is not said), so
    that they sum to 1 and none is below `FLOOR`. With nothing favoured, the table itself."""
    if not favour:
        return dict(table)
    weighed = {kind: share * favour.get(kind, 1.0) for kind, share in table.items()}
    whole, rest = sum(weighed.values()), 1.0 - FLOOR * len(table)
    if whole <= 0:
        return dict(table)
    return {kind: FLOOR + rest * share / whole for kind, share in weighed.items()}
