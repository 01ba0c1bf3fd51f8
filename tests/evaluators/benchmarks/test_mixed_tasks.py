"""mixed-tasks: what each task cost, and a stream that goes on where it was cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cambrian.agents.seeds import load_seed
from cambrian.errors import SandboxBroken
from cambrian.evaluators import benchmarks, metrics
from cambrian.evaluators.benchmarks.mixed_tasks import STATIONS
from cambrian.evaluators.checkpoints import Checkpoints, Saved, key_of
from cambrian.evaluators.conformance import watch
from cambrian.evaluators.job import evaluate
from cambrian.measurement import Measurement, Unit
from cambrian.sandbox.backends.plain import PlainBackend
from cambrian.sandbox.session.session import Session

UNIT = Unit("mixed-tasks", "smoke", 0)
REPLAY = dict(load_seed("replay"))
SECRETIVE = {
    "learner.py": REPLAY["learner.py"].replace(
        "        self.seen = 0\n", "        self.seen = 0\n        self.secret = lambda: 0\n", 1
    )
}


class Cut(Checkpoints):
    """The machine breaks once so many tasks have been kept."""

    def __init__(self, folder: Path, key: str, after: int) -> None:
        super().__init__(folder, key)
        self.after = after

    def save(self, saved: Saved) -> None:
        super().save(saved)
        if saved.done == self.after:
            raise SandboxBroken("cut")


def judge(files: dict[str, str], checkpoints: Checkpoints | None = None) -> Measurement:
    with Session(PlainBackend()) as session:
        session.install(files)
        return evaluate(session, UNIT, checkpoints=checkpoints)


@pytest.fixture(scope="module")
def whole() -> Measurement:
    return judge(REPLAY)


def test_there_are_fifteen_tasks_and_more_of_every_kind_in_the_order_of_their_years() -> None:
    assert len(STATIONS) >= 15
    years = [station.year for station in STATIONS]
    assert years == sorted(years)
    channel, outcome = watch(benchmarks.benchmark("mixed-tasks"), "full", 1)
    taught = [file for file in channel.files if "y" in file]
    assert len(taught) == len(STATIONS)
    assert {file["x"].shape[1:] for file in taught} == {(14, 14)}
    # the labels of a task are some of ten, drawn anew
    assert len({frozenset(file["y"].tolist()) for file in taught if len(set(file["y"])) == 2}) > 1
    assert sorted({task for task in channel.named if task is not None}) == list(range(18))
    assert outcome.metrics["error"] == pytest.approx(1 - outcome.raw)


def test_error_stands_against_cumulative_cost(whole: Measurement) -> None:
    assert whole.verdict == "scored", whole.reason
    spent = whole.curves["cumulative_train_flops"]
    assert len(spent) == len(STATIONS)
    assert (np.diff(spent) > 0).all()
    assert spent[-1] == pytest.approx(whole.metrics["train_flops"], rel=1e-6)
    assert whole.metrics["train_flops"] < whole.flops  # tests are no training
    newest = whole.curves["newest_accuracy"]
    errors = np.cumsum(1 - newest) / np.arange(1, len(newest) + 1)
    assert whole.curves["mean_error"] == pytest.approx(errors, abs=1e-6)
    area = metrics.front_hypervolume(
        [whole.metrics["train_flops"]], [whole.metrics["error"]], (1e12, 1.0)
    )
    assert whole.metrics["hypervolume"] == pytest.approx(area)
    assert (whole.curves["state_bytes"] > 0).all()


def test_a_stream_that_was_cut_goes_on_to_the_same_end(whole: Measurement, tmp_path: Path) -> None:
    key = key_of(REPLAY, "mixed-tasks")
    broken = judge(REPLAY, Cut(tmp_path, key, 7))
    assert broken.verdict == "broken"
    kept = Checkpoints(tmp_path, key).load()
    assert kept is not None and kept.done == 7 and len(kept.record["right"]) == 7
    again = judge(REPLAY, Checkpoints(tmp_path, key))
    assert again.verdict == "scored", again.reason
    assert again.raw == whole.raw
    assert again.metrics == whole.metrics
    assert again.flops == whole.flops
    for name, curve in whole.curves.items():
        assert np.array_equal(curve, again.curves[name])
    assert list(tmp_path.iterdir()) == []  # the stream is through


def test_a_learner_that_cannot_be_kept_begins_again(whole: Measurement, tmp_path: Path) -> None:
    key = key_of(SECRETIVE, "mixed-tasks")
    assert judge(SECRETIVE, Cut(tmp_path, key, 3)).verdict == "broken"
    assert Checkpoints(tmp_path, key).load() is None
    again = judge(SECRETIVE, Checkpoints(tmp_path, key))
    assert again.verdict == "scored" and again.raw == whole.raw


@pytest.mark.parametrize("harm", ["cut", "flipped", "empty", "other"])
def test_a_damaged_checkpoint_is_as_good_as_none(harm: str, tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path, key_of(REPLAY, "here"))
    kept.save(Saved(3, {"right": [0.5]}, b"state"))
    assert kept.load() == Saved(3, {"right": [0.5]}, b"state")
    raw = bytearray(kept.path.read_bytes())
    if harm == "cut":
        raw = raw[:-1]
    elif harm == "flipped":
        raw[-1] ^= 1
    elif harm == "empty":
        raw = bytearray()
    if harm == "other":  # whole, and of another agent
        other = Checkpoints(tmp_path, key_of(SECRETIVE, "here"))
        other.path = kept.path
        kept = other
    else:
        kept.path.write_bytes(raw)
    assert kept.load() is None


def test_a_key_names_the_code_and_the_stream() -> None:
    def key(files: dict[str, str], *parts: Any) -> str:
        return key_of(files, *parts)

    same = key({"a": "1", "b": "2"}, "x", 1)
    assert same == key({"b": "2", "a": "1"}, "x", 1)
    others = [key({"a": "12", "b": ""}, "x", 1), key({"a": "1", "b": "2"}, "x", 2), key({}, "x", 1)]
    assert len({same, *others}) == 4
