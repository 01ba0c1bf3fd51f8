"""The frames that cross the sandbox's only door, in both directions.

A frame is a fixed header, a small JSON object (see `descriptions`), and at
most one raw tensor::

    magic "CBR1" | type u8 | dtype u8 | ndim u8 | 0 | sequence u32 | meta u32 | payload u64 | dims

The set of types and dtypes is closed, every size is bounded and checked before anything is
allocated, and nothing is ever unpickled. An answer carries its request's sequence number.

Used on both sides, so: standard library and numpy only.
"""

from __future__ import annotations

import json
import math
import os
import select
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cambrian.sandbox.runner.descriptions import parse

Array = NDArray[Any]

MAGIC = b"CBR1"
HEADER = struct.Struct("<4sBBBBIIQ4I")
MAX_META = 1 << 20
MAX_PAYLOAD = 1 << 28
MAX_DIMS = 4
BUFFER = 1 << 16
"""Bytes that are read at once: most frames, header and tensor together, in one system call."""
TICK_S = 1.0
"""The longest that is slept at once in a wait, so that a standstill is told from a long wait."""
STANDSTILL_S = 1.0
"""A process that wakes up so much later than it asked to was stopped, or had no processor."""
LAST_LOOK_S = 1.0
"""After a deadline, what lies there is still taken, without waiting for more, for so long."""


class Kind(IntEnum):
    """Every frame there is. Below 64: to the sandbox. From 64: out of it."""

    START = 1  # meta: spec, seed, device      create the learner            -> DONE
    PUBLISH = 2  # meta: file, arrays          a file has been revealed      -> DONE
    SPAN = 3  # meta: file, range, probes      observe many batches          -> ANSWER*, DONE
    PRESENT = 4  # tensor: x                   inputs, no answer wanted      -> nothing
    REVEAL = 5  # tensor: y                    observe(last x, y)            -> nothing
    PREDICT = 6  # tensor: x; meta: task, copy                               -> ANSWER
    PREDICT_FILE = 7  # meta: file                                           -> ANSWER
    FINISH = 9  #                              what did it cost?             -> USAGE
    IMPROVE = 10  # meta: evidence             run the improver              -> ASK*, EDIT
    TOLD = 11  # meta: text                    what the model answered       -> (goes on)
    JOB = 12  # meta: socket, mode             control: connect and fork     -> READY, REPORT
    END = 13  #                                control: end the running job  -> REPORT
    WITHDRAW = 14  # meta: file                a file is gone: let go of it  -> DONE
    DISCARD = 16  #                            let go of the copy            -> nothing
    LESSON = 18  # tensor: y; meta: file       observe(last x, y), PREDICT_FILE -> ANSWER
    ARGUMENT = 19  # tensor                    goes with the next CALL       -> nothing
    SAVE = 20  # meta: limit                   hold the learner as bytes     -> HELD
    LOAD = 21  # tensor: bytes                 be the learner of these       -> DONE
    DIAGNOSE = 22  # meta: file, task          hold a layer's activations    -> HELD
    TAKE = 23  #                               what is held                  -> BLOB
    CALL = 24  # tensor; meta: verb, numbers   a verb of the table  -> ANSWER, DONE or nothing

    DONE = 64
    ANSWER = 65  # tensor: scores (B, outputs) float32, or what the verb gives
    USAGE = 66  # meta: flops, state_bytes
    FAILED = 67  # meta: kind, message, trace
    ASK = 68  # meta: messages
    EDIT = 69  # meta: edit
    READY = 70  # control: the zygote waits for a job
    REPORT = 71  # control: how the job's process ended
    HELD = 72  # meta: bytes, ...
    BLOB = 73  # tensor: bytes u1


DTYPES: tuple[np.dtype[Any], ...] = (
    np.dtype("<f4"),
    np.dtype("<i8"),
    np.dtype("<i4"),
    np.dtype("u1"),
)
_CODES = {dtype: code for code, dtype in enumerate(DTYPES, start=1)}
_KINDS = {int(kind): kind for kind in Kind}


class FrameError(Exception):
    """The other side sent something that is no frame, or not the one expected."""


class DeadlinePassed(Exception):
    """The other side did not send a whole frame in time."""


class ChannelClosed(Exception):
    """The other side is gone."""


@dataclass(frozen=True)
class Expect:
    """What a frame may be, known before it arrives.

    Attributes:
        kinds: allowed frame types.
        shape, dtype: of the tensor, if the frame carries one; exactly these. Without a shape
            no tensor is allowed.
        max_meta: bytes of JSON allowed.
        any_tensor: any tensor within the bounds is allowed (inside the sandbox, where the other
            side is trusted).
    """

    kinds: frozenset[Kind]
    shape: tuple[int, ...] | None = None
    dtype: np.dtype[Any] | None = None
    max_meta: int = 1 << 16
    any_tensor: bool = False


