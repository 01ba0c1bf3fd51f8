"""What a benchmark is: a versioned, seeded stream with hidden answers, and the metrics over it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from cambrian.agents.spec import TaskSpec
from cambrian.evaluators.chance import EACH_BATCH as EACH_BATCH
from cambrian.evaluators.chance import generator as generator
from cambrian.evaluators.chance import learner_seed as learner_seed
from cambrian.evaluators.chance import stem as stem
from cambrian.evaluators.lab import Lab
from cambrian.evaluators.stages import STAGES as STAGES
from cambrian.sandbox.session.learner_channel import LearnerChannel

Array = NDArray[Any]

REPORTED = 100
"""The first seed of what docs/benchmarks.md reports. None from here on is of a stage, and none was
looked at when floors and ceilings were measured or a seed agent's knobs were chosen."""

PROBE_IMAGES = 500

LOWEST, HIGHEST = -1.0, 2.0

AHEAD = (
    "A task lies open from its start: a learner can look ahead within it, and at the inputs that "
    "it is probed and tested with, which come together and without their labels (transduction)."
)
AHEAD_PROBED = (
    "What is observed before the next probe lies open: a learner can look ahead as far as that "
    "(with +each-batch one batch), and at the inputs that it is probed and tested with, which "
    "come together and without their labels (transduction)."
)
AHEAD_ONLINE = (
    "Samples are revealed 160 at a time (with +each-batch one batch): a learner can look ahead as "
    "far as that, and at the inputs that it is probed and tested with, which come together and "
    "without their labels (transduction)."
)
AHEAD_EPISODES = (
    "The queries of a task come together, so that what they have in common is known before they "
    "are answered (transduction)."
)
AHEAD_SERIES = (
    "Inputs come ten at a time, without their labels: a learner can look at all ten before it "
    "answers (transduction), and no further."
)
"""What a learner may see before it has to answer, for cards: it is sent, so it is no cheat, but
results that use it are no comparison for those that do not."""


@dataclass(frozen=True)
class Card:
    """What a reader must know of a benchmark before believing a number.

    Attributes:
        task: what has to be learned, in a sentence or two.
        data: the images, where they come from, their licence.
        hidden: what never enters the sandbox.
        floor, ceiling: what 0 and 1 stand for.
        shortcuts: known ways to do well without what the benchmark is for.
        reference: published results to hold ours against.
    """

    task: str
    data: str
    hidden: str
    floor: str
    ceiling: str
    shortcuts: str
    reference: str


@dataclass(frozen=True)
class Outcome:
    """What one run of a learner gave: the raw score and all that explains it.

    `predictions` are the learner's answers (`evaluators.transcript`); no benchmark fills them in.
    """

    raw: float
    metrics: Mapping[str, float] = field(default_factory=dict)
    curves: Mapping[str, Array] = field(default_factory=dict)
    matrices: Mapping[str, Array] = field(default_factory=dict)
    predictions: Mapping[str, Array] = field(default_factory=dict)


@dataclass(frozen=True)
class Bounds:
    """How `tools/calibrate.py` measures what 0 and 1 stand for.

    Attributes:
        floor: "rates" for the `finetune` seed agent at the best constant learning rate of a grid,
            or the name of a seed agent.
        ceiling: "joint" for one network trained on all tasks together until it stops getting
            better, "apart" for one such network per task, or the name of a seed agent.
        oracle: the stream that the ceiling's seed agent runs on, without what is hidden in this
            one (a drift, for example); None for this one.
        close: why floor and ceiling are less than 0.3 apart, where they are.
    """

    floor: str = "rates"
    ceiling: str = "joint"
    oracle: Benchmark | None = None
    close: str = ""


@dataclass(frozen=True)
class StageLimits:
    """What one job of a stage may take; generous, because a verdict must not depend on how busy the
    host is (replay takes two seconds).

    Attributes:
        request_s: host seconds for one answer.
        job_s: host seconds for the whole job.
        memory_bytes: of all the learner's processes together (about 200 MiB of it is torch).
    """

    request_s: float = 40.0
    job_s: float = 240.0
    memory_bytes: int = 1 << 30


class Benchmark(ABC):
    """A benchmark: a subclass says `name`, `version` and `card`, its `stream` and how it is `run`.

    The version changes whenever a number would. All else has a default.

    Attributes:
        name: lower-case letters, digits and hyphens.
        sealed_only: never run in a search.
        needs: the data sources (names of `cambrian.evaluators.data`) that it cannot do without.
        bounds: how its floor and ceiling are measured.
        reference: the seed agent whose cost an agent's allowances are multiples of.
        seed_agents: those that a search on it starts from besides those of every archive.
        resumable: whether it goes on from `Lab.checkpoints` where it was cut.
        verbs: what it calls of the learner contract (`cambrian.sandbox.runner.verbs`).
            `task_boundary` goes without saying where the spec tells of boundaries, `adapt` and
            `new_episode` where it asks for `support`.
        learners: names of the learners that it opens beside the judged one.
        raw_range: the least and the largest raw score; returns, regret and errors have other
            ranges than accuracies, and may have no end.
    """

    if TYPE_CHECKING:  # read-only, so that a subclass may have fields, constants or properties

        @property
        def name(self) -> str: ...
        @property
        def version(self) -> str: ...
        @property
        def card(self) -> Card: ...
        @property
        def sealed_only(self) -> bool: ...
        @property
        def needs(self) -> tuple[str, ...]: ...
        @property
        def bounds(self) -> Bounds: ...
        @property
        def reference(self) -> str: ...
        @property
        def seed_agents(self) -> tuple[str, ...]: ...
        @property
        def resumable(self) -> bool: ...
        @property
        def verbs(self) -> tuple[str, ...]: ...
        @property
        def learners(self) -> tuple[str, ...]: ...
        @property
        def raw_range(self) -> tuple[float, float]: ...
    else:
        sealed_only = False
        needs = ()
        bounds = Bounds()
        reference = "replay"
        seed_agents = ()
        resumable = False
        verbs = ("observe", "predict")
        learners = ()
        raw_range = (0.0, 1.0)

    @abstractmethod
    def stream(self, stage: str) -> TaskSpec:
        """What the learner is told of the stream (its allowances are filled in later)."""

    def stream_of(self, stage: str, seed: int) -> TaskSpec:
        """What the learner is told of the stream of one seed: a family draws others for others."""
        return self.stream(stage)

    def draws(self, stage: str, seed: int) -> Mapping[str, Any]:
        """What a seed draws of the kind of its stream, by name: nothing, but of a family."""
        return {}

    def run(self, channel: LearnerChannel, stage: str, seed: int) -> Outcome:
        """Drive a started learner through the stream and judge it.

        A benchmark with one learner says this; one with several overrides `conduct`.
        """
        raise NotImplementedError(f"{type(self).__name__} says neither `run` nor `conduct`")

    def conduct(self, lab: Lab) -> Outcome:
        """Open the learners that it needs, drive them and judge the one named `JUDGED`."""
        with lab.learner() as channel:
            return self.run(channel, lab.stage, lab.seed)

    def limits(self, stage: str) -> StageLimits:
        """What a job of a stage may take."""
        return SMOKE if stage == "smoke" else FULL


SMOKE, FULL = StageLimits(request_s=15.0, job_s=60.0), StageLimits()
