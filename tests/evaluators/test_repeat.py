"""Same seed, same numbers: to the last bit, in another process and another session."""

from __future__ import annotations

import numpy as np
import pytest

from cambrian.agents.seeds import load_seed
from cambrian.evaluators.job import evaluate
from cambrian.measurement import Measurement, Unit
from cambrian.sandbox.backends.plain import PlainBackend
from cambrian.sandbox.session.session import Session


def run(name: str, seed: int) -> Measurement:
    """In a session of its own: nothing is shared with another but the code."""
    with Session(PlainBackend()) as session:
        session.install(load_seed("composed"))
        found = evaluate(session, Unit(name, "smoke", seed))
    assert found.verdict == "scored", found.reason
    return found


def answers(one: Measurement) -> np.ndarray:
    return np.asarray(one.predictions["labels"])


@pytest.mark.parametrize("name", ["split-mnist", "label-drift"])
def test_one_seed_gives_the_same_numbers_to_the_last_bit(name: str) -> None:
    one, two = run(name, 0), run(name, 0)
    assert (one.raw, one.score, one.flops, one.state_bytes) == (
        two.raw,
        two.score,
        two.flops,
        two.state_bytes,
    )
    assert one.metrics == two.metrics
    for kind in ("curves", "matrices", "predictions"):
        first, second = getattr(one, kind), getattr(two, kind)
        assert first.keys() == second.keys()
        for key, array in first.items():
            np.testing.assert_array_equal(array, second[key])
    other = run(name, 1)
    assert not np.array_equal(answers(one), answers(other))