@dataclass(slots=True)
class Frame:
    """A frame that was received and checked.

    Attributes:
        sequence: of the request that it is, or answers.
        array: its tensor, of a type out of `DTYPES` and 1 to 4 dimensions; None without one.
    """

    kind: Kind
    sequence: int
    meta: dict[str, Any] = field(default_factory=dict)
    array: Array | None = None


class FrameSocket:
    """Frames over a connected stream socket. Not for use from several threads at once.

    The socket is non-blocking and read through a small buffer: a round trip is a few microseconds
    of work, so the system calls and the waking up are what it costs.

    A deadline is of time in which this side ran: one that was stopped (a suspended virtual machine,
    SIGSTOP) takes what came meanwhile, and waits for the rest of the time that was left.

    Attributes:
        stood_s: seconds that this side stood still or was busy elsewhere, as far as it noticed.
        watch: called once a second while nothing comes.
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.socket = sock
        self.stood_s = 0.0
        self.watch: Callable[[], None] | None = None
        self._until = math.inf
        self._seen = time.monotonic()
        self._buffer = memoryview(bytearray(BUFFER))
        self._start = self._end = 0
        self._readable = select.poll()
        self._readable.register(sock, select.POLLIN)
        self._writable = select.poll()
        self._writable.register(sock, select.POLLOUT)

    def fileno(self) -> int:
        """The socket's descriptor, for `select`."""
        return self.socket.fileno()

    def close(self) -> None:
        """Hang up; the other side gets `ChannelClosed`."""
        self.socket.close()

    def buffered(self) -> bool:
        """Whether something was read already: waiting for the socket alone would miss it."""
        return self._start < self._end

    def pending(self) -> bool:
        """Whether bytes wait to be read (before a request there must be none)."""
        if self.buffered():
            return True
        try:
            return bool(self.socket.recv(1, socket.MSG_PEEK))
        except OSError:
            return False

    def look(self, asked_s: float = 0.0) -> float:
        """The time (of `time.monotonic`). What went by since the last look, beyond the `asked_s`
        that were slept on purpose, is added to `stood_s` if it is too long for work of our own."""
        now = time.monotonic()
        late = now - self._seen - asked_s
        if late > STANDSTILL_S:
            self.stood_s += late
            self._until += late
        self._seen = now
        return now

    def rested(self) -> None:
        """What went by since the last look has been accounted for."""
        self._seen = time.monotonic()

    def send(
        self,
        kind: Kind,
        sequence: int,
        meta: dict[str, Any] | None = None,
        array: Array | None = None,
        *,
        deadline: float | None = None,
    ) -> None:
        """Send one frame.

        Raises:
            ChannelClosed, DeadlinePassed; ValueError for what could never be received.
        """
        self.send_encoded(encode(kind, sequence, meta, array), deadline=deadline)

    def send_encoded(self, parts: list[memoryview], *, deadline: float | None = None) -> None:
        """Send the buffers of one frame or of several, as `encode` made them.

        Raises:
            ChannelClosed, DeadlinePassed.
        """
        self._until, self._seen = _end_of(deadline), time.monotonic()
        while parts:
            try:
                sent = self.socket.sendmsg(parts, (), socket.MSG_NOSIGNAL)
            except BlockingIOError:
                if not self._wait(self._writable):
                    raise DeadlinePassed("the frame could not be sent in time") from None
                continue
            except OSError as error:
                raise ChannelClosed(str(error)) from None
            parts = _drop(parts, sent)

    def receive(
        self, expect: Expect, *, deadline: float | None = None, spin_s: float = 0.0
    ) -> Frame:
        """Receive one whole frame before `deadline` (of `time.monotonic`).

        For up to `spin_s` seconds it looks again and again before it sleeps, giving way to whoever
        has work to do: being woken takes longer than the other side's work between two steps.

        Raises:
            FrameError: no frame, or none of those expected; nothing was allocated for it.
            ChannelClosed, DeadlinePassed.
        """
        self._until, self._seen = _end_of(deadline), time.monotonic()
        spin_until = self._seen + spin_s if spin_s else 0.0
        while self._end - self._start < HEADER.size:
            self._read(spin_until)
        header = self._buffer[self._start : self._start + HEADER.size]
        self._start += HEADER.size
        kind, sequence, meta_size, dtype, shape, payload = _check(header, expect)
        meta = self._meta(meta_size) if meta_size else {}
        array: Array | None = None
        if dtype is not None:
            array = np.empty(shape, dtype)
            if payload:
                self._fill(array.data.cast("B"))
        return Frame(kind, sequence, meta, array)

    def _meta(self, size: int) -> dict[str, Any]:
        raw = bytearray(size)
        self._fill(memoryview(raw))
        try:
            return parse(bytes(raw))
        except ValueError as error:
            raise FrameError(str(error)) from None

    def _read(self, spin_until: float) -> None:
        """Read what there is into the buffer, at least one byte."""
        if self._start:
            left = self._end - self._start
            self._buffer[:left] = self._buffer[self._start : self._end]
            self._start, self._end = 0, left
        self._end += self._receive_into(self._buffer[self._end :], spin_until)

    def _fill(self, view: memoryview) -> None:
        done = min(len(view), self._end - self._start)
        view[:done] = self._buffer[self._start : self._start + done]
        self._start += done
        while done < len(view):
            done += self._receive_into(view[done:])

    def _receive_into(self, view: memoryview, spin_until: float = 0.0) -> int:
        while True:
            try:
                count = self.socket.recv_into(view)
            except BlockingIOError:
                if spin_until and time.monotonic() < spin_until:
                    os.sched_yield()  # whoever has work to do goes first
                    continue
                if not self._wait(self._readable):
                    raise DeadlinePassed("no whole frame came in time") from None
                continue
            except OSError as error:
                raise ChannelClosed(str(error)) from None
            if count == 0:
                raise ChannelClosed("the other side closed the channel")
            if self.look() >= self._until + LAST_LOOK_S:  # bytes that never end
                raise DeadlinePassed("no whole frame came in time")
            return count

    def _wait(self, poll: select.poll) -> bool:
        """Sleep until the socket is ready; False when the deadline came first, and nothing lies
        there."""
        if self._until == math.inf:
            return bool(poll.poll())
        while True:
            left = self._until - self.look()
            if left <= 0:
                return left > -LAST_LOOK_S and bool(poll.poll(0))
            asked = min(left, TICK_S)
            ready = bool(poll.poll(math.ceil(asked * 1000)))
            self.look(asked)
            if ready:
                return True
            if self.watch is not None:
                self.watch()


