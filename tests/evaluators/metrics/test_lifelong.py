"""L2Metrics on a log worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cambrian.evaluators import metrics
from cambrian.evaluators.metrics import Block


def judged(task: str, *values: float) -> Block:
    return Block("test", task, np.array(values))


def trained(task: str, *values: float) -> Block:
    return Block("train", task, np.array(values))


# Two tasks, tested before and after each training. Blocks are too short to be smoothed.
LOG = [
    judged("a", 1.0),
    judged("b", 2.0, 4.0),
    trained("a", 10.0, 50.0),
    judged("a", 40.0),
    judged("b", 6.0),
    trained("b", 20.0, 60.0),
    judged("a", 30.0),
    judged("b", 70.0),
    trained("a", 45.0, 50.0),
    judged("a", 60.0),
    judged("b", 35.0),
]
EXPERTS = {"a": [np.array([5.0, 25.0, 100.0, 100.0, 100.0])]}


def test_terminal_performance_is_the_end_of_training_and_the_whole_of_a_test() -> None:
    assert metrics.terminal_performance(trained("a", *range(20))) == pytest.approx(18.5)
    assert metrics.terminal_performance(judged("a", 1.0, 3.0)) == pytest.approx(2.0)


def test_maintenance_is_measured_from_the_first_test_after_the_last_training() -> None:
    found = metrics.performance_maintenance(LOG)
    # a: 30 after 40; its last test is the first after training again, and so a new reference.
    # b: 35 after 70.
    assert found == pytest.approx({"a": -10.0, "b": -35.0})
    assert metrics.lifetime(found) == pytest.approx(-22.5)


def test_forward_transfer_is_to_a_task_not_yet_trained() -> None:
    (found,) = metrics.forward_transfers(LOG)
    assert (found.source, found.target) == ("a", "b")
    assert found.ratio == pytest.approx(6 / 3)
    assert found.contrast == pytest.approx((6 - 3) / (6 + 3))


def test_backward_transfer_is_to_a_task_trained_before() -> None:
    found = metrics.backward_transfers(LOG)
    pairs = {(t.source, t.target): t.ratio for t in found}
    assert pairs == pytest.approx({("b", "a"): 30 / 40, ("a", "b"): 35 / 70})


def test_no_transfer_overwrites_another_between_the_same_two_tests() -> None:
    log = [judged("c", 2.0), trained("a", 1.0), trained("b", 1.0), judged("c", 4.0)]
    found = {(t.source, t.target): t.ratio for t in metrics.forward_transfers(log)}
    assert found == {("a", "c"): 2.0, ("b", "c"): 2.0}


def test_a_lifetime_of_transfer_takes_the_first_of_each_pair() -> None:
    log = [
        judged("b", 1.0),
        trained("a", 1.0),
        judged("b", 2.0),
        trained("a", 1.0),
        judged("b", 20.0),
    ]
    transfers = metrics.forward_transfers(log)
    assert [t.ratio for t in transfers] == [2.0, 10.0]
    assert metrics.lifetime_transfer(transfers, "ratio") == 2.0


def test_relative_performance_compares_equal_experience() -> None:
    found = metrics.relative_performance(LOG, EXPERTS)
    assert found == pytest.approx({"a": (10 + 50 + 45 + 50) / (5 + 25 + 100 + 100)})


def test_sample_efficiency_is_the_product_of_how_well_and_how_soon() -> None:
    # a: 50 at its second experience; the expert 100 at its third.
    found = metrics.sample_efficiency(LOG, EXPERTS)
    assert found == pytest.approx({"a": (50 / 100) * (2 / 1)})


def test_what_only_falls_or_stays_far_below_the_expert_is_not_efficient() -> None:
    falling = [trained("a", 30.0, 40.0, 20.0, 5.0, 1.0)]
    poor = [trained("a", 10.0, 15.0)]
    assert metrics.sample_efficiency(falling, EXPERTS) == {"a": 0.0}
    assert metrics.sample_efficiency(poor, EXPERTS) == {"a": 0.0}


def test_recovery_counts_experiences_until_it_is_where_it_was() -> None:
    log = [
        trained("a", 10.0, 50.0),
        trained("a", 20.0, 40.0, 55.0),  # back at 50 after two experiences
        trained("a", 60.0, 30.0),  # at once (55 was the end before)
        trained("a", 10.0, 20.0),  # never: one more than there were
    ]
    assert metrics.recovery_times(log) == {"a": [2, 0, 3]}
    # Slopes of the pairs: −2, 0.5, 3; their median is 0.5.
    assert metrics.performance_recovery(log) == pytest.approx({"a": -0.5})


def test_performances_are_scaled_per_task_over_log_and_experts() -> None:
    blocks, runs = metrics.normalised(LOG, EXPERTS)
    # a goes from 1 to the expert's 100, b from 2 to 70.
    assert blocks[3].values == pytest.approx([(40 - 1) / 99 * 100 + 1])
    assert blocks[4].values == pytest.approx([(6 - 2) / 68 * 100 + 1])
    assert runs["a"][0].max() == pytest.approx(101)


def test_what_cannot_be_had_of_a_log_is_left_out() -> None:
    found = metrics.lifelong_metrics([trained("a", 1.0, 2.0), judged("a", 3.0)])
    assert found == {}


def test_an_empty_block_is_refused() -> None:
    with pytest.raises(ValueError, match="finite performances"):
        metrics.lifelong_metrics([trained("a")])


@given(arrays(float, st.integers(1, 60), elements=st.floats(-100, 100)))
def test_smoothing_keeps_the_length_and_stays_within_the_values(values: np.ndarray) -> None:
    found = metrics.smoothed(values)
    assert len(found) == len(values)
    assert values.min() - 1e-9 <= found.min() <= found.max() <= values.max() + 1e-9


@given(st.floats(0.1, 100), st.floats(-50, 50))
def test_units_of_performance_do_not_matter(scale: float, shift: float) -> None:
    changed = [Block(b.kind, b.task, b.values * scale + shift) for b in LOG]
    experts = {task: [run * scale + shift for run in runs] for task, runs in EXPERTS.items()}
    before, after = (
        metrics.lifelong_metrics(LOG, EXPERTS),
        metrics.lifelong_metrics(changed, experts),
    )
    assert after == pytest.approx(before, rel=1e-6)
