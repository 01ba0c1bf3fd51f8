"""Where an agent comes from: its line, its scores with their intervals, the papers of its parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cambrian._version import __version__
from cambrian.agents.catalogue import read_card
from cambrian.archive import Agent, Archive
from cambrian.reports.agents import describe_agent

_KEPT = ("benchmark", "version", "mean", "lower", "upper", "raw", "flops", "state_bytes")


def provenance(archive: Archive, agent: Agent, files: Mapping[str, str]) -> dict[str, Any]:
    """All that a package says of its learner's origin, as JSON.

    Args:
        files: those of the agent that the package brings.
    """
    known = describe_agent(archive, agent)
    return {
        "id": agent.id,
        "number": agent.number,
        "title": agent.title,
        "hypothesis": agent.hypothesis,
        "kind": agent.kind,
        "score": _interval(agent),
        "benchmarks": [_benchmark(row) for row in known["benchmarks"]],
        "sealed": known["sealed"],
        "lineage": [_ancestor(one) for one in _line(archive, agent)],
        "papers": papers(files),
        "cambrian": __version__,
        "licence": "Apache-2.0",
    }


def papers(files: Mapping[str, str]) -> list[dict[str, Any]]:
    """What the cards of an agent's parts name, by part; parts without a card are left out."""
    found = []
    for path, text in sorted(files.items()):
        card = read_card(text, path) if path.endswith(".py") else None
        if card is not None and card.get("paper"):
            found.append(
                {"part": path, "title": card.get("title", ""), "paper": str(card["paper"])}
            )
    return found


def _line(archive: Archive, agent: Agent) -> list[Agent]:
    """An agent and all its ancestors, the oldest first."""
    ids = [*archive.agents.ancestors(agent.id), agent.id]
    found = {one: archive.agents.get(one) for one in dict.fromkeys(ids)}
    return sorted(found.values(), key=lambda one: (one.depth, one.number or 0))


def _ancestor(agent: Agent) -> dict[str, Any]:
    return {
        "id": agent.id,
        "number": agent.number,
        "title": agent.title,
        "parents": list(agent.parents),
        "score": _interval(agent),
    }


def _interval(agent: Agent) -> dict[str, float | None]:
    return {"mean": agent.score, "lower": agent.lower, "upper": agent.upper}


def _benchmark(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**{key: row[key] for key in _KEPT}, "seeds": len(row["seeds"])}
