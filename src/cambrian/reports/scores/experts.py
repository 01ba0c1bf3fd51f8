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
from cambrian.evaluators.suites import GENERAL, sealed_part, suite
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


_PAGE = """# Learners written by hand

Made by `tools/expert_scores.py --page` from what was measured; a test compares them.

Three learners that people would write who know the field and the rules of the streams
(`src/cambrian/agents/experts`): `neighbours` keeps packed rows and answers by nearest rows and
kernel ridge; `rehearsal` trains a network on new and packed old rows and averages its weights;
`ridge` solves forgetting least squares on random features. They are seeds of nothing: no search
sees them. They are what a search has to beat.

They were written by a coding agent in about an hour and a half, against streams of seeds that no
search and no sealed run uses (100 to 103), under the same limits as any agent. The scores of search
seed 0 were seen once while a learner failed there, and led to no change that was kept. All three
share their part for small tasks; `neighbours` and `rehearsal` share their part for drift. Some of
their work (decompositions of matrices) is not among the operations that are counted, and takes them
more processor time than agents of a search.

A score of 0 is a family's floor, 1 its ceiling: the joint training of a plain network. The
ceiling is not the best there is: both of the better learners go far beyond it where each task is
short. Intervals (95 %) are over the seeds measured, which are few.

```console
$ tools/expert_scores.py --seeds {seeds} --all      # measure again
$ cambrian plot families --experts -o families.svg  # beside an archive's champion and seeds
```

"""


def document() -> str:
    """The page of the experts, from what is shipped."""
    found = expert_vectors(suite(GENERAL))
    sealed = sealed_part(GENERAL)
    names = [one.name for one in found]
    seeds = max(len(values) for rows in load().values() for values in rows["scores"].values())

    def row(family: str) -> str:
        cells = [_cell(one, family) for one in found]
        return f"| {family} | {' | '.join(cells)} |"

    def means(families: Sequence[str], title: str) -> str:
        values = [
            [one.scores[f].mean if f in one.scores else -1.0 for f in families] for one in found
        ]
        cells = [f"{sum(each) / len(each):.2f}" for each in values]
        return f"| **{title}** | {' | '.join(cells)} |"

    heads = f"| family | {' | '.join(names)} |\n|{'---|' * (len(names) + 1)}"
    searched = [entry.benchmark for entry in suite(GENERAL).entries]
    weighted = [f"{one.mean(suite(GENERAL)):.2f}" for one in found]
    lines = [
        _PAGE.replace("{seeds}", str(seeds)) + "## Families that a search draws\n",
        heads,
        *map(row, searched),
        means(searched, "mean"),
        f"| **mean, weighted as in `general`** | {' | '.join(weighted)} |",
        "\n## Families that no search draws\n",
        heads,
        *map(row, sealed),
        means(sealed, "mean"),
        "\nA family on which an expert failed with a seed counts as -1 in a mean.",
    ]
    return "\n".join(lines) + "\n"


def _cell(one: ExpertVector, family: str) -> str:
    if family not in one.scores:
        return "failed"
    found = one.scores[family]
    return f"{found.mean:.2f} [{found.lower:.2f}, {found.upper:.2f}]"
