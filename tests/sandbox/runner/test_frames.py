"""The codec: garbage costs nothing and raises nothing but its own errors."""

from __future__ import annotations

import socket
import struct
import time
import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cambrian.sandbox.runner.descriptions import MAX_DEPTH
from cambrian.sandbox.runner.frames import (
    DTYPES,
    HEADER,
    MAGIC,
    ChannelClosed,
    DeadlinePassed,
    Expect,
    FrameError,
    FrameSocket,
    Kind,
)

ANSWER = Expect(frozenset({Kind.ANSWER, Kind.FAILED}), (3, 2), np.dtype("<f4"))
ANY = Expect(frozenset(Kind), any_tensor=True, max_meta=1 << 20)
TENSORS = st.sampled_from(DTYPES).flatmap(
    lambda dtype: arrays.arrays(dtype, arrays.array_shapes(max_dims=4, min_side=0, max_side=4))
)
JSON = st.dictionaries(
    st.text(max_size=5),
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3),
        max_leaves=6,
    ),
    max_size=4,
)


class Pair:
    """Two ends; `raw` writes bytes to the first one's other end."""

    def __init__(self) -> None:
        near, self.raw = socket.socketpair()
        self.near, self.far = FrameSocket(near), FrameSocket(self.raw)

    def __enter__(self) -> Pair:
        return self

    def __exit__(self, *_: object) -> None:
        self.near.close()
        self.raw.close()


@pytest.fixture
def pair() -> Iterator[Pair]:
    with Pair() as both:
        yield both


def _header(kind: int, dtype: int, ndim: int, meta: int, payload: int, *dims: int) -> bytes:
    padded = (*dims, *(4 - len(dims)) * (0,))
    return HEADER.pack(MAGIC, kind, dtype, ndim, 0, 1, meta, payload, *padded)


@given(st.sampled_from(Kind), st.integers(0, 2**32 - 1), JSON, TENSORS)
@settings(max_examples=60, deadline=None)
def test_what_is_sent_is_received(kind: Kind, number: int, meta: dict[str, Any], x: Any) -> None:
    with Pair() as pair:
        pair.far.send(kind, number, meta, x)
        frame = pair.near.receive(ANY, deadline=time.monotonic() + 5)
    assert (frame.kind, frame.sequence, frame.meta) == (kind, number, meta)
    assert frame.array is not None
    assert frame.array.dtype == x.dtype
    assert np.array_equal(frame.array, x, equal_nan=x.dtype.kind == "f")


@given(st.binary(max_size=300) | st.binary(max_size=80).map(lambda tail: MAGIC + tail))
@settings(max_examples=150, deadline=None)
def test_garbage_raises_nothing_but_the_codecs_own_errors(data: bytes) -> None:
    with Pair() as pair:
        pair.raw.sendall(data)
        pair.raw.shutdown(socket.SHUT_WR)
        with pytest.raises((FrameError, ChannelClosed, DeadlinePassed)):
            for _ in range(10):
                pair.near.receive(ANSWER, deadline=time.monotonic() + 5)


@given(
    st.integers(0, 255),
    st.integers(0, 8),
    st.integers(0, 8),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**64 - 1) | st.sampled_from([24, 1 << 28, 1 << 40]),
    st.lists(st.integers(0, 2**32 - 1) | st.sampled_from([3, 2]), min_size=4, max_size=4),
)
@settings(max_examples=150, deadline=None)
def test_no_header_makes_the_host_allocate(
    kind: int, dtype: int, ndim: int, meta: int, payload: int, dims: list[int]
) -> None:
    with Pair() as pair:
        pair.raw.sendall(_header(kind, dtype, ndim, meta, payload, *dims))
        pair.raw.shutdown(socket.SHUT_WR)
        tracemalloc.start()
        try:
            pair.near.receive(ANSWER, deadline=time.monotonic() + 5)
        except (FrameError, ChannelClosed):
            pass
        finally:
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
    assert peak < 1 << 20


