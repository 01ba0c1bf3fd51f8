"""Improvers: how an agent rewrites itself. Each is one flat file, copied into the agents that start
with it; `default.py` (`one-shot`) is what an agent has that brings none."""

from __future__ import annotations

from importlib import resources

from cambrian.errors import UsageError

IMPROVERS = {
    "one-shot": "default.py",
    "diagnose": "diagnose.py",
    "plan": "plan.py",
    "crossover": "crossover.py",
}
"""Those that seed agents can start with, by name."""
ALL = "all"
"""Each seed agent with another one, in turn."""


def load_improver(name: str) -> str:
    """The text of an improver.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in IMPROVERS:
        raise UsageError(f"expected an improver of {', '.join(IMPROVERS)}; got {name!r}")
    return resources.files(__name__).joinpath(IMPROVERS[name]).read_text(encoding="utf-8")


def improver_in_turn(name: str, place: int) -> str:
    """The improver that seed agent number `place` starts with, by the name of the setting."""
    return list(IMPROVERS)[place % len(IMPROVERS)] if name == ALL else name
