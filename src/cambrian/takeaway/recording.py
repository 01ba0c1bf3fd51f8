"""What the agent answers in a sandbox, recorded: a package is held to it, bit by bit."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cambrian.agents.spec import TaskSpec
from cambrian.errors import Refused
from cambrian.sandbox.backends.process import Backend
from cambrian.sandbox.session.failures import LearnerFailed
from cambrian.sandbox.session.session import Session

BATCHES, BATCH, INPUTS, CLASSES, SEED = 60, 10, 8, 3, 7
MEMORY_BYTES = 4 << 20


@dataclass(frozen=True)
class Recording:
    """A short stream, and what was answered.

    Attributes:
        x, y: rows (N, inputs) float32 and labels (N,) int64, learned from `BATCH` at a time.
        scores: (N, classes) float32: each batch was answered before its labels came.
    """

    x: NDArray[np.float32]
    y: NDArray[np.int64]
    scores: NDArray[np.float32]

    def to_bytes(self) -> bytes:
        """As a file that numpy reads (.npz), without pickles."""
        file = io.BytesIO()
        arrays: dict[str, Any] = {"x": self.x, "y": self.y, "scores": self.scores}
        np.savez_compressed(file, **arrays, batch=BATCH, seed=SEED, memory_bytes=MEMORY_BYTES)
        return file.getvalue()


def record(files: Mapping[str, str], backend: Backend) -> Recording:
    """Let an agent predict and learn a short stream in a sandbox.

    Raises:
        Refused: it does not learn to tell classes apart. SandboxBroken: the sandbox broke.
    """
    x, y = stream()
    spec = TaskSpec(
        "classification",
        (INPUTS,),
        CLASSES,
        observations=len(y),
        batch_size=BATCH,
        memory_bytes=MEMORY_BYTES,
    )
    scores = []
    try:
        with Session(backend) as session:
            session.install(files)
            with session.job() as channel:
                channel.start(spec, SEED, "cpu")
                for start in range(0, len(y), BATCH):
                    now = slice(start, start + BATCH)
                    scores.append(channel.predict(x[now]))
                    channel.reveal(y[now])
                channel.finish()
    except LearnerFailed as failure:
        raise Refused(
            f"the agent does not run as a classifier of rows, so a package of it would not work: "
            f"{failure}. Export another agent, or --no-record to have it all the same"
        ) from None
    return Recording(x, y, np.concatenate(scores))


def stream() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Rows x (N, INPUTS) float32 with labels y (N,) int64: three classes by two directions."""
    rng = np.random.default_rng(SEED)
    x = rng.standard_normal((BATCHES * BATCH, INPUTS)).astype(np.float32)
    y = (x[:, 0] + x[:, 1] > 0).astype(np.int64) + (x[:, 2] > 0.5)
    return x, y
