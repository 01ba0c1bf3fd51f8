"""The trusted end of a job's channel: ask, check the answer, believe nothing else.

The shape and type of every answer are known before it is asked for; a deadline covers the whole
exchange; bytes that wait before a request was sent are an early answer and end the job.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from cambrian.agents.spec import TaskSpec
from cambrian.errors import SandboxBroken
from cambrian.sandbox.runner.frames import (
    Array,
    ChannelClosed,
    Expect,
    FrameSocket,
    Kind,
    encode,
)
from cambrian.sandbox.session import answers, claims, shared_memory
from cambrian.sandbox.session.claims import Cost
from cambrian.sandbox.session.exchange import (
    ANSWERS,
    DONE,
    EARLY_S,
    FLOAT,
    SPIN_S,
    Exchange,
)
from cambrian.sandbox.session.failures import LearnerFailed, untrusted
from cambrian.sandbox.session.learner_channel import Diagnosis, LearnerChannel, checked_call
from cambrian.sandbox.session.limits import Limits
from cambrian.sandbox.session.publishing import write

MAX_QUESTIONS = 32
LESSON_LEAST = 1 << 16
"""Bytes from which on a lesson's inputs go by the file: the learner waits for them to come."""
SOON_S = 0.001
"""A lesson that took longer than this is not looked for before it is slept for."""
LONG_S = 0.005
"""A step that takes longer is not waited for so: there the waking up does not count."""
USAGE = Expect(frozenset({Kind.USAGE, Kind.FAILED}), max_meta=4096)
HELD = Expect(frozenset({Kind.HELD, Kind.FAILED}), max_meta=4096)
MAX_STATE = 1 << 26
"""Bytes that a learner may be kept as between two parts of a stream."""


class Listener(Protocol):
    """Told of what came from a learner, once it has been checked."""

    def answer(self, scores: Array) -> None:
        """Scores (B, outputs), in the order in which they came."""

    def given(self, verb: str, array: Array) -> None:
        """What another verb gave back, of the shape and type of its row."""

    def cost(self, cost: Cost) -> None:
        """What the learner's process said it cost."""


