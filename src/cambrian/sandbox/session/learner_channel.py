"""What a benchmark drives a learner by: the verbs of the contract, whoever is at the other end.

`Channel` speaks to a sandbox, `evaluators.transcript.Playback` repeats a record,
`evaluators.conformance.Watching` looks at the benchmark. The verbs of the table
(`sandbox.runner.verbs`) are methods here, by way of `call`; a stream's many batches have quicker
ways of their own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cambrian.agents.spec import TaskSpec
from cambrian.sandbox.runner.frames import Array
from cambrian.sandbox.runner.verbs import VERBS, Verb, dtype_of, shape_of
from cambrian.sandbox.session.claims import Cost


@dataclass(frozen=True)
class Diagnosis:
    """The inside of a network as the learner's process tells it; nothing checks it.

    Attributes:
        layers: activations (rows, units) after each nonlinearity, at most four of them.
        weight_magnitude, weight_norm: mean absolute weight, and the norm of all together.
    """

    layers: Sequence[Array]
    weight_magnitude: float
    weight_norm: float


class LearnerChannel(ABC):
    """One learner at work. Every method may raise `LearnerFailed`.

    Attributes:
        exact: whether answers are the learner's own to the last bit, and not what was kept of them.
    """

    exact = True

    # -- files and streams -------------------------------------------------------------

    @abstractmethod
    def publish(self, name: str, arrays: Mapping[str, Array]) -> None:
        """Reveal arrays under a name: `x` (N, *input_shape) float32, `y` (N,) and `order` (n,)
        int64."""

    @abstractmethod
    def withdraw(self, name: str) -> None:
        """Take a published file back."""

    @abstractmethod
    def span(
        self,
        name: str,
        start: int,
        stop: int,
        batch: int,
        *,
        probe: str | None = None,
        probe_every: int = 1,
        task: int | None = None,
    ) -> Iterator[Array]:
        """Have rows `order[start:stop]` of a file observed in batches.

        Yields:
            scores (rows of `probe`, outputs) after every `probe_every` batches and the last.
        """

    @abstractmethod
    def observe_and_probe(
        self, steps: Iterable[tuple[Array, Array]], probe: str
    ) -> Iterator[Array]:
        """Have batches x (B, *input_shape), y (B,) observed one by one.

        Yields:
            scores (rows of `probe`, outputs) after each.
        """

    @abstractmethod
    def predict(self, x: Array, task: int | None = None) -> Array:
        """Scores (B, outputs) for inputs x (B, *input_shape)."""

    @abstractmethod
    def predict_file(self, name: str, task: int | None = None) -> Array:
        """Scores (N, outputs) for all N inputs of a published file."""

    @abstractmethod
    def reveal(self, y: Array) -> None:
        """Labels (B,) of the inputs that were asked about last."""

    @abstractmethod
    def reveal_and_predict(self, y: Array, x: Array) -> Array:
        """Labels (B,) of the inputs asked about last, then scores (B, outputs) for the next ones,
        x (B, *input_shape)."""

    @abstractmethod
    def prequential(self, steps: Iterable[tuple[Array, Array]]) -> Iterator[Array]:
        """Batches x (B, *input_shape), y (B,) that are predicted first and revealed then; the
        last one's labels never.

        Yields:
            scores (B, outputs) of each.
        """

    @abstractmethod
    def predict_copy(self, x: Array) -> Array:
        """Scores (B, outputs) of the copy that was adapted last, for x (B, *input_shape)."""

    @abstractmethod
    def discard_copy(self) -> None:
        """Let go of the adapted copy: nothing of it goes back into the learner."""

    # -- what it cost, what it is ------------------------------------------------------

    @abstractmethod
    def finish(self) -> Cost:
        """What the learner's process says it cost."""

    def usage(self) -> Cost:
        """What the learner's process says it has cost so far."""
        return self.finish()

    @abstractmethod
    def diagnose(self, name: str, task: int | None = None) -> Diagnosis:
        """What happens inside the network for the inputs of a published file."""

    def save(self) -> bytes:
        """The learner as bytes, never opened on this side; empty where it cannot be kept."""
        return b""

    def load(self, state: bytes) -> None:
        """Let a learner just started be the one that `save` gave bytes of.

        Raises:
            ValueError: this channel cannot.
        """
        raise ValueError(f"{type(self).__name__} cannot load {len(state)} bytes of a learner")

    # -- the verbs of the table --------------------------------------------------------

    @abstractmethod
    def call(self, verb: str, *arrays: Array, **numbers: int | None) -> Array | None:
        """A verb by its name, with the arrays (of the shapes (B, ...) in its row) and numbers.

        Returns:
            what it gives back, checked, or None where it gives nothing back.

        Raises:
            ValueError: no such verb, or arrays that are not what its row says.
        """

    def adapt(self, x: Array, y: Array, steps: int | None = None) -> None:
        """Have a copy of the learner adapted to a support set x (S, *input_shape), y (S,) int64
        or (S, k) float32, in place of the last copy. A failure shows at the next request."""
        self.call("adapt", x, y, steps=steps)

    def new_episode(self) -> None:
        """What is observed from here on belongs to a new task. A failure shows at the next
        request."""
        self.call("new_episode")

    def task_boundary(self) -> None:
        """Tell the learner that a task has ended."""
        self.call("task_boundary")

    def act(self, observations: Array) -> Array:
        """Actions for observations (E, *input_shape): (E,) int64 or (E, *action_shape) float32."""
        return self._asked_for("act", observations)

    def feedback(
        self, rewards: Array, terminated: Array, truncated: Array, next_observations: Array
    ) -> None:
        """What the last actions led to: (E,), (E,), (E,) and (E, *input_shape). A failure shows at
        the next request."""
        flags = (np.asarray(flag, np.uint8) for flag in (terminated, truncated))
        self.call("feedback", rewards, *flags, next_observations)

    def query(self, pool: Array, count: int) -> Array:
        """Positions (min(count, N),) int64 in a pool (N, *input_shape), all different."""
        return self._asked_for("query", pool, count=count)

    def suggest(self, count: int) -> Array:
        """Inputs (count, *input_shape) float32 whose values the learner wants to be told."""
        return self._asked_for("suggest", count=count)

    def forget(self, x: Array, y: Array, task: int | None = None) -> None:
        """Have the learner be as if it had never observed x (B, *input_shape), y (B,)."""
        self.call("forget", x, y, task=task)

    def compress(self, bytes: int) -> None:  # noqa: A002 - the contract's word
        """Have the learner get down to so many bytes of state."""
        self.call("compress", bytes=bytes)

    def observe(self, x: Array, y: Array, task: int | None = None) -> None:
        """Have one batch x (B, *input_shape), y (B,) observed. A failure shows at the next
        request."""
        self.call("observe", x, y, task=task)

    def _asked_for(self, verb: str, *arrays: Array, **numbers: int | None) -> Array:
        found = self.call(verb, *arrays, **numbers)
        if found is None:
            raise ValueError(f"expected an answer to {verb}; got none")
        return found


def checked_call(
    spec: TaskSpec, name: str, arrays: Sequence[Array], numbers: Mapping[str, Any]
) -> Verb:
    """The row of a verb, if a call is one that it allows, its arrays of shape (B, ...) as the spec
    wants them: it is our side that is looked at here.

    Raises:
        ValueError: no such verb, or other arrays or numbers than its row says.
    """
    verb = VERBS.get(name)
    if verb is None:
        raise ValueError(f"expected one of {', '.join(VERBS)}; got {name!r}")
    if len(arrays) != len(verb.arrays) or not set(numbers) <= set(verb.numbers):
        wanted = ", ".join((*verb.arrays, *verb.numbers)) or "nothing"
        raise ValueError(f"expected {name} with {wanted}; got {len(arrays)} arrays, {numbers}")
    for argument, array in zip(verb.arrays, arrays, strict=True):
        shape, dtype = shape_of(argument, spec, len(array)), dtype_of(argument, spec)
        if array.shape != shape or array.dtype != dtype:
            got = f"{array.dtype} {array.shape}"
            raise ValueError(f"expected {argument} of {name} as {dtype} {shape}; got {got}")
    return verb


__all__ = ["VERBS", "Diagnosis", "LearnerChannel", "checked_call"]
