"""Scores of agents side by side, and paired differences: what page and terminal compare by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.reports.run import comparison_json, estimate_json

if TYPE_CHECKING:
    from cambrian.archive import Agent, Archive
    from cambrian.evaluators.statistics import Estimate

Table = Mapping[str, Mapping[int, float]]
"""Normalised scores by benchmark, then by seed."""

COUNTED = ("screen", "full")
NAMES = ("id", "number", "status", "kind", "title", "score", "lower", "upper", "depth")


def card(agent: Agent) -> dict[str, Any]:
    """What is said of an agent wherever it is named."""
    return {name: getattr(agent, name) for name in NAMES}


def table(archive: Archive, agent_id: str) -> dict[str, dict[int, float]]:
    """An agent's scores on the screen and full stages: at the versions of the current suite or,
    without one, at the version that was recorded last."""
    kept = archive.suites.current()
    wanted = {e.benchmark: e.version for e in kept.suite.entries} if kept else {}
    found: dict[str, dict[int, float]] = {name: {} for name in wanted}
    versions = dict(wanted)
    rows = archive.evaluations.of(agent_id)
    if not wanted:
        versions = {row.benchmark: row.version for row in rows}
    for row in rows:
        known = versions.get(row.benchmark) == row.version
        if known and row.stage in COUNTED and row.score is not None:
            found.setdefault(row.benchmark, {})[row.seed] = row.score
    return {name: by_seed for name, by_seed in found.items() if by_seed}


def means(scores: Table) -> dict[str, dict[str, Any]]:
    """The mean over seeds of each benchmark, with its interval (null with one seed)."""
    from cambrian.evaluators.statistics import mean_interval

    found = {}
    for name, by_seed in scores.items():
        estimate = estimate_json(mean_interval(list(by_seed.values())))
        found[name] = {**(estimate or {}), "seeds": len(by_seed)}
    return found


def paired(ours: Table, other: Table, weights: Mapping[str, float]) -> dict[str, Any]:
    """Ours minus the other's, paired by seed and benchmark.

    Returns:
        `overall` with its interval (over benchmarks where these are many and seeds few, else over
        seeds) and null where nothing is common; `benchmarks`, each with its difference, the two
        means and p by permutation after Holm's correction (null with one seed);
        `probability_of_improvement` (Agarwal et al. 2021, arXiv 2108.13264) over what both have;
        `seeds`.
    """
    from cambrian.evaluators.statistics import (
        paired_difference,
        per_benchmark,
        probability_of_improvement,
    )

    common = [name for name in ours if set(ours[name]) & set(other.get(name, ()))]
    if not common:
        return {"overall": None, "benchmarks": {}, "probability_of_improvement": None, "seeds": []}
    shared = {name: sorted(set(ours[name]) & set(other[name])) for name in common}
    first, second = ({n: [t[n][s] for s in shared[n]] for n in common} for t in (ours, other))
    seeds = sorted(set.intersection(*(set(each) for each in shared.values())))
    several = [name for name in common if len(shared[name]) > 1]  # one pair has no test
    differences = per_benchmark(
        {name: first[name] for name in several}, {name: second[name] for name in several}
    )
    rows = {}
    for name in common:
        found = differences.get(name)
        estimate = found.estimate if found else paired_difference(first[name], second[name])
        rows[name] = {
            "ours": float(np.mean(first[name])),
            "theirs": float(np.mean(second[name])),
            "difference": comparison_json(estimate),
            "p_holm": found.adjusted if found else None,
            "seeds": len(shared[name]),
        }
    overall, chance = None, None
    if seeds:
        overall = _overall(ours, other, common, seeds, weights)
        pair = [np.array([[t[n][s] for n in common] for s in seeds]) for t in (ours, other)]
        chance = probability_of_improvement(pair[0], pair[1])
    return {
        "overall": comparison_json(overall),
        "benchmarks": rows,
        "probability_of_improvement": chance,
        "seeds": seeds,
    }


def _overall(
    ours: Table,
    other: Table,
    names: Sequence[str],
    seeds: Sequence[int],
    weights: Mapping[str, float],
) -> Estimate:
    from cambrian.evaluators.statistics import mean_interval
    from cambrian.evaluators.statistics.families import is_over_families, mean_over_families

    given = np.array([weights.get(name, 1.0) for name in names])
    shares = given / given.sum()
    gaps = np.array([[ours[n][s] - other[n][s] for s in seeds] for n in names])
    if is_over_families(len(names), len(seeds)):
        return mean_over_families(gaps, shares.tolist())
    return mean_interval((shares @ gaps).tolist())
