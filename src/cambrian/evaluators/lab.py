"""Where a benchmark gets its learners: one to judge, and others to hold it against.

A learner that was retrained without what another had to forget, one that was never taught, the same
before and after it was compressed: each is a job of its own in the agent's sandbox, with its own
allowances, and none sees what another was shown.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

import numpy as np

from cambrian.agents.spec import TaskSpec
from cambrian.evaluators.chance import generator
from cambrian.evaluators.checkpoints import Checkpoints
from cambrian.sandbox.session.learner_channel import LearnerChannel

JUDGED = "judged"
"""The name of the learner that is scored, and whose cost counts."""


class Named(Protocol):
    """What a lab needs to know of a benchmark."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def learners(self) -> tuple[str, ...]:
        """Names of the learners that it opens beside the judged one."""


class Lab(ABC):
    """One run of a benchmark: its stage and seed, and the learners of one agent.

    Attributes:
        name, others: the benchmark's, and those of the learners that it opens beside the judged.
        stage, seed: of the run.
        checkpoints: where a benchmark that is `resumable` keeps what it has done; None: nowhere.
    """

    checkpoints: Checkpoints | None = None

    def __init__(self, bench: Named, stage: str, seed: int) -> None:
        self.name, self.others = bench.name, bench.learners
        self.stage = stage
        self.seed = seed

    @property
    def rng(self) -> np.random.Generator:
        """The run's source of chance, from its start: the same at every call."""
        return generator(self.name, self.stage, self.seed)

    @abstractmethod
    def learner(
        self, name: str = JUDGED, *, spec: TaskSpec | None = None
    ) -> AbstractContextManager[LearnerChannel]:
        """A started learner, of the agent's code and of the same seed whatever its name. It is
        gone when the context ends; each name can be had once.

        Args:
            name: `JUDGED`, or one of the benchmark's `learners`.
            spec: what it is told of its stream, where that is other than `Benchmark.stream`.

        Raises:
            LearnerFailed: here or in the context, for its own fault.
            ValueError: the name was had before, or is none of the benchmark's.
        """

    def has(self, name: str) -> bool:
        """Whether a learner can be had that the benchmark can do without."""
        return name in self.others

    def _expect(self, name: str, had: object) -> None:
        if name != JUDGED and name not in self.others:
            known = ", ".join((JUDGED, *self.others))
            raise ValueError(f"expected a learner named {known}; got {name!r}")
        if had:
            raise ValueError(f"expected each learner once; got {name!r} twice")


class OneLearner(Lab):
    """A lab with one channel and no other: whoever made it has started nothing yet."""

    def __init__(self, bench: Named, stage: str, seed: int, channel: LearnerChannel) -> None:
        super().__init__(bench, stage, seed)
        self._channel = channel

    @contextmanager
    def learner(
        self, name: str = JUDGED, *, spec: TaskSpec | None = None
    ) -> Iterator[LearnerChannel]:
        self._expect(name, name != JUDGED)
        yield self._channel

    def has(self, name: str) -> bool:
        return name == JUDGED


__all__ = ["JUDGED", "Lab", "OneLearner"]