def _end_of(deadline: float | None) -> float:
    return math.inf if deadline is None else deadline


def encode(
    kind: Kind, sequence: int, meta: dict[str, Any] | None, array: Array | None
) -> list[memoryview]:
    """The buffers of a frame, in order; `array` may have any shape of 1 to `MAX_DIMS` dimensions.

    Raises:
        ValueError: a type out of `DTYPES` is expected, and sizes within the bounds.
    """
    text = json.dumps(meta, allow_nan=False, separators=(",", ":")).encode() if meta else b""
    if len(text) > MAX_META:
        raise ValueError(f"a frame's description holds at most {MAX_META} bytes, not {len(text)}")
    if array is None:
        header = HEADER.pack(MAGIC, kind, 0, 0, 0, sequence, len(text), 0, 0, 0, 0, 0)
        return [memoryview(header + text)]
    array = np.ascontiguousarray(array)
    code = _CODES.get(array.dtype)
    if code is None or not 1 <= array.ndim <= MAX_DIMS or array.nbytes > MAX_PAYLOAD:
        raise ValueError(f"no frame carries {array.dtype} of shape {array.shape}")
    dims = list(array.shape) + [0] * (MAX_DIMS - array.ndim)
    header = HEADER.pack(MAGIC, kind, code, array.ndim, 0, sequence, len(text), array.nbytes, *dims)
    parts = [memoryview(header + text)]
    if array.nbytes:
        parts.append(array.data.cast("B"))
    return parts


def _check(
    header: memoryview, expect: Expect
) -> tuple[Kind, int, int, np.dtype[Any] | None, tuple[int, ...], int]:
    magic, number, code, ndim, zero, sequence, meta, payload, *dims = HEADER.unpack(header)
    if magic != MAGIC or zero:
        raise FrameError("not a frame")
    kind = _KINDS.get(number)
    if kind is None:
        raise FrameError(f"unknown frame type {number}")
    if kind not in expect.kinds:
        wanted = " or ".join(sorted(k.name for k in expect.kinds))
        raise FrameError(f"expected {wanted}, got {kind.name}")
    if meta > min(expect.max_meta, MAX_META):
        raise FrameError(f"{kind.name} describes itself in {meta} bytes, over the limit")
    if code == 0:
        if ndim or payload or any(dims):
            raise FrameError(f"{kind.name} has a payload but no type")
        return kind, sequence, meta, None, (), 0
    if code > len(DTYPES) or not 1 <= ndim <= MAX_DIMS or any(dims[ndim:]):
        raise FrameError(f"{kind.name} carries a tensor of no known type or shape")
    dtype, shape = DTYPES[code - 1], tuple(dims[:ndim])
    if expect.shape is None and not expect.any_tensor:
        raise FrameError(f"{kind.name} carries a tensor where none was asked for")
    if expect.shape is not None and shape != expect.shape:
        raise FrameError(f"expected a tensor of shape {expect.shape}, got {shape}")
    if expect.dtype is not None and dtype != expect.dtype:
        raise FrameError(f"expected a tensor of {expect.dtype}, got {dtype}")
    if payload > MAX_PAYLOAD or payload != math.prod(shape) * dtype.itemsize:
        raise FrameError(f"{kind.name} carries {payload} bytes for a tensor of shape {shape}")
    return kind, sequence, meta, dtype, shape, payload


def _drop(parts: list[memoryview], sent: int) -> list[memoryview]:
    while parts and sent >= len(parts[0]):
        sent -= len(parts[0])
        parts = parts[1:]
    if sent:
        parts = [parts[0][sent:], *parts[1:]]
    return parts
