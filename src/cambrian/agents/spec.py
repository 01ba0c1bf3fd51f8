"""What a learner may know of a stream before it starts.

Imported on both sides of the sandbox's wall: standard library only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

TaskKind = Literal["classification", "regression", "sequence", "control", "optimisation", "active"]
KINDS: tuple[str, ...] = get_args(TaskKind)


@dataclass(frozen=True)
class TaskSpec:
    """What a learner may know of the stream before it starts.

    Attributes:
        kind: what is learned.
            "classification": labels y (B,) int64, scores (B, outputs).
            "regression": targets y (B, outputs) float32, predictions (B, outputs).
            "sequence": inputs (B, T, ...), labels y (B, T) int64, scores (B, T, outputs); T is the
            first side of `input_shape`.
            "control": observations in, actions out, rewards back; `environments` at a time.
            "optimisation": the learner suggests inputs and is told their values,
            y (B, outputs) float32.
            "active": a classification whose labels it chooses to be told, `label_budget` in all.
        input_shape: shape of one input or observation, without the batch axis.
        outputs: number of classes, regression targets or objectives; of control, 0.
        task_identity: whether `task` is given to `observe` and `predict`.
        boundaries: whether `task_boundary()` is called when a task ends.
        observations: how many samples `observe` will be given in total (repeats counted).
        batch_size: how many samples a batch of `observe` holds (the last may be smaller).
        memory_bytes: bytes of state the learner may hold (parameters, buffers, stored samples).
        flops: floating point operations it may spend over the whole stream.
        episodic: whether each batch of `observe` is one small task of its own, whose labels mean
            nothing outside it, until `new_episode` is called for the first time.
        support: above 0 where learning to learn is judged: by how well the learner does on small
            tasks it never saw, after at most so many samples of them, given to `adapt` at once
            or, after `new_episode`, to `observe` one by one.
        actions: of control, how many discrete actions there are; 0 where actions are continuous.
        action_shape: of control with continuous actions, the shape of one, each value in [-1, 1].
        discount: of control, what a reward one step later is worth, in (0, 1].
        episode_steps: of control, after how many steps an episode is cut off; 0: not told.
        environments: of control, how many environments are stepped at a time, E.
        pool: of active learning, how many unlabelled inputs a query chooses among.
        label_budget: of active learning, how many labels will be told; of optimisation, how many
            values.
        bytes_target: of a stream that ends in `compress`, the bytes to get down to.
    """

    kind: str
    input_shape: tuple[int, ...]
    outputs: int
    task_identity: bool = False
    boundaries: bool = False
    observations: int = 0
    batch_size: int = 0
    memory_bytes: int = 0
    flops: int = 0
    episodic: bool = False
    support: int = 0
    actions: int = 0
    action_shape: tuple[int, ...] = ()
    discount: float = 1.0
    episode_steps: int = 0
    environments: int = 0
    pool: int = 0
    label_budget: int = 0
    bytes_target: int = 0

    @property
    def inputs(self) -> int:
        """Number of values in one input."""
        return math.prod(self.input_shape)

    def scores_shape(self, rows: int) -> tuple[int, ...]:
        """Shape of what `predict` gives for `rows` inputs."""
        if self.kind == "sequence":
            return (rows, self.input_shape[0], self.outputs)
        return (rows, self.outputs)

    @staticmethod
    def of(given: dict[str, object]) -> TaskSpec:
        """The spec that `dataclasses.asdict` was made of; JSON has lists where it has tuples."""
        return TaskSpec(
            **{k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}  # type: ignore[arg-type]
        )
