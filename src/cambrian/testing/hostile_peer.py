"""A learner's end of a channel that sends whatever it likes: for fuzzing, bounded or for hours.

`trials` draws a whole exchange (a verb, what the other end answers to each of its questions, how
the bytes come), `attempt` runs one and says what is wrong with what came out. Nothing here needs a
sandbox or a thread: the peer writes its answer at the moment in which the channel starts to wait.
"""

from __future__ import annotations

import contextlib
import json
import math
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from cambrian.agents.spec import TaskSpec
from cambrian.evaluators.transcript import Transcript
from cambrian.sandbox.runner.descriptions import parse
from cambrian.sandbox.runner.frames import (
    DTYPES,
    HEADER,
    MAGIC,
    ChannelClosed,
    Expect,
    Frame,
    FrameError,
    FrameSocket,
    Kind,
)
from cambrian.sandbox.session.channel import Channel, Cost, Diagnosis
from cambrian.sandbox.session.claims import MAX_COUNT
from cambrian.sandbox.session.failures import CAUSES, LearnerFailed
from cambrian.sandbox.session.limits import Limits
from cambrian.sandbox.session.report import read_report
from cambrian.testing.hostile_descriptions import (
    FITTING,
    FLOATS,
    TAME,
    descriptions,
    encoded,
)

OUTPUTS, ROWS, BATCH = 3, 4, 2
LIMITS = Limits(request_s=0.03, job_s=20.0)
LONGEST_S = 10.0
STREAM = TaskSpec("classification", (2,), OUTPUTS, observations=8, batch_size=BATCH)


@dataclass(frozen=True)
class Reply:
    """One answer, made for what is waited for then, and spoilt.

    Attributes:
        kind: which of the kinds waited for; beyond them any kind there is, or none.
        fill: the values that its tensor repeats.
        header: fields of the header that are something else, by place.
        shift: added to the sequence number.
        cut, tail: bytes kept of the frame; bytes after it. `copies` of it come.
        after: "open", "closed" or "gone": whether more could come.
    """

    kind: int
    meta: bytes
    tensor: bool
    fill: tuple[float, ...]
    header: Mapping[int, int]
    shift: int = 0
    cut: int | None = None
    tail: bytes = b""
    copies: int = 1
    after: str = "closed"

    def raw(self, expect: Expect, sequence: int) -> bytes:
        """The bytes for what is expected."""
        kinds = sorted(expect.kinds, key=lambda kind: (kind is Kind.FAILED, kind))
        kind = int(kinds[self.kind]) if self.kind < len(kinds) else self.kind * 7 % 256
        body, code, ndim, dims = b"", 0, 0, [0, 0, 0, 0]
        if self.tensor and expect.shape is not None and expect.dtype is not None:
            count = math.prod(expect.shape)
            if count <= 1 << 16:
                filled = np.resize(np.array(self.fill), count)
                with np.errstate(all="ignore"):
                    body = filled.astype(expect.dtype, copy=True).tobytes()
            code, ndim = DTYPES.index(expect.dtype) + 1, len(expect.shape)
            dims[:ndim] = expect.shape
        fields = [MAGIC, kind, code, ndim, 0, (sequence + self.shift) % 2**32, len(self.meta)]
        fields += [len(body), *dims]
        for place, value in self.header.items():
            fields[place] = value
        frame = HEADER.pack(*fields) + self.meta + body
        return (frame[: self.cut] + self.tail) * self.copies


seldom = st.integers(0, 9).map(lambda n: n == 0)
_FIELDS = dict(zip((1, 2, 3, 4, 5, 6, 7), (8, 8, 8, 8, 32, 32, 64), strict=True))
_FIELDS |= dict.fromkeys(range(8, 12), 32)
"""Fields of the header by place, and their bits."""
changes = st.dictionaries(
    st.sampled_from(sorted(_FIELDS)), st.integers(0, 2**64 - 1), min_size=1, max_size=2
).map(lambda found: {place: value % 2 ** _FIELDS[place] for place, value in found.items()})
nothing: dict[int, int] = {}
rarely_changed = st.just(nothing) | st.just(nothing) | st.just(nothing) | changes


