"""A table as a benchmark: rows in their order, predicted first and told then; or task by task.

Rows up to `SEARCHED` of them are what a search is judged by; those after are for sealed runs, in
which a learner goes through all rows and is judged on the later ones alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from cambrian.agents.spec import TaskSpec
from cambrian.evaluators.benchmarks.base import Benchmark, Bounds, Card, Outcome, generator
from cambrian.evaluators.data import Floats
from cambrian.evaluators.protocols.prequential import judge
from cambrian.evaluators.protocols.tasks import EvaluationProtocol, Task, TaskStream, shuffled
from cambrian.sandbox.session.learner_channel import LearnerChannel
from cambrian.tables.encoding import encoded
from cambrian.tables.plan import Plan

BATCH, SEARCHED, KEPT, EPOCHS = 10, 0.6, 0.9, 10
SMOKE_ROWS, LEAST_BATCHES = 200, 12


class TableStream(Benchmark):
    """Rows in their order, some at a time (`batch`): predict, then learn. A subclass says the rest.

    Every seed sees columns and class numbers in another order, and leaves out a tenth of the rows,
    so that no learner can know the table by heart.
    """

    name: ClassVar[str]
    version: ClassVar[str] = "1"
    card: ClassVar[Card]
    file: ClassVar[Path]
    plan: ClassVar[Plan]

    @property
    def reference(self) -> str:
        """Experience replay, where there are classes to replay."""
        return "replay" if self.plan.classes else "composed"

    @property
    def raw_range(self) -> tuple[float, float]:
        """Accuracies from 0 to 1; of regression, from -1 to 1 (see `explained`)."""
        return (0.0, 1.0) if self.plan.classes else (-1.0, 1.0)

    @property
    def bounds(self) -> Bounds:
        """Not measured by learners: 0 is a constant guess, or of regression the last label that was
        told; 1 is no error at all."""
        guess = "a constant guess" if self.plan.classes else "the last label that was told"
        return Bounds(close=f"0 and 1 are {guess} and no error at all")

    def stream(self, stage: str) -> TaskSpec:
        """Rows of so many inputs; the labels are classes or one number."""
        kind = "classification" if self.plan.classes else "regression"
        return TaskSpec(
            kind,
            (self.plan.inputs,),
            len(self.plan.classes) or 1,
            observations=len(self._rows(stage, 0)),
            batch_size=self.batch,
        )

    def series(self, stage: str, seed: int) -> tuple[Floats, Any, int]:
        """x (N, inputs), y (N,) or (N, 1), and the row from which answers count."""
        x, y, _ = encoded(self.file, self.plan, False)
        rng = generator(self.name, stage, seed)
        rows = self._rows(stage, seed)
        x = x[rows][:, rng.permutation(x.shape[1])]
        y = rng.permutation(len(self.plan.classes))[y[rows]] if self.plan.classes else y[rows]
        start = int(np.searchsorted(rows, self._searched)) if stage == "sealed" else 0
        return x, y, start // self.batch * self.batch

    def run(self, channel: LearnerChannel, stage: str, seed: int) -> Outcome:
        """Predict and learn all rows; those from `series`' start on count."""
        x, y, start = self.series(stage, seed)
        batch = self.batch
        batches = [slice(at, at + batch) for at in range(0, len(y), batch)]
        answers = list(channel.prequential((x[now], y[now]) for now in batches))
        counted = slice(start // batch, None)
        if not self.plan.classes:
            told, found = y[start:, 0], np.concatenate(answers[counted])[:, 0]
            return _explained(found, told, _before(y[:, 0], batch)[start:])
        right = [
            float((scores.argmax(1) == y[now]).mean())
            for scores, now in zip(answers, batches, strict=True)
        ]
        return judge(np.array(right[counted], dtype=np.float32))

    def floor(self, stage: str = "full", seed: int = 0) -> float:
        """What the commonest label so far would score, told batch by batch; of regression 0."""
        if not self.plan.classes:
            return 0.0
        _, y, start = self.series(stage, seed)
        seen, right, batch = np.zeros(len(self.plan.classes)), [], self.batch
        for at in range(0, len(y), batch):
            right.append(float((y[at : at + batch] == seen.argmax()).mean()))
            seen += np.bincount(y[at : at + batch], minlength=len(seen))
        return float(np.mean(right[start // batch :]))

    @property
    def batch(self) -> int:
        """Rows at a time: `BATCH`, and fewer where the smoke stage would have too few batches."""
        return max(1, min(BATCH, len(self._rows("smoke", 0)) // LEAST_BATCHES))

    @property
    def _searched(self) -> int:
        return int(SEARCHED * len(encoded(self.file, self.plan, False)[0]))

    def _rows(self, stage: str, seed: int) -> Any:
        """Which rows a seed shows, in their order."""
        whole = len(encoded(self.file, self.plan, False)[0])
        if stage == "sealed":
            return np.arange(whole)
        rng = np.random.default_rng([seed, len(self.name)])
        rows = np.sort(rng.permutation(self._searched)[: int(KEPT * self._searched)])
        return rows[: min(SMOKE_ROWS, len(rows) // 2)] if stage == "smoke" else rows


def _before(y: Any, batch: int) -> Any:
    """For each label (N,) the last one that was told before its batch; 0, which is the mean of the
    first rows, where none was."""
    last = np.arange(len(y)) // batch * batch - 1
    return np.where(last < 0, 0.0, y[last])


def _explained(found: Any, told: Any, before: Any) -> Outcome:
    """The share of squared error that is gone: 1 less the error of answers (N,) on targets (N,) by
    that of the values told before (N,), at least -1."""
    error, naive = float(((found - told) ** 2).mean()), float(((before - told) ** 2).mean())
    raw = max(-1.0, 1.0 - error / max(naive, 1e-12))
    return Outcome(raw, {"explained": raw, "squared_error": error})


class TableTasks(TaskStream):
    """Rows task by task: one class, or one value of a column, after the other."""

    name: ClassVar[str]
    version: ClassVar[str] = "1"
    card: ClassVar[Card]
    file: ClassVar[Path]
    plan: ClassVar[Plan]
    protocol = EvaluationProtocol(batch=BATCH, probe_every=20, boundaries=True)
    reference = "replay"

    @property
    def bounds(self) -> Bounds:
        """Not measured by learners: 0 is a constant guess, 1 no error at all."""
        return Bounds(close="0 and 1 are a constant guess and no error at all")

    def stream(self, stage: str) -> TaskSpec:
        """Rows of so many inputs, the classes of all tasks."""
        rows = len(self._parts()[0]) * self._epochs(stage)
        return TaskSpec(
            "classification",
            (self.plan.inputs,),
            len(self.plan.classes),
            boundaries=True,
            observations=rows,
            batch_size=BATCH,
        )

    def tasks(self, stage: str, rng: np.random.Generator) -> list[Task]:
        """One task for each class or value, in an order drawn anew for classes; values come in the
        order in which the file has them."""
        x, y, domains = encoded(self.file, self.plan, True)
        train, test, sealed = self._parts()
        held = sealed if stage == "sealed" else test
        columns, naming = rng.permutation(x.shape[1]), rng.permutation(len(self.plan.classes))
        groups = np.array(domains) if self.plan.domain else y
        names = np.unique(groups) if self.plan.domain else rng.permutation(np.unique(groups))
        made = []
        for one in names:
            learn, asked = (rng.permutation(p[groups[p] == one]) for p in (train, held))
            if len(learn) and len(asked):
                made.append(
                    Task(
                        train_x=x[learn][:, columns],
                        train_y=naming[y[learn]],
                        order=shuffled(len(learn), self._epochs(stage), rng),
                        test_x=x[asked][:, columns],
                        test_y=naming[y[asked]],
                        probe=len(asked),
                    )
                )
        return made

    def floor(self, stage: str = "full", seed: int = 0) -> float:
        """What one constant label scores at best, as a mean over tasks."""
        tasks = self.tasks(stage, generator(self.name, stage, seed))
        shares = [np.bincount(t.test_y, minlength=len(self.plan.classes)) for t in tasks]
        return float(np.mean([s / s.sum() for s in shares], axis=0).max())

    def _parts(self) -> tuple[Any, Any, Any]:
        """Rows to learn from, to be judged by, and for sealed runs. The first rows, which the plan
        was made of, are to learn from."""
        x, y, domains = encoded(self.file, self.plan, True)
        parts: tuple[list[int], list[int], list[int]] = ([], [], [])
        groups: dict[Any, list[int]] = {}
        for row in range(len(x)):
            groups.setdefault((domains[row], int(y[row])), []).append(row)
        for rows in groups.values():
            fresh = [row for row in rows if row >= self.plan.first]
            parts[1].extend(fresh[0::4])
            parts[2].extend(fresh[1::4])
            taken = {*fresh[0::4], *fresh[1::4]}
            parts[0].extend(row for row in rows if row not in taken)
        train, test, sealed = (np.sort(np.array(part, dtype=np.int64)) for part in parts)
        return train, test, sealed

    def _epochs(self, stage: str) -> int:
        return 1 if stage == "smoke" else EPOCHS
