"""What models and improvers say of their edits, against what came of them.

Confidence against gains (calibration, Brier score), the predicted gain against the measured one,
and the stated strategy against what the change really touched. A gain is that over the parent on
the screen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from cambrian.evolution.admission.stages import improver_hash
from cambrian.evolution.sources.honesty import Record, has_dropped, overclaims
from cambrian.reports.stated.shares import Z, share_of
from cambrian.reports.stated.strategy import changed, says

if TYPE_CHECKING:
    from cambrian.archive import Archive

BINS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
LOOKED_AT = 400
"""Edits of the newest proposals whose code is looked at."""

_STATED = """
SELECT p.idx, p.title, p.hypothesis, p.predicted_gain, p.confidence, p.agent_id, g.value,
       json_extract(p.parents, '$[0]') AS parent,
       (SELECT s.model FROM spend s WHERE s.proposal_id = p.id ORDER BY s.id LIMIT 1) AS model
FROM proposals p JOIN gate_rows g ON g.proposal_id = p.id AND g.gate = 'screen'
WHERE p.rewriter = 'model' AND p.operation IS NULL AND p.confidence IS NOT NULL
  AND g.value IS NOT NULL AND p.state IN ('admitted', 'rejected', 'failed_smoke')
ORDER BY p.idx
"""


def honesty(archive: Archive) -> dict[str, list[dict[str, Any]]]:
    """For each model, and for each improver, how well what was stated came true, as JSON.

    Edits that a model only chose are recombination's, and are left out.
    """
    rows = archive.database.rows(_STATED)
    told = _told(archive, rows[-LOOKED_AT:])
    parents = {row["parent"] for row in rows}
    improvers = {one: improver_hash(archive.agents.files(one))[:10] for one in sorted(parents)}
    return {
        "models": _grouped(rows, [str(row["model"]) for row in rows], told),
        "improvers": _grouped(rows, [improvers[row["parent"]] for row in rows], told),
    }


def _told(archive: Archive, rows: Sequence[Mapping[str, Any]]) -> dict[int, bool]:
    """Whether each edit touched what its words speak of, by proposal."""
    found = {}
    for row in rows:
        child = archive.agents.find(row["agent_id"]) if row["agent_id"] else None
        if child is None:
            continue
        before, after = archive.agents.files(row["parent"]), archive.agents.files(child.id)
        words = says(str(row["title"]), str(row["hypothesis"]))
        found[row["idx"]] = bool(words & changed(before, after).words)
    return found


def _grouped(
    rows: Sequence[Mapping[str, Any]], names: Sequence[str], told: Mapping[int, bool]
) -> list[dict[str, Any]]:
    groups: dict[str, dict[int, Record]] = {}
    for row, name in zip(rows, names, strict=True):
        record = Record(row["confidence"], row["predicted_gain"] or 0.0, row["value"])
        groups.setdefault(name, {})[row["idx"]] = record
    return [_summary(name, group, told) for name, group in sorted(groups.items())]


def _summary(name: str, group: Mapping[int, Record], told: Mapping[int, bool]) -> dict[str, Any]:
    records = list(group.values())
    looked = [told[index] for index in group if index in told]
    flags = [
        word
        for word, holds in (("dropped", has_dropped(group)), ("overclaims", overclaims(group)))
        if holds
    ]
    return {
        "name": name,
        "stated": len(records),
        "gained": share_of(sum(one.came for one in records), len(records)),
        "confidence": _mean([one.confidence for one in records])["mean"],
        "brier": _mean([one.squared for one in records], 0.0, 1.0),
        "predicted": _mean([one.predicted for one in records]),
        "measured": _mean([one.gain for one in records]),
        "curve": _curve(records),
        "as_stated": share_of(sum(looked), len(looked)) if looked else None,
        "flags": flags,
    }


def _curve(records: Sequence[Record]) -> list[dict[str, Any]]:
    """The share that gained by stated confidence, in five bins; empty ones are left out."""
    found = []
    for low, high in pairwise(BINS):
        own = [
            one for one in records if low <= one.confidence < high or one.confidence == high == 1
        ]
        if own:
            confidence = sum(one.confidence for one in own) / len(own)
            share = share_of(sum(one.came for one in own), len(own))
            found.append({"confidence": confidence, "count": len(own), **share})
    return found


def _mean(values: Sequence[float], least: float = -math.inf, most: float = math.inf) -> Any:
    """The mean with its 95 % interval (normal), within bounds."""
    mean = math.fsum(values) / len(values)
    spread = math.fsum((one - mean) ** 2 for one in values) / max(1, len(values) - 1)
    half = Z * math.sqrt(spread / len(values)) if len(values) > 1 else math.inf
    lower, upper = max(least, mean - half), min(most, mean + half)
    finite = {"lower": lower, "upper": upper}
    return {"mean": mean, **{k: v if math.isfinite(v) else None for k, v in finite.items()}}
