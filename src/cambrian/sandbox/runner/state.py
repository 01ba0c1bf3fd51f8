"""A learner as bytes, so that a stream that was cut can go on: made and read in here only.

The other side keeps the bytes unopened and gives them back to the same agent's code; that they are
a pickle concerns nobody but the learner's own process.
"""

from __future__ import annotations

import pickle
import random
from typing import Any

import numpy as np
import torch

from cambrian.sandbox.runner.meter import FlopMeter


def freeze(learner: Any, meter: FlopMeter, limit: int) -> bytes:
    """The learner, what was counted, and the state of all chance; empty where the learner cannot be
    pickled or takes more than `limit` bytes."""
    chance = (random.getstate(), np.random.get_state(), torch.get_rng_state())
    try:
        frozen = pickle.dumps((learner, meter, chance), protocol=pickle.HIGHEST_PROTOCOL)
    except Exception:  # noqa: BLE001 - the learner's own code decides how it is pickled
        return b""
    return frozen if len(frozen) <= limit else b""


def thaw(frozen: bytes) -> tuple[Any, FlopMeter]:
    """The inverse of `freeze`: the learner and the meter; chance continues where it stopped."""
    learner, meter, chance = pickle.loads(frozen)  # noqa: S301 - our own process's bytes
    random.setstate(chance[0])
    np.random.set_state(chance[1])
    torch.set_rng_state(chance[2])
    return learner, meter
