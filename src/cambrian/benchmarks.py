"""All that a benchmark of your own is written with, in one place: see docs/bring-your-own.md."""

from __future__ import annotations

from cambrian.agents.spec import TaskSpec
from cambrian.evaluators.benchmarks.base import (
    FULL,
    SMOKE,
    STAGES,
    Benchmark,
    Bounds,
    Card,
    Outcome,
    StageLimits,
    generator,
)
from cambrian.evaluators.conformance import check
from cambrian.evaluators.data import Images, read_table
from cambrian.evaluators.data.base import split
from cambrian.evaluators.lab import JUDGED, Lab
from cambrian.evaluators.protocols.episodes import Episode
from cambrian.evaluators.protocols.prequential import Series, run_series
from cambrian.evaluators.protocols.tasks import (
    EvaluationProtocol,
    Task,
    TaskStream,
    run_tasks,
    shuffled,
)
from cambrian.sandbox.session.failures import LearnerFailed
from cambrian.sandbox.session.learner_channel import LearnerChannel

__all__ = [
    "FULL",
    "JUDGED",
    "SMOKE",
    "STAGES",
    "Benchmark",
    "Bounds",
    "Card",
    "Episode",
    "EvaluationProtocol",
    "Images",
    "Lab",
    "LearnerChannel",
    "LearnerFailed",
    "Outcome",
    "Series",
    "StageLimits",
    "Task",
    "TaskSpec",
    "TaskStream",
    "check",
    "generator",
    "read_table",
    "run_series",
    "run_tasks",
    "shuffled",
    "split",
]