def _replies(
    honest: st.SearchStrategy[bytes], fitting: st.SearchStrategy[bytes]
) -> st.SearchStrategy[list[Reply]]:
    """Some answers as they should be, then some of which nobody knows."""
    whole = st.builds(
        Reply,
        kind=st.sampled_from((0, 0, 0, 0, 1)),
        meta=honest | honest | fitting,
        tensor=st.just(True),
        fill=st.lists(st.sampled_from(FLOATS[:8]), min_size=1, max_size=3).map(tuple),
        header=st.just({}),
        after=st.just("open"),
    )
    any_at_all = st.builds(
        Reply,
        kind=st.integers(0, 2) | st.integers(0, 60),
        meta=fitting | descriptions,
        tensor=st.booleans(),
        fill=st.lists(st.sampled_from(FLOATS), min_size=1, max_size=3).map(tuple),
        header=rarely_changed,
        shift=st.just(0) | st.just(0) | st.just(0) | st.integers(-2, 2),
        cut=st.none() | st.none() | st.none() | st.integers(0, 200),
        tail=st.just(b"") | st.just(b"") | st.binary(max_size=60),
        copies=st.just(1) | st.just(1) | st.integers(0, 3),
        after=st.sampled_from(("open", "closed", "closed", "gone")),
    )
    both = st.tuples(st.lists(whole, max_size=4), st.lists(any_at_all, max_size=2))
    return both.map(lambda found: [*found[0], *found[1]])


# -- the two ends -------------------------------------------------------------------------


class Wire:
    """A socket that gives at most `most` bytes at a time, and may take none (`deaf`)."""

    def __init__(self, near: socket.socket, most: int, *, deaf: bool) -> None:
        self._near, self._most, self._deaf = near, most, deaf
        self.last = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._near, name)

    def recv_into(self, view: memoryview) -> int:
        """Bytes read into the view, at most `most`."""
        return self._near.recv_into(view[: self._most])

    def sendmsg(self, parts: list[memoryview], _: object = (), flags: int = 0) -> int:
        """Note the sequence number of what is sent, and take all of it unless deaf."""
        for part in parts:
            if part[:4] == MAGIC:
                self.last = int(HEADER.unpack(part[: HEADER.size])[5])
        if self._deaf:
            return self._near.sendmsg(parts, (), flags)
        return sum(map(len, parts))


class Door(FrameSocket):
    """The trusted end; the peer answers when an answer is waited for."""

    def __init__(self, replies: list[Reply], most: int, *, deaf: bool) -> None:
        near, self.peer = socket.socketpair()
        self.wire = Wire(near, most, deaf=deaf)
        super().__init__(self.wire)  # type: ignore[arg-type]
        self.peer.setblocking(False)
        self._replies = list(replies)

    def receive(
        self, expect: Expect, *, deadline: float | None = None, spin_s: float = 0.0
    ) -> Frame:
        if not self._replies:
            self.peer.close()
        elif self.peer.fileno() >= 0:
            reply = self._replies.pop(0)
            with contextlib.suppress(OSError):  # more than the socket holds
                self.peer.send(reply.raw(expect, self.wire.last))
            if reply.after == "closed":
                self.peer.shutdown(socket.SHUT_WR)
            elif reply.after == "gone":
                self.peer.close()
        return super().receive(expect, deadline=deadline, spin_s=0.0)

    def close(self) -> None:
        self.peer.close()
        super().close()


@dataclass(frozen=True)
class Trial:
    """An exchange: a verb of `VERBS`, the answers to its questions, and how the bytes come."""

    verb: str
    replies: list[Reply] = field(repr=False)
    most: int
    deaf: bool


X, Y = np.zeros((BATCH, 2), np.float32), np.zeros(BATCH, np.int64)
FAR = np.zeros((6000, 10), np.float32)
STEPS = [(X, Y)] * 3


def _copy(channel: Channel) -> object:
    channel.adapt(X, Y, 3)
    found = channel.predict_copy(X)
    channel.discard_copy()
    channel.new_episode()
    return found


def _series(channel: Channel) -> object:
    channel.reveal(Y)
    return [channel.reveal_and_predict(Y, X), channel.predict(X, 1)]


def _files(channel: Channel) -> object:
    channel.publish("p", {"x": X, "y": Y, "order": Y})
    found = channel.predict_file("p", 2)
    channel.withdraw("p")
    return found


VERBS: dict[str, Callable[[Channel], object]] = {
    "start": lambda channel: channel.start(STREAM, 1),
    "files": _files,
    "span": lambda channel: list(channel.span("t", 0, 6, 2, probe="probe", probe_every=2)),
    "observe_and_probe": lambda channel: list(channel.observe_and_probe(STEPS, "probe")),
    "predict": lambda channel: channel.predict(X),
    "predict much": lambda channel: channel.predict(FAR),
    "copy": _copy,
    "prequential": lambda channel: list(channel.prequential(STEPS)),
    "series": _series,
    "predict_file": lambda channel: channel.predict_file("probe"),
    "boundary": lambda channel: channel.task_boundary(),
    "finish": lambda channel: [channel.usage(), channel.finish()],
    "save": lambda channel: channel.save(),
    "load": lambda channel: channel.load(b"abc"),
    "diagnose": lambda channel: channel.diagnose("probe", 1),
    "improve": lambda channel: channel.improve({"a": 1}, lambda _: "so \ud800"),
}
"""Every verb of a channel."""

