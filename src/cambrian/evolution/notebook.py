"""Scores of source trees that are no agents of an archive, kept as lines of JSON.

A line is one evaluation that counts, by the tree's identity. Killed at any time, what is there is
not run again; a last line that was cut off is taken away.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cambrian import jsonlines
from cambrian.agents.tree import SourceTree
from cambrian.archive import Archive
from cambrian.evaluators.benchmarks import benchmark
from cambrian.evolution.distilling import Scores
from cambrian.evolution.errands import Errand, Tell, run_errands
from cambrian.evolution.runtime.workers import WorkerFactory
from cambrian.evolution.timing import USUAL, Timing
from cambrian.measurement import Measurement, Unit

FOLDER = "distilled"
"""Inside an archive."""
_SEARCH = ("screen", "full", "race")


class Notebook:
    """What is known of some source trees; run on what is missing by an archive's workers.

    Raises:
        CambrianError: a line of the file is not an evaluation.
    """

    def __init__(
        self,
        path: Path,
        archive: Archive,
        make_worker: WorkerFactory,
        tell: Tell,
        *,
        workers: int = 2,
        timing: Timing = USUAL,
    ) -> None:
        self.path = path
        self._archive, self._make_worker, self._tell = archive, make_worker, tell
        self._workers, self._timing = workers, timing
        self._scores: dict[str, dict[tuple[str, str, int], float | None]] = {}
        self.evaluations = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        self._load()

    def of(self, tree: SourceTree) -> Scores:
        """By benchmark, stage and seed; None for a failure."""
        return self._scores.get(tree.identity, {})

    def adopt(self, agent_id: str, tree: SourceTree) -> None:
        """Take over what an archive has of an agent of this very tree."""
        for sealed in (False, True):
            for row in self._archive.evaluations.of(agent_id, sealed=sealed):
                if row.version != benchmark(row.benchmark).version:
                    continue
                if sealed or row.stage in _SEARCH:
                    self._take(tree.identity, row)

    def judge(self, wanted: Sequence[tuple[SourceTree, Sequence[Unit]]]) -> None:
        """Run trees on units, as far as they were not; on a benchmark that one fails on, no
        further.

        Raises:
            SandboxBroken: one could not be judged here.
        """
        together: dict[str, tuple[SourceTree, dict[Unit, None]]] = {}  # a tree may be named twice
        for tree, units in wanted:
            together.setdefault(tree.identity, (tree, {}))[1].update(dict.fromkeys(units))
        most = max((len(units) for _, units in together.values()), default=0)
        for number in range(1, most + 1):
            errands = [self._errand(tree, list(units)) for tree, units in together.values()]
            todo = [one for one in errands if one.left()]
            if not todo:
                return
            if number == 1:
                count = sum(len(one.left()) for one in todo)
                self._tell(f"{count} evaluations of {len(todo)} variants")
            run_errands(  # a failure ends what is run of a tree in one go
                self._archive,
                todo,
                self._make_worker,
                self._tell,
                name="distill",
                workers=self._workers,
                timing=self._timing,
            )

    def left(self, tree: SourceTree, units: Sequence[Unit]) -> list[Unit]:
        """What a tree is still to be run on."""
        known = self.of(tree)
        failed = {(name, stage) for (name, stage, _), score in known.items() if score is None}
        return [
            unit
            for unit in units
            if (unit.benchmark, unit.stage, unit.seed) not in known
            and (unit.benchmark, unit.stage) not in failed
        ]

    def _errand(self, tree: SourceTree, units: Sequence[Unit]) -> Errand:
        def record(found: Measurement) -> None:
            if found.verdict != "broken":
                self._record(tree.identity, found)

        return Errand(tree.identity, lambda: self.left(tree, units), record, files=dict(tree))

    def _record(self, identity: str, found: Measurement) -> None:
        names = ("benchmark", "version", "stage", "seed", "verdict", "score", "cpu_s")
        row: dict[str, Any] = {"tree": identity, **{n: getattr(found, n) for n in names}}
        if found.verdict == "failed":
            row["reason"] = found.explained[:500]
        jsonlines.append(self.path, row)
        self.evaluations += 1
        self._take(identity, found)

    def _take(self, identity: str, found: Measurement) -> None:
        key = found.benchmark, found.stage, found.seed
        self._scores.setdefault(identity, {})[key] = found.score

    def _load(self) -> None:
        if not self.path.is_file():
            return
        jsonlines.mend(self.path)
        jsonlines.read(
            self.path, self._known, "an evaluation", "remove the line, and it is run again"
        )

    def _known(self, row: dict[str, Any]) -> None:
        """Take a line in; those of other versions of their benchmark are left aside."""
        if row["version"] == benchmark(row["benchmark"]).version:
            key = str(row["benchmark"]), str(row["stage"]), int(row["seed"])
            score = None if row["score"] is None else float(row["score"])
            self._scores.setdefault(str(row["tree"]), {})[key] = score


__all__ = ["FOLDER", "Notebook"]