@pytest.mark.parametrize(
    "raw",
    [
        b"[]",
        b"{",
        b'{"a": "\\ud800"}',
        b'{"a": "\xed\xa0\x80"}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a":' + b"[" * 60_000,
        b"\xff\xfe{\x00}\x00",
    ],
    ids=["list", "cut", "surrogate", "raw-surrogate", "huge-number", "deep", "utf-16"],
)
def test_a_description_is_a_plain_json_object(raw: bytes, pair: Pair) -> None:
    pair.raw.sendall(_header(Kind.FAILED, 0, 0, len(raw), 0) + raw)
    with pytest.raises(FrameError, match="JSON"):
        pair.near.receive(ANSWER, deadline=time.monotonic() + 5)


def test_a_description_is_shallow_so_that_nobody_recurses_far_over_it(pair: Pair) -> None:
    for depth in (MAX_DEPTH - 1, MAX_DEPTH, 900):
        raw = b'{"a":' + b"[" * depth + b"]" * depth + b',"b":[[],[],{}]}'
        pair.raw.sendall(_header(Kind.FAILED, 0, 0, len(raw), 0) + raw)
        if depth < MAX_DEPTH:
            assert pair.near.receive(ANSWER, deadline=time.monotonic() + 5).meta["b"]
            continue
        with pytest.raises(FrameError, match="levels deep"):
            pair.near.receive(ANSWER, deadline=time.monotonic() + 5)


def test_a_frame_without_an_asked_for_tensor_may_carry_none(pair: Pair) -> None:
    pair.far.send(Kind.DONE, 1, None, np.zeros((3, 2), np.float32))
    with pytest.raises(FrameError, match="none was asked for"):
        pair.near.receive(Expect(frozenset({Kind.DONE})), deadline=time.monotonic() + 5)


@pytest.mark.parametrize(
    ("shape", "dtype"), [((2, 3), "<f4"), ((3, 2), "<i4"), ((6,), "<f4"), ((3, 2, 1), "<f4")]
)
def test_only_the_expected_shape_and_type_are_taken(
    shape: tuple[int, ...], dtype: str, pair: Pair
) -> None:
    pair.far.send(Kind.ANSWER, 1, None, np.zeros(shape, dtype))
    with pytest.raises(FrameError, match="expected a tensor"):
        pair.near.receive(ANSWER, deadline=time.monotonic() + 5)


def test_a_deadline_covers_the_whole_frame(pair: Pair) -> None:
    pair.raw.sendall(MAGIC)
    began = time.monotonic()
    with pytest.raises(DeadlinePassed):
        pair.near.receive(ANSWER, deadline=began + 0.2)
    assert time.monotonic() - began < 2


def test_a_reader_that_does_not_read_cannot_hold_the_sender(pair: Pair) -> None:
    with pytest.raises(DeadlinePassed):
        pair.near.send(
            Kind.PREDICT, 1, None, np.zeros((4096, 512), "<f4"), deadline=time.monotonic() + 0.2
        )


def test_bytes_that_wait_are_seen_without_being_read(pair: Pair) -> None:
    assert not pair.near.pending()
    pair.far.send(Kind.DONE, 9)
    assert pair.near.pending()
    assert pair.near.receive(Expect(frozenset({Kind.DONE}))).sequence == 9


def test_what_could_never_be_received_is_not_sent(pair: Pair) -> None:
    for bad in (np.zeros((1, 1, 1, 1, 1), "<f4"), np.zeros(2, "<f8"), np.zeros(2, bool)):
        with pytest.raises(ValueError, match="no frame carries"):
            pair.near.send(Kind.PREDICT, 1, None, bad)
    with pytest.raises(ValueError, match="at most"):
        pair.near.send(Kind.START, 1, {"a": "x" * (1 << 21)})


def test_the_header_is_what_its_page_says() -> None:
    assert HEADER.size == struct.calcsize("<4sBBBBIIQ4I") == 40