REPLIES = {
    verb: _replies(encoded(TAME.get(verb, st.just(""))), encoded(FITTING.get(verb, st.just(""))))
    for verb in VERBS
}
trials = st.sampled_from(sorted(VERBS)).flatmap(
    lambda verb: st.builds(
        Trial,
        verb=st.just(verb),
        replies=REPLIES[verb],
        most=st.sampled_from((1, 7, 1 << 16, 1 << 16)),
        deaf=seldom,
    )
)


def honest(verb: str, **spoilt: Any) -> Trial:
    """The exchange of a learner that does as it should, but for the fields of `spoilt`."""
    words = _HONEST.get(verb, b"")
    kinds = (0, 1) if verb == "improve" else (0,) * 12
    told = [Reply(kind, words, True, (1.0,), nothing, after="open") for kind in kinds]
    return Trial(verb, [replace(one, **spoilt) for one in told], 1 << 16, deaf=False)


_HONEST = {
    "finish": b'{"flops":17,"state_bytes":1}',
    "save": b'{"bytes":4}',
    "diagnose": b'{"bytes":16,"layers":[[4,1]],"weight_magnitude":1,"weight_norm":1}',
    "improve": b'{"messages":[{"role":"user","content":"how?"}],"edit":{"title":"so","files":{}}}',
}


@dataclass(frozen=True)
class Found:
    """What an exchange came to ("answered", "closed" or a failure's cause), and what is wrong with
    that ("" if nothing is)."""

    outcome: str
    wrong: str = ""


def attempt(trial: Trial, share: Path) -> Found:
    """Run an exchange.

    Whatever is raised but what a channel promises to raise goes through: that is a finding too.
    """
    door = Door(trial.replies, trial.most, deaf=trial.deaf)
    channel = Channel(door, share, LIMITS, shares_memory=False)
    channel._spec, channel._rows = STREAM, {"probe": ROWS, "t": ROWS}
    channel.listener = transcript = Transcript(STREAM)
    began, found, outcome = time.monotonic(), None, "answered"
    try:
        found = VERBS[trial.verb](channel)
    except ChannelClosed:
        outcome = "closed"
    except LearnerFailed as failure:
        outcome = failure.cause
        if outcome not in CAUSES or not _showable(str(failure) + failure.trace):
            return Found(outcome, f"a failure that cannot be stored: {failure!r:.200}")
    finally:
        door.close()
    took = time.monotonic() - began - door.stood_s
    if took > LONGEST_S:
        return Found(outcome, f"{trial.verb} took {took:.1f} s")
    transcript.packed()
    return Found(outcome, "" if _sound(found) else f"{trial.verb} gave {found!r:.300}")


def report_of(meta: bytes) -> str:
    """What is wrong with what is made of such a report of the zygote's."""
    try:
        report = read_report(Frame(Kind.REPORT, 1, parse(meta)), 1)
    except (FrameError, ValueError):  # no report, or no description of one
        return ""
    plain = _sound([report.exit, report.cpu_s, report.peak_bytes, report.output_bytes])
    return "" if plain and _showable(report.output + report.ended) else f"{report!r:.300}"


def _showable(text: str) -> bool:
    text.encode("utf-8")
    return all(character.isprintable() or character in "\n\t" for character in text)


def _sound(found: object) -> bool:
    """Whether what came through is such as everybody may go on with."""
    if found is None or isinstance(found, bool):
        return True
    if isinstance(found, bytes):
        return len(found) <= 1 << 26
    if isinstance(found, int):
        return -(2**63) <= found < 2**63
    if isinstance(found, float):
        return math.isfinite(found)
    if isinstance(found, str):
        return found.encode("utf-8") is not None
    if isinstance(found, np.ndarray):
        return bool(np.isfinite(found).all()) and found.dtype == np.float32
    if isinstance(found, Cost):
        return 0 <= found.flops <= MAX_COUNT and 0 <= found.state_bytes <= MAX_COUNT
    if isinstance(found, Diagnosis):
        told = [found.weight_magnitude, found.weight_norm]
        with np.errstate(over="raise"):
            return _sound(np.array(told).astype(np.float32)) and _sound(list(found.layers))
    if isinstance(found, dict):
        json.dumps(found, allow_nan=False)
        return all(map(_sound, found.keys())) and all(map(_sound, found.values()))
    return isinstance(found, list) and all(map(_sound, found))
