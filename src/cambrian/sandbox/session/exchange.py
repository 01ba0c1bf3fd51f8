"""One exchange with a job: a request, the answer that was agreed on, and a deadline over both.

Nothing here knows what is asked: `Channel` does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np

from cambrian.agents.spec import TaskSpec
from cambrian.sandbox.runner.frames import (
    Array,
    DeadlinePassed,
    Expect,
    Frame,
    FrameError,
    FrameSocket,
    Kind,
    encode,
)
from cambrian.sandbox.session import claims
from cambrian.sandbox.session.failures import CONTENT, LearnerFailed, untrusted
from cambrian.sandbox.session.limits import Limits

FLOAT = np.dtype("<f4")
SPIN_S = 0.0001
"""How long to look for an answer before sleeping: a fast learner's comes sooner than a wake-up."""
EARLY_S = 0.0003
"""How long before a step's usual end a nap ends, so that the waking up is over by then."""
DONE = Expect(frozenset({Kind.DONE, Kind.FAILED}))
ANSWERS = frozenset({Kind.ANSWER, Kind.FAILED})
NO_SPEC = TaskSpec("classification", (0,), 0)
T = TypeVar("T")


class Exchange:
    """The trusted end of a socket over which one job is asked, request by request."""

    def __init__(self, door: FrameSocket, limits: Limits) -> None:
        self.door = door
        self.limits = limits
        self.ends = time.monotonic() + limits.job_s
        self._sequence = 0
        self._spec = NO_SPEC

    def _ask(self, kind: Kind, meta: dict[str, Any] | None = None) -> Frame:
        self._send(kind, meta)
        return self._receive(DONE)

    def _next(self) -> int:
        self._sequence += 1
        return self._sequence

    def _send(
        self, kind: Kind, meta: dict[str, Any] | None = None, array: Array | None = None
    ) -> None:
        self._push(encode(kind, self._next(), meta, array))

    def _push(self, frames: list[memoryview], *, early: bool = False) -> None:
        """Send requests; nothing may wait to be read then, unless `early`."""
        if not early and self.door.pending():
            raise LearnerFailed("protocol", "an answer came before the question")
        try:
            self.door.send_encoded(frames, deadline=self._deadline())
        except DeadlinePassed:
            raise LearnerFailed("timeout", "the learner did not take its input in time") from None

    def _receive(
        self,
        expect: Expect,
        sequence: int | None = None,
        nap_s: float = 0.0,
        spin_s: float = SPIN_S,
    ) -> Frame:
        if nap_s:
            time.sleep(nap_s)
            spin_s += 2 * EARLY_S
        try:
            frame = self.door.receive(expect, deadline=self._deadline(), spin_s=spin_s)
        except DeadlinePassed:
            raise LearnerFailed("timeout", self._late()) from None
        except FrameError as error:
            raise LearnerFailed("protocol", str(error)) from None
        except CONTENT as error:
            raise LearnerFailed("protocol", f"no frame: {type(error).__name__}") from error
        if frame.sequence != (self._sequence if sequence is None else sequence):
            raise LearnerFailed("protocol", "an answer to another question")
        if frame.kind is Kind.FAILED:
            with untrusted("why it failed"):
                failure = claims.failure(frame.meta)
            raise failure
        return frame

    def _told(self, expect: Expect, read: Callable[[Mapping[str, Any]], T]) -> T:
        """What `read` makes of the description of the frame that comes."""
        frame = self._receive(expect)
        with untrusted(f"the description of {frame.kind.name}"):
            return read(frame.meta)

    def _answer(
        self, rows: int, sequence: int | None = None, nap_s: float = 0.0, spin_s: float = SPIN_S
    ) -> Array:
        """Scores of the right shape and type; their values are yet to be checked."""
        shape = self._spec.scores_shape(rows)
        return self._array(Expect(ANSWERS, shape, FLOAT), sequence, nap_s, spin_s)

    def _array(
        self,
        expect: Expect,
        sequence: int | None = None,
        nap_s: float = 0.0,
        spin_s: float = SPIN_S,
    ) -> Array:
        frame = self._receive(expect, sequence, nap_s, spin_s)
        if frame.array is None:
            raise LearnerFailed("protocol", f"expected an array {expect.shape}, got none")
        return frame.array

    def _deadline(self) -> float:
        """Of the next exchange. Time in which this side did not run or had other things to do than
        to wait is nobody's: `FrameSocket.stood_s`."""
        now = self.door.look()
        return min(self.ends + self.door.stood_s, now + self.limits.request_s)

    def _late(self) -> str:
        if time.monotonic() >= self.ends + self.door.stood_s:
            return f"the job took longer than {self.limits.job_s:g} s"
        return f"no answer within {self.limits.request_s:g} s"

    def _taken(self, size: int, limit: int) -> Array:
        """What the other side holds, of the size that it gave and at most `limit` bytes."""
        if size > limit:
            raise LearnerFailed("protocol", f"expected at most {limit} bytes, got {size}")
        self._send(Kind.TAKE)
        expect = Expect(frozenset({Kind.BLOB, Kind.FAILED}), (size,), np.dtype("u1"))
        array = self._receive(expect).array
        if array is None:
            raise LearnerFailed("protocol", f"expected {size} bytes, got none")
        return array
