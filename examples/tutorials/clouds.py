"""Four clouds of points, one after the other: the smallest benchmark that is worth a search."""

import numpy as np

from cambrian.benchmarks import (
    Bounds,
    Card,
    EvaluationProtocol,
    Task,
    TaskSpec,
    TaskStream,
    shuffled,
)

CLASSES, SIDES, ROWS, EPOCHS = 4, 8, 100, 5


class Clouds(TaskStream):
    name = "clouds"
    version = "1"
    protocol = EvaluationProtocol(batch=10, probe_every=20, boundaries=True)
    card = Card(
        task="Learn four classes one after the other, and know all of them at the end.",
        data="None: clouds of points, drawn from the seed.",
        hidden="The labels of all test points, and the classes to come.",
        floor="The finetune seed agent: it knows the last class only.",
        ceiling="The finetune seed agent where all classes come together.",
        shortcuts="The mean of each class is all there is to learn.",
        reference="None: the clouds are made up.",
    )

    def __init__(self, together: bool = False) -> None:
        self.together = together

    @property
    def bounds(self) -> Bounds:
        return Bounds(floor="finetune", ceiling="finetune", oracle=Clouds(together=True))

    def stream(self, stage: str) -> TaskSpec:
        """What a learner is told before it starts."""
        rows = CLASSES * ROWS * self._epochs(stage)
        return TaskSpec(
            "classification", (SIDES,), CLASSES, boundaries=True, observations=rows, batch_size=10
        )

    def tasks(self, stage: str, rng: np.random.Generator) -> list[Task]:
        """One task per class; everything is drawn from `rng`, so a seed is a stream."""
        centres = rng.normal(size=(CLASSES, SIDES))
        groups = [range(CLASSES)] if self.together else [[label] for label in range(CLASSES)]
        tasks = []
        for group in groups:
            y, test_y = np.repeat(group, ROWS), np.repeat(group, ROWS)
            x, test_x = (
                (centres[labels] + rng.normal(size=(len(labels), SIDES))).astype(np.float32)
                for labels in (y, test_y)
            )
            order = shuffled(len(y), self._epochs(stage), rng)
            tasks.append(Task(x, y, order, test_x, test_y, probe=len(test_y)))
        return tasks

    def _epochs(self, stage: str) -> int:
        return 1 if stage == "smoke" else EPOCHS
