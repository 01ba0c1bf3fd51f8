"""What the benchmarks promise besides the conformance suite (test_conformance.py)."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from cambrian.errors import NotFound, UsageError
from cambrian.evaluators import benchmarks, data
from cambrian.evaluators.benchmarks import blurry_digits, label_drift
from cambrian.evaluators.benchmarks.base import generator, learner_seed
from cambrian.evaluators.benchmarks.streams import SCENARIOS
from cambrian.evaluators.calibration import calibration
from cambrian.evaluators.conformance import watch

NAMES = benchmarks.names()
NEW_IMAGES = [
    "split-mnist",
    "digit-sums",
    "blurry-digits",
    *(s.name for s in SCENARIOS if s.name in NAMES),
]
"""Streams of tasks that are tested on other inputs than they taught."""


@pytest.mark.parametrize("name", NAMES)
def test_a_stream_is_as_it_was_announced(name: str) -> None:
    bench = benchmarks.benchmark(name)
    for stage in ("smoke", "full"):
        stream = bench.stream_of(stage, 1)
        channel, outcome = watch(bench, stage, 1)
        inputs = [a for tag, a in channel.shown if tag.endswith("x")]
        assert all(a.shape[1:] == stream.input_shape and a.dtype == np.float32 for a in inputs)
        # The last batch of a prequential stream is predicted and never revealed; 0 says nothing.
        if stream.observations:
            assert stream.observations - channel.observed in (0, stream.batch_size)
        assert any(task is not None for task in channel.named) == stream.task_identity
        assert 0 <= outcome.raw <= 1
        assert any(tag == "boundary" for tag, _ in channel.shown) == stream.boundaries


@pytest.mark.parametrize("name", NEW_IMAGES)
def test_no_label_of_a_tested_image_is_ever_shown(name: str) -> None:
    """Labels are shown only beside training inputs, and no test image is among those."""
    channel, _ = watch(benchmarks.benchmark(name), "full" if name in NEW_IMAGES[:3] else "smoke", 1)
    tested = {row.tobytes() for arrays in channel.files if "y" not in arrays for row in arrays["x"]}
    learned = {row.tobytes() for arrays in channel.files if "y" in arrays for row in arrays["x"]}
    assert tested
    assert not tested & learned


def test_drifting_labels_are_shown_only_after_the_prediction() -> None:
    channel, _ = watch(benchmarks.benchmark("label-drift"), "smoke", 0)
    tags = [tag for tag, _ in channel.shown]
    assert tags[0] == "x"
    assert all(a != b for a, b in itertools.pairwise(tags))


def test_labels_stand_for_other_classes_under_other_seeds() -> None:
    def first_labels(seed: int) -> list[int]:
        channel, _ = watch(benchmarks.benchmark("split-mnist"), "full", seed)
        return sorted(set(next(f for f in channel.files if "y" in f)["y"].tolist()))

    assert len({tuple(first_labels(seed)) for seed in range(5)}) > 1


def test_two_names_swap_at_each_drift() -> None:
    digits = np.tile(np.arange(10), 30)
    labels = label_drift.drifting_labels(digits, np.random.default_rng(0), swap_every=100)
    names = labels.reshape(-1, 10)[::10]
    assert [int((a != b).sum()) for a, b in itertools.pairwise(names)] == [2, 2]
    assert all(sorted(row) == list(range(10)) for row in names)


def test_blurred_classes_come_in_a_gradual_order() -> None:
    labels = np.repeat(np.arange(10), 50)
    rows = blurry_digits.blurred(labels, 4000, np.random.default_rng(0))
    early, late = set(labels[rows[:300]]), set(labels[rows[-300:]])
    assert 1 < len(early) < 6
    assert not early & late


def test_training_test_and_sealed_images_are_different_images() -> None:
    images = data.mnist_5k()
    parts = [{x.tobytes() for x in part.x} for part in (images.train, images.test, images.sealed)]
    assert [len(part.y) for part in (images.train, images.test, images.sealed)] == [3600, 700, 700]
    assert not parts[0] & parts[1]
    assert not parts[0] & parts[2]
    assert not parts[1] & parts[2]


def test_a_learners_seed_says_nothing_about_the_streams() -> None:
    seeds = {learner_seed("split-mnist", "full", s) for s in range(100)}
    assert len(seeds) == 100
    one = generator("split-mnist", "full", 1).integers(2**32)
    assert one != generator("split-mnist", "sealed", 1).integers(2**32)


@pytest.mark.parametrize("name", NAMES)
def test_floor_and_ceiling_are_far_apart_and_replay_is_cheap(name: str) -> None:
    bench = benchmarks.benchmark(name)
    found = calibration(bench)
    # Less than that has to be explained, and is never next to nothing.
    assert found.ceiling - found.floor >= (0.1 if bench.bounds.close else 0.3)
    assert found.cpu_s <= (20 if name == "mixed-tasks" else 10)
    assert found.normalise(found.floor) == 0
    assert found.normalise(found.ceiling) == pytest.approx(1)
    assert found.normalise(-1e9) == -1.0
    assert found.flops > 0 and found.state_bytes > 0


def test_replay_takes_at_most_four_processor_seconds_over_the_search_benchmarks() -> None:
    """As calibrated; `benchmarks/` measures it anew."""
    total = sum(calibration(benchmarks.benchmark(n)).cpu_s for n in benchmarks.search_names())
    assert total <= 4.0


def test_sealed_benchmarks_cannot_be_searched() -> None:
    assert "blurry-digits" not in benchmarks.search_names()
    assert "blurry-digits" in benchmarks.sealed_names(["split-mnist"])
    with pytest.raises(UsageError, match="sealed"):
        benchmarks.search_names(["blurry-digits"])


def test_an_unknown_benchmark_is_named_with_those_there_are() -> None:
    with pytest.raises(NotFound, match=r"no benchmark is called 'mnist'.*split-mnist"):
        benchmarks.search_names(["mnist"])


@pytest.mark.parametrize("wanted", [[], ["split-mnist", "split-mnist"]])
def test_no_benchmark_or_one_twice_is_refused(wanted: list[str]) -> None:
    with pytest.raises(UsageError, match="one or more different"):
        benchmarks.search_names(wanted)


def test_a_stream_without_tasks_is_revealed_bit_by_bit() -> None:
    channel, _ = watch(benchmarks.benchmark("blurry-digits"), "full", 1)
    sizes = [len(file["y"]) for file in channel.files if "y" in file]
    assert len(sizes) == 10
    assert max(sizes) == 640
