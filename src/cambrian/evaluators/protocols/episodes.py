"""Small tasks, many of them: learned from whole, then judged on tasks that were never seen.

A benchmark of this kind first shows the learner many tasks, one per batch of `observe`, and then
has copies of it adapted to a few samples of new ones (`adapt`), or shows it the new ones pair by
pair (`new_episode`, then `observe` after each `predict`). What was learned of one new task may not
help with the next: the learner must be as it was before, which is checked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from cambrian.evaluators.benchmarks.base import Array
from cambrian.evaluators.data import Floats
from cambrian.sandbox.session.failures import LearnerFailed
from cambrian.sandbox.session.learner_channel import LearnerChannel

META_AGENTS = ("maml", "protonet", "reptile", "transformer")
"""The seed agents that are put into an archive whose agents learn small tasks."""

STEPS = (0, 1, 2, 4, 8, 16)
"""Steps of adaptation at which the curve `by_steps` is taken."""


@dataclass(frozen=True)
class Episode:
    """A new task: what a copy is adapted to, and what it is asked.

    x (S, *input_shape) float32, y (S,) int64 or (S, k) float32, in the order of revelation: the
    first rows are a smaller support set. query_y stays on this side.
    """

    x: Floats
    y: Array
    query_x: Floats
    query_y: Array


def learn(channel: LearnerChannel, x: Floats, y: Array) -> None:
    """Have tasks observed, one per batch: x (tasks, rows, *input_shape), y (tasks, rows, ...)."""
    tasks, rows = x.shape[:2]
    order = np.arange(tasks * rows)
    flat = {"x": x.reshape(-1, *x.shape[2:]), "y": y.reshape(-1, *y.shape[2:]), "order": order}
    channel.publish("tasks", flat)
    for _ in channel.span("tasks", 0, len(order), rows):
        raise AssertionError("a span without a probe has no answers")
    channel.withdraw("tasks")


def ask(channel: LearnerChannel, episode: Episode, support: int, steps: int | None = None) -> Array:
    """What a copy adapted to the first `support` rows answers: (queries, outputs)."""
    channel.adapt(episode.x[:support], episode.y[:support], steps)
    answers = channel.predict_copy(episode.query_x)
    channel.discard_copy()
    return answers


@contextmanager
def untouched(channel: LearnerChannel, episodes: Sequence[Episode], again: int) -> Iterator[None]:
    """Whatever copies are made in the block, the learner itself is as it was.

    Its predictions on some inputs and the size of its state are compared, and episode number
    `again` is asked before and after: an adaptation that depended on those between would differ.

    Raises:
        LearnerFailed: something changed.
    """
    inputs, episode = episodes[0].query_x, episodes[again]

    def seen() -> tuple[Array, Array, int]:
        answers = channel.predict(inputs)  # first: a learner may put off work until it is asked
        copied = ask(channel, episode, len(episode.x))
        return answers, copied, channel.finish().state_bytes

    before = seen()
    yield
    after = seen()
    if not channel.exact:
        return
    if not np.array_equal(before[0], after[0]) or before[2] != after[2]:
        raise LearnerFailed("protocol", "adapting a copy changed the learner that it was made of")
    if not np.array_equal(before[1], after[1]):
        raise LearnerFailed("protocol", "the same support set did not give the same copy again")


def by_pairs(channel: LearnerChannel, episode: Episode) -> Array:
    """The answers (S, outputs) for each input of an episode, given the pairs before it."""
    channel.new_episode()
    answers = [channel.predict(episode.x[:1])]
    for row in range(1, len(episode.x)):
        asked = episode.x[row : row + 1]
        answers.append(channel.reveal_and_predict(episode.y[row - 1 : row], asked))
    return np.concatenate(answers)
