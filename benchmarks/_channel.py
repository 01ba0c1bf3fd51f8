"""Ends for `sandbox.py`'s round trips between bare processes: what the way alone costs.

    python benchmarks/_channel.py WAY DESCRIPTORS...

The far end hands each batch of float32 to the same learner that runs in the sandboxes, which
echoes the first 64 values of every row; the near end looks whether they are finite, as a channel
does. `shm` takes the batch from a mapped file, as a copy of its own or (`shm-zero-copy`) as it
lies there.
"""

from __future__ import annotations

import mmap
import os
import socket
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

KEPT = 64
ECHO = f"""
class Learner:
    def __init__(self, spec, *, seed, device="cpu"): pass
    def observe(self, x, y, task=None): pass
    def predict(self, x, task=None): return x.reshape(len(x), -1)[:, :{KEPT}].contiguous()
"""


class Bare:
    """The near end; the far end is this file as a process of its own."""

    def __init__(self, way: str, shape: tuple[int, ...]) -> None:
        self.x = np.random.default_rng(0).random(shape, np.float32)
        self.out = bytearray(shape[0] * KEPT * 4)
        self.map: Any = None
        self.ends: list[Any] = []
        words = [way, ",".join(map(str, shape))]
        if way == "pipe":
            (there, self.write), (self.read, back) = os.pipe(), os.pipe()
            given = [there, back]
        else:
            near, far = socket.socketpair()
            self.ends = [near, far]
            self.write = self.read = near.fileno()
            given = [far.fileno()]
        if way.startswith("shm"):
            self.file = tempfile.TemporaryFile()  # noqa: SIM115 - until it is collected
            self.file.truncate(self.x.nbytes)
            self.map = mmap.mmap(self.file.fileno(), self.x.nbytes)
            given.append(self.file.fileno())
        command = [sys.executable, __file__, *words, *map(str, given)]
        self.process = subprocess.Popen(command, pass_fds=given)
        if way == "pipe":
            os.close(there)
            os.close(back)
        self()

    def __call__(self) -> None:
        if self.map is not None:
            np.copyto(np.frombuffer(self.map, "f4").reshape(self.x.shape), self.x)
            os.write(self.write, b"x" * 44)
        else:
            _write_all(self.write, self.x.data.cast("B"))
        _read_all(self.read, memoryview(self.out))
        if not np.isfinite(np.frombuffer(self.out, np.float32)).all():
            raise ValueError("the far end sent no numbers")

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for end in self.ends:
            end.close()


def _write_all(descriptor: int, view: memoryview) -> None:
    while view:
        view = view[os.write(descriptor, view) :]


def _read_all(descriptor: int, view: memoryview) -> None:
    done = 0
    while done < len(view):
        count = os.readv(descriptor, [view[done:]])
        if not count:
            raise SystemExit(0)
        done += count


def serve(way: str, shape: tuple[int, ...], descriptors: list[int]) -> None:
    read, write = descriptors[0], descriptors[1 if way == "pipe" else 0]
    take: Callable[[], Any]
    if way.startswith("shm"):
        size = int(np.prod(shape)) * 4
        lies = np.frombuffer(mmap.mmap(descriptors[1], size, access=mmap.ACCESS_READ), "f4")
        token = memoryview(bytearray(44))

        def take() -> Any:
            _read_all(read, token)
            return lies.reshape(shape) if way == "shm-zero-copy" else lies.reshape(shape).copy()
    else:

        def take() -> Any:
            x = np.empty(shape, np.float32)
            _read_all(read, x.data.cast("B"))
            return x

    import torch

    torch.set_num_threads(1)
    names: dict[str, Any] = {}
    exec(ECHO, names)
    learner = names["Learner"](None, seed=0)
    warnings.simplefilter("ignore")  # an array that cannot be written to: what lies there is read
    while True:
        scores = learner.predict(torch.from_numpy(take()))
        _write_all(write, scores.numpy().data.cast("B"))


if __name__ == "__main__":
    serve(sys.argv[1], tuple(map(int, sys.argv[2].split(","))), [int(d) for d in sys.argv[3:]])
