"""wine.csv as a stream: three vineyards, one after the other; ten lines of it are yours to change.

See docs/bring-your-own.md.
"""

from pathlib import Path

import numpy as np

from cambrian.benchmarks import (
    Bounds,
    Card,
    EvaluationProtocol,
    Images,
    Task,
    TaskSpec,
    TaskStream,
    read_table,
    shuffled,
    split,
)

FILE = Path(__file__).with_name("wine.csv")
LABEL = "vineyard"
COLUMNS, CLASSES = 13, 3
EPOCHS = 20


def table() -> Images:
    """The rows in three fixed parts: to learn from, to be judged by, and for sealed runs."""
    found = read_table(FILE, label=LABEL, columns=COLUMNS, classes=CLASSES)
    x = (found.x - found.x.mean(0)) / found.x.std(0)
    return split(x, found.y, test=0.25, sealed=0.25)


class Wine(TaskStream):
    name = "wine"
    version = "1"
    protocol = EvaluationProtocol(batch=8, probe_every=20, boundaries=True)
    card = Card(
        task="Tell three vineyards apart by thirteen measurements; they come one after the other.",
        data="wine.csv: 178 wines of scikit-learn's copy of the UCI set (BSD-3).",
        hidden="The vineyards of all test rows, and the rows of vineyards to come.",
        floor="The finetune seed agent: it knows the last vineyard only.",
        ceiling="The finetune seed agent where all three vineyards come together.",
        shortcuts="Class means of the measurements do almost as well as anything.",
        reference="A linear discriminant on all rows at once tells 0.98 of them.",
    )

    def __init__(self, together: bool = False) -> None:
        self.together = together

    @property
    def bounds(self) -> Bounds:
        return Bounds(floor="finetune", ceiling="finetune", oracle=Wine(together=True))

    def stream(self, stage: str) -> TaskSpec:
        rows = len(table().train.y) * self._epochs(stage)
        return TaskSpec(
            "classification", (COLUMNS,), CLASSES, boundaries=True, observations=rows, batch_size=8
        )

    def tasks(self, stage: str, rng: np.random.Generator) -> list[Task]:
        """One task per class. Names and columns are mixed anew for every seed, so that no
        learner can know this table by heart."""
        rows, held = table().train, table().held_out(stage)
        columns, naming = rng.permutation(COLUMNS), rng.permutation(CLASSES)
        one_by_one = [[label] for label in rng.permutation(CLASSES)]
        groups = [range(CLASSES)] if self.together else one_by_one
        tasks = []
        for group in groups:
            learn = rng.permutation(np.flatnonzero(np.isin(rows.y, group)))
            judge = rng.permutation(np.flatnonzero(np.isin(held.y, group)))
            tasks.append(
                Task(
                    train_x=rows.x[learn][:, columns],
                    train_y=naming[rows.y[learn]],
                    order=shuffled(len(learn), self._epochs(stage), rng),
                    test_x=held.x[judge][:, columns],
                    test_y=naming[held.y[judge]],
                    probe=len(judge),
                )
            )
        return tasks

    def _epochs(self, stage: str) -> int:
        return 1 if stage == "smoke" else EPOCHS
