"""Where a benchmark's chance comes from: its name, the stage and the seed, and nothing else."""

from __future__ import annotations

import hashlib

import numpy as np

EACH_BATCH = "+each-batch"
"""Ends the name of a stream of tasks that is probed after every batch."""


def stem(name: str) -> str:
    """A benchmark's name without the way it is looked at: the stream and its chance are the same
    however often it is probed."""
    return name.removesuffix(EACH_BATCH)


def generator(name: str, stage: str, seed: int) -> np.random.Generator:
    """The benchmark's only source of chance; sealed runs draw from salted seeds of their own."""
    salt = "sealed" if stage == "sealed" else "search"
    digest = hashlib.sha256(f"{stem(name)}/{salt}/{seed}".encode()).digest()
    return np.random.default_rng(np.frombuffer(digest, dtype=np.uint32))


def learner_seed(name: str, stage: str, seed: int, offset: int = 0) -> int:
    """The seed a learner is given: says nothing about the stream's own. Another `offset` gives the
    same code another random stream, on the same data."""
    text = f"learner/{stem(name)}/{stage}/{seed}" + (f"/{offset}" if offset else "")
    digest = hashlib.sha256(text.encode()).digest()
    return int.from_bytes(digest[:4], "little")
