"""What the null controls say: whether the host repeats itself, how often luck passes for gain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cambrian.measurement import EXACT

if TYPE_CHECKING:
    from cambrian.archive import Archive
    from cambrian.archive.nulls import Null


def null_controls(archive: Archive) -> dict[str, Any]:
    """The twins of an archive, as JSON.

    `identical`: how many were judged, over how many evaluations, and what differed.
    `random_stream`: how many were judged, how many passed as better than the member whose code they
    are (five seeds, paired, as `admission.rules.improvement` with fixed seeds has it), that rate
    with its exact 95 % binomial interval (Clopper & Pearson 1934), the rule's α, and whether the
    interval lies above it. A twin whose learner failed counts as judged, and is not better.
    `evaluations`: what all of it took, and `share`, of all evaluations but sealed ones.
    """
    found = archive.nulls.all()
    counts = archive.counts()
    theirs = counts["evaluations_scored"] + counts["evaluations_failed"]
    taken = sum(len(archive.nulls.evaluations(null.id)) for null in found)
    return {
        "waiting": sum(null.state == "waiting" for null in found),
        "broken": sum(null.state == "broken" for null in found),
        "evaluations": taken,
        "share": taken / (taken + theirs) if taken else 0.0,
        "identical": _identical(archive, _ended(found, "identical")),
        "random_stream": _random_stream(archive, _ended(found, "random-stream")),
    }


def _ended(nulls: list[Null], kind: str) -> list[Null]:
    return [one for one in nulls if one.kind == kind and one.state in ("judged", "failed")]


def _identical(archive: Archive, nulls: list[Null]) -> dict[str, Any]:
    differ, evaluations = [], 0
    for null in nulls:
        known = {
            (row.benchmark, row.version, row.stage, row.seed): row
            for row in archive.evaluations.of(null.agent_id)
        }
        for row in archive.nulls.evaluations(null.id):
            evaluations += 1
            member = known.get((row.benchmark, row.version, row.stage, row.seed))
            by = ["no result of the member"]
            if member is not None:
                by = [name for name in EXACT if getattr(row, name) != getattr(member, name)]
                by += [f"metric {n}" for n, v in member.metrics.items() if row.metrics.get(n) != v]
            if by:
                where = {"benchmark": row.benchmark, "stage": row.stage, "seed": row.seed}
                differ.append({"proposal": null.idx, "agent": null.agent_id, **where, "by": by})
    return {"judged": len(nulls), "evaluations": evaluations, "differ": differ}


def _random_stream(archive: Archive, nulls: list[Null]) -> dict[str, Any]:
    if not nulls:
        none = dict.fromkeys(("rate", "lower", "upper", "above_alpha"))
        return {"judged": 0, "better": 0, "failed": 0, "alpha": None, **none, "twins": []}
    # Imported late: the intervals need SciPy, which takes more than a second to import.
    from scipy.stats import binomtest

    twins = [_twin(archive, null) for null in nulls]
    better = sum(one["better"] for one in twins)
    interval = binomtest(better, len(twins)).proportion_ci(0.95, "exact")
    alpha = _alpha(archive)
    return {
        "judged": len(twins),
        "better": better,
        "failed": sum(one["difference"] is None for one in twins),
        "alpha": alpha,
        "rate": better / len(twins),
        "lower": float(interval.low),
        "upper": float(interval.high),
        "above_alpha": bool(interval.low > alpha),
        "twins": twins,
    }


def _alpha(archive: Archive) -> float:
    from cambrian.evolution.admission.thresholds import Rules

    run = archive.runs.last()
    rules = run.settings.get("rules", {}) if run is not None else {}
    return round((1 - float(rules.get("confidence", Rules.confidence))) / 2, 12)


def _twin(archive: Archive, null: Null) -> dict[str, Any]:
    """A twin minus its member, paired over the seeds of the streams."""
    from cambrian.evolution.admission import rules
    from cambrian.evolution.admission.records import results_of, search_seeds
    from cambrian.evolution.admission.results import Result, Results
    from cambrian.evolution.admission.thresholds import Rules

    rows = archive.nulls.evaluations(null.id)
    about = {"proposal": null.idx, "agent": null.agent_id, "offset": null.offset}
    scored = [
        Result(row.benchmark, row.seed, row.score, row.metrics, row.flops or 0)
        for row in rows
        if row.score is not None
    ]
    # as its member's results count
    mine = Results(scored, dict(archive.suites.weights()), search_seeds(archive))
    names = sorted({row.benchmark for row in rows})
    its = results_of(archive, null.agent_id)
    whole = set(mine.search)
    if not (whole <= set(mine.seeds(names)) and whole <= set(its.seeds(names))):
        return {**about, "difference": None, "better": False}
    confidence = 1 - 2 * _alpha(archive)
    gate = rules.improvement(mine, its, names, Rules(confidence=confidence))
    difference = {"mean": gate.value, "lower": gate.lower, "upper": gate.upper}
    return {**about, "difference": difference, "better": gate.verdict == "pass"}
