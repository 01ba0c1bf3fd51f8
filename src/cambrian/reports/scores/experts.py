"""The scores of the expert learners in suite `general`: measured once, shipped with their code's
hash (`tools/expert_scores.py`), and shown beside an archive's agents."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cambrian.agents.experts import EXPERTS, load_expert
from cambrian.evaluators.statistics import Estimate, mean_interval
from cambrian.evaluators.suites import GENERAL, suite
from cambrian.reports.run import comparison_json
from cambrian.suite import Suite

STORE = Path(__file__).with_name("experts.json")


@dataclass(frozen=True)
class ExpertVector:
    """An expert's scores.

    Attributes:
        scores: by family, the mean over seeds with its interval.
        failed: families on which it failed with a seed; it has no score there.
    """

    name: str
    scores: Mapping[str, Estimate]
    failed: tuple[str, ...]
    role: Literal["expert"] = "expert"

    def mean(self, among: Suite) -> float:
        """The weighted mean over a suite's families, a failed one as -1."""
        total = sum(entry.weight for entry in among.entries)
        values = {name: found.mean for name, found in self.scores.items()}
        return sum(e.weight * values.get(e.benchmark, -1.0) for e in among.entries) / total

    def to_json(self) -> dict[str, Any]:
        """Name and scores with intervals."""
        scores = {name: comparison_json(found) for name, found in self.scores.items()}
        return {"name": self.name, "scores": scores, "failed": list(self.failed)}


def load() -> dict[str, Any]:
    """All that was measured, by expert; empty if nothing was."""
    if not STORE.is_file():
        return {}
    found: dict[str, Any] = json.loads(STORE.read_text(encoding="utf-8"))
    return found


def stale() -> list[str]:
    """The experts whose scores are not of their present code, or not of the families' present
    versions."""
    kept, now = load(), {entry.benchmark: entry.version for entry in suite(GENERAL).entries}
    return [
        name
        for name in EXPERTS
        if name not in kept
        or kept[name]["code"] != load_expert(name).identity
        or kept[name]["versions"] != now
    ]


def expert_vectors(of: Suite) -> tuple[ExpertVector, ...]:
    """The experts' vectors, the best mean first; none where the suite has families that they were
    not measured on, or other versions of them."""
    if not load() or not _same(of):
        return ()
    found = [_vector(name, rows["scores"]) for name, rows in load().items()]
    return tuple(sorted(found, key=lambda one: -one.mean(of)))


def _same(of: Suite) -> bool:
    asked = {entry.benchmark: entry.version for entry in of.entries}
    return all(asked.items() <= rows["versions"].items() for rows in load().values())


def _vector(name: str, rows: Mapping[str, Sequence[float | None]]) -> ExpertVector:
    scores, failed = {}, []
    for family, values in rows.items():
        known = [value for value in values if value is not None]
        if len(known) < len(values):
            failed.append(family)
        else:
            scores[family] = mean_interval(known)
    return ExpertVector(name, scores, tuple(failed))