class Channel(Exchange, LearnerChannel):
    """One job's channel. Every method raises `LearnerFailed`, or `ChannelClosed` when the other
    end is gone (the session then finds out why)."""

    def __init__(
        self, door: FrameSocket, share: Path, limits: Limits, *, shares_memory: bool = True
    ) -> None:
        super().__init__(door, limits)
        self._bulk = shared_memory.Bulk(share / "data") if shares_memory else None
        self.share = share
        self._rows: dict[str, int] = {}
        self._flops = 0
        self.listener: Listener | None = None

    # -- a learner's job ---------------------------------------------------------------

    def start(self, spec: TaskSpec, seed: int, device: str = "cpu") -> None:
        """Create the learner."""
        self._spec = spec
        self._ask(Kind.START, {"spec": asdict(spec), "seed": seed, "device": device})

    def publish(self, name: str, arrays: Mapping[str, Array]) -> None:
        """Reveal arrays as a read-only mapped file: what is in it is known from now on.

        Inputs are float32, labels and orders int64; the first axis of `x` counts the samples.
        """
        try:
            layout = write(self.share / "data" / name, arrays)
        except OSError as error:
            raise SandboxBroken(f"expected to publish {name!r}; got: {error}") from None
        if "x" in arrays:
            self._rows[name] = len(arrays["x"])
        self._ask(Kind.PUBLISH, {"file": name, "arrays": layout})

    def withdraw(self, name: str) -> None:
        """Take a published file back: it is unlinked here, and the runner lets go of it. What the
        learner has kept for itself counts as its state."""
        (self.share / "data" / name).unlink(missing_ok=True)
        self._rows.pop(name, None)
        self._ask(Kind.WITHDRAW, {"file": name})

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
        """Let the learner observe rows `order[start:stop]` of a published file in batches.

        Yields:
            scores (rows of `probe`, outputs) after every `probe_every` batches and after the
            last, where `probe` names a published file.
        """
        batches = -(-(stop - start) // batch)
        probes = -(-batches // probe_every) if probe else 0
        meta = {"file": name, "start": start, "stop": stop, "batch": batch}
        meta |= {"probe": probe, "probe_every": probe_every, "task": task}
        self._send(Kind.SPAN, meta)
        for _ in range(probes):
            yield self._scores(self._rows[str(probe)])
        self._receive(DONE)

    def observe_and_probe(
        self, steps: Iterable[tuple[Array, Array]], probe: str
    ) -> Iterator[Array]:
        """Batches that are observed one by one, each revealed when the probe after the one before
        has been answered. One round trip per step; what the caller does with the scores takes place
        while the learner works.

        Args:
            steps: inputs x (B, *input_shape), y (B,).
            probe: the name of a published file.

        Yields:
            scores (rows of `probe`, outputs) after each batch.
        """
        asked, rows, took = 0.0, self._rows[probe], 0.0
        for x, y in steps:
            number, place, frames = self._sequence, None, list[memoryview]()
            meta: dict[str, Any] = {"file": probe}
            if self._goes_by_file(x, LESSON_LEAST):
                place, where = self._room(x)
                meta |= where
            else:
                frames = encode(Kind.PRESENT, self._next(), None, x)
            frames += encode(Kind.LESSON, self._next(), meta, y)
            answer = None
            if asked:
                # Looking for an answer that is not due takes time from who works on it.
                answer = self._answer(rows, number, spin_s=SPIN_S if took < SOON_S else 0.0)
                took = time.monotonic() - asked
            if place is not None:  # written only now: what was there has been learned
                np.copyto(place, x)
            self._push(frames)
            asked = time.monotonic()
            if answer is not None:
                yield self._checked(answer)
        if asked:
            yield self._scores(rows)

    def predict(self, x: Array, task: int | None = None) -> Array:
        """Scores (B, outputs) for inputs x (B, *input_shape) that are sent now."""
        self._push(self._asking(x, {"task": task} if task is not None else None))
        return self._scores(len(x))

    def call(self, verb: str, *arrays: Array, **numbers: int | None) -> Array | None:
        """A verb of the table, in one round trip where it gives something back."""
        row = checked_call(self._spec, verb, arrays, numbers)
        told = {name: number for name, number in numbers.items() if number is not None}
        frames = list[memoryview]()
        for array in arrays[:-1]:
            frames += encode(Kind.ARGUMENT, self._next(), None, array)
        meta = {"verb": verb} | ({"numbers": told} if told else {})
        frames += encode(Kind.CALL, self._next(), meta, arrays[-1] if arrays else None)
        self._push(frames)
        if row.answer is None:
            if row.waits:
                self._receive(DONE)
            return None
        rows = len(arrays[0]) if arrays else 0
        shape, dtype = row.answer.shape(self._spec, rows, told), row.answer.dtype(self._spec)
        array = self._array(Expect(ANSWERS, shape, dtype))
        answers.check(row.answer.what, array, self._spec, rows)
        if row.recorded:
            self._tell(verb, array)
        return array

    def predict_copy(self, x: Array) -> Array:
        """Scores (B, outputs) of the adapted copy for inputs x (B, *input_shape)."""
        self._push(self._asking(x, {"copy": True}))
        return self._scores(len(x))

    def discard_copy(self) -> None:
        """Let go of the adapted copy: nothing of it goes back into the learner."""
        self._send(Kind.DISCARD)

    def reveal_and_predict(self, y: Array, x: Array) -> Array:
        """Labels of the inputs sent last, then the next inputs: one round trip for both."""
        reveal = encode(Kind.REVEAL, self._next(), None, y)
        self._push(reveal + self._asking(x))
        return self._scores(len(x))

    def prequential(self, steps: Iterable[tuple[Array, Array]]) -> Iterator[Array]:
        """A stream in which every batch is predicted first and its labels are revealed then.

        One round trip per step; what the caller does with the scores, and the next step's frames,
        take place while the learner works.

        Args:
            steps: inputs (B, *input_shape) and their labels (B,), at least one. The labels are
                sent after the scores for these inputs have come, those of the last step never.

        Yields:
            scores (B, outputs) of each step.
        """
        coming = iter(steps)
        x, y = next(coming)
        self._push(self._asking(x))
        usual = 0.0  # seconds from asking to the answer
        for following in coming:
            asked = time.monotonic()
            revealing = encode(Kind.REVEAL, self._next(), None, y)
            asking = None if self._goes_by_file(following[0]) else self._asking(following[0])
            # The answer to come is the last request's; the frames for the next have their numbers.
            before, nap = 2 if asking else 1, usual - EARLY_S if EARLY_S < usual < LONG_S else 0.0
            scores = self._scores(len(x), self._sequence - before, nap_s=nap)
            usual += (time.monotonic() - asked - usual) / 8
            # The file is written only now: what it held has been answered.
            self._push(revealing + (asking or self._asking(following[0])))
            yield scores
            x, y = following
        yield self._scores(len(x))

    def _asking(self, x: Array, meta: dict[str, Any] | None = None) -> list[memoryview]:
        """The frame that asks for scores of x, which goes in it or, if it is big, by the file."""
        if not self._goes_by_file(x):
            return encode(Kind.PREDICT, self._next(), meta, x)
        place, where = self._room(x)
        np.copyto(place, x)
        return encode(Kind.PREDICT, self._next(), (meta or {}) | where, None)

    def _goes_by_file(self, x: Array, least: int = shared_memory.LEAST) -> bool:
        return self._bulk is not None and x.nbytes >= least and x.dtype == FLOAT

    def _room(self, x: Array) -> tuple[Array, dict[str, Any]]:
        """Where in the file inputs are to be written, and the description of that."""
        if self._bulk is None:
            raise SandboxBroken("expected a folder that the sandbox shares memory with")
        try:
            return self._bulk.place(x)
        except OSError as error:
            raise SandboxBroken(f"expected to write inputs; got: {error}") from None

    def reveal(self, y: Array) -> None:
        """Labels of the inputs sent last. A failure shows at the next request."""
        self._send(Kind.REVEAL, None, y)

    def predict_file(self, name: str, task: int | None = None) -> Array:
        """Scores for all inputs of a published file."""
        self._send(Kind.PREDICT_FILE, {"file": name, "task": task})
        return self._scores(self._rows[name])

    def finish(self) -> Cost:
        """What the learner's process says it cost."""
        self._send(Kind.FINISH)
        cost = self._told(USAGE, claims.cost)
        if cost.flops < self._flops:
            raise LearnerFailed("protocol", f"{cost.flops} FLOPs so far, after {self._flops}")
        self._flops = cost.flops
        if self.listener is not None:
            self.listener.cost(cost)
        return cost

    def save(self) -> bytes:
        """The learner as bytes, never opened on this side; empty where it cannot be kept (then a
        stream that is cut begins again)."""
        self._send(Kind.SAVE, {"limit": MAX_STATE})
        return self._taken(self._told(HELD, claims.size), MAX_STATE).tobytes()

    def load(self, state: bytes) -> None:
        """Let a learner just started be the one that `save` gave bytes of: the same agent's, in the
        same stream."""
        self._send(Kind.LOAD, None, np.frombuffer(state, dtype=np.uint8))
        self._receive(DONE)
        self._flops = 0

    def diagnose(self, name: str, task: int | None = None) -> Diagnosis:
        """What happens inside the network for the inputs of a published file, as its own process
        tells it: for reports, never for a score. Costs what a `predict` costs."""
        self._send(Kind.DIAGNOSE, {"file": name, "task": task})
        told = self._told(HELD, claims.inside)
        sizes = [rows * units for rows, units in told.shapes]
        flat = self._taken(told.size, 4 * sum(sizes))
        with untrusted("what a layer holds"):
            parts = np.split(flat.view(FLOAT), np.cumsum(sizes)[:-1])
            layers = [
                part.reshape(shape)
                for part, shape in zip(parts, told.shapes, strict=False)
                if np.isfinite(part).all()
            ]
        return Diagnosis(layers, told.weight_magnitude, told.weight_norm)

    # -- an improver's job -------------------------------------------------------------

    def improve(
        self, evidence: Mapping[str, Any], ask: Callable[[list[dict[str, str]]], str]
    ) -> dict[str, Any]:
        """Run the improver; `ask` answers its questions and may raise to refuse one.

        Time spent in `ask` does not count against the improver.
        """
        self._send(Kind.IMPROVE, {"evidence": evidence})
        expect = Expect(frozenset({Kind.ASK, Kind.EDIT, Kind.FAILED}), max_meta=1 << 20)
        for _ in range(MAX_QUESTIONS + 1):
            frame = self._receive(expect)
            with untrusted("what the improver sent"):
                if frame.kind is Kind.EDIT:
                    return claims.edit(frame.meta)
                messages = claims.messages(frame.meta)
            asked = self.door.look()
            told = {"text": claims.sendable(ask(messages))}
            self.ends += time.monotonic() - asked
            self.door.rested()
            # An answer, not a request: it has the number of the one that is under way.
            self._push(encode(Kind.TOLD, self._sequence, told, None), early=True)
        raise LearnerFailed("limit", f"the improver asked more than {MAX_QUESTIONS} questions")

    # -- what is believed -------------------------------------------------------------

    def _scores(self, rows: int, sequence: int | None = None, nap_s: float = 0.0) -> Array:
        return self._checked(self._answer(rows, sequence, nap_s))

    def _tell(self, verb: str, array: Array) -> None:
        if self.listener is None:
            return
        if verb == "predict":
            self.listener.answer(array)
        else:
            self.listener.given(verb, array)

    def _checked(self, scores: Array) -> Array:
        answers.check("scores", scores, self._spec)
        self._tell("predict", scores)
        return scores


__all__ = ["Channel", "ChannelClosed", "Cost", "Diagnosis"]
