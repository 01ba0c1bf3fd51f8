"""Agents side by side: paired differences, where they fork, what their code has different."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cambrian.errors import UsageError
from cambrian.reports.scores.changes import changes
from cambrian.reports.scores.pairs import card, means, paired, table

if TYPE_CHECKING:
    from cambrian.archive import Archive

MOST = 6
"""Agents at once."""


def compare(archive: Archive, names: Sequence[str] = ()) -> dict[str, Any]:
    """The first of the agents against each other one, paired by seed and benchmark, as JSON.

    Args:
        names: references to agents, as on the command line; the champion and the seed agent that
            it comes from, where there are none.

    Returns:
        `agents`, each with its means by benchmark; `benchmarks`, what any of them has; `pairs`,
        for each other agent what `pairs.paired` says, where the two fork, and the diff of the code
        from the other to the first; `of`.

    Raises:
        NotFound, UsageError: no such agent, several, or more than `MOST`.
    """
    wanted = _wanted(archive, names)
    agents = [archive.agents.get(one) for one in wanted]
    tables = {one: table(archive, one) for one in wanted}
    weights = dict(archive.suites.weights())
    pairs = [_pair(archive, wanted[0], other, tables, weights) for other in wanted[1:]]
    return {
        "agents": [{**card(a), "means": means(tables[a.id])} for a in agents],
        "benchmarks": sorted({name for each in tables.values() for name in each}),
        "pairs": pairs,
        "of": ",".join(one[:10] for one in wanted),
    }


def _wanted(archive: Archive, names: Sequence[str]) -> list[str]:
    if len(names) > MOST:
        raise UsageError(f"expected at most {MOST} agents to compare, got {len(names)}")
    if not names:
        champion = archive.champion()
        if champion is None:
            return []
        seed = archive.agents.line(champion.id)[-1]
        return list(dict.fromkeys([champion.id, seed.id]))
    return list(dict.fromkeys(archive.resolve(name.strip()) for name in names))


def _pair(
    archive: Archive,
    ours: str,
    other: str,
    tables: Mapping[str, dict[str, dict[int, float]]],
    weights: Mapping[str, float],
) -> dict[str, Any]:
    return {
        "ours": ours,
        "other": other,
        **paired(tables[ours], tables[other], weights),
        "fork": fork(archive, ours, other),
        "diff": changes(archive.agents.files(other), archive.agents.files(ours)),
    }


def fork(archive: Archive, ours: str, other: str) -> dict[str, Any] | None:
    """The nearest common ancestor by primary parents (it may be one of the two), with the steps
    from it to each; None where they come from different seeds."""
    mine, its = ([a.id for a in archive.agents.line(one)] for one in (ours, other))
    places = {agent_id: steps for steps, agent_id in enumerate(its)}
    for steps, agent_id in enumerate(mine):
        if agent_id in places:
            found = card(archive.agents.get(agent_id))
            return {**found, "steps_ours": steps, "steps_other": places[agent_id]}
    return None
