"""What a learner tells of its inside is bounded, reported as claimed, and never scored."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from cambrian.agents.seeds import load_seed
from cambrian.evaluators import benchmarks, metrics
from cambrian.evaluators.conformance import watch
from cambrian.evaluators.job import evaluate
from cambrian.measurement import Measurement, Unit
from cambrian.sandbox.backends.plain import PlainBackend
from cambrian.sandbox.runner.diagnosis import MAX_LAYERS, MAX_ROWS, MAX_UNITS, diagnose
from cambrian.sandbox.session.session import Session

FINETUNE = dict(load_seed("finetune"))
LIE = """
import numpy as np
import cambrian.sandbox.runner.job as job
job.diagnose = lambda *_: ({described}, {held})
"""


def judge(files: dict[str, str]) -> Measurement:
    with Session(PlainBackend()) as session:
        session.install(files)
        return evaluate(session, Unit("warm-start", "smoke", 0))


def lying(described: str, held: str = "np.zeros(0, np.float32)") -> dict[str, str]:
    told = LIE.format(described=described, held=held)
    return {"learner.py": FINETUNE["learner.py"] + told}


def claim(**changes: object) -> str:
    return repr({"layers": [], "weight_magnitude": 0.1, "weight_norm": 1.0} | changes)


@pytest.fixture(scope="module")
def honest() -> Measurement:
    return judge(FINETUNE)


def test_the_inside_is_reported_as_what_the_learner_claims(honest: Measurement) -> None:
    assert honest.verdict == "scored", honest.reason
    assert 0 <= honest.metrics["claimed_dormant_share"] < 1
    assert 1 < honest.metrics["claimed_effective_rank"] <= 128
    assert honest.metrics["claimed_weight_norm"] > honest.metrics["claimed_weight_magnitude"] > 0
    assert len(honest.curves["claimed_dormant_share"]) == 2
    assert len(honest.curves["newest_accuracy"]) == 2


def test_a_lie_about_the_inside_changes_no_score(honest: Measurement) -> None:
    found = judge(lying(claim(layers=[[2, 3]]), "np.ones(6, np.float32)"))
    assert found.verdict == "scored", found.reason
    assert (found.raw, found.score) == (honest.raw, honest.score)
    assert found.metrics["claimed_dormant_share"] == 0
    nothing = judge(lying(claim()))
    assert nothing.raw == honest.raw
    assert not any(name.startswith("claimed_") for name in nothing.metrics)


@pytest.mark.parametrize(
    ("described", "held"),
    [
        (claim(layers=[[1 << 20, 512]]), "np.zeros(0, np.float32)"),
        (claim(layers=[[2, 3]] * 5), "np.zeros(30, np.float32)"),
        (claim(layers=[[2, 3]]), "np.zeros(7, np.float32)"),
        (claim(layers=[[True, 3]]), "np.zeros(3, np.float32)"),
        (claim(layers=[[-1, -3]]), "np.zeros(3, np.float32)"),
        (claim(layers="many"), "np.zeros(0, np.float32)"),
        (claim(weight_norm="large"), "np.zeros(0, np.float32)"),
    ],
    ids=["huge", "many", "other size", "true", "negative", "text", "no number"],
)
def test_a_claim_out_of_bounds_is_the_learners_own_fault(described: str, held: str) -> None:
    found = judge(lying(described, held))
    assert (found.verdict, found.cause) == ("failed", "protocol"), found.reason


class Net(torch.nn.Module):
    """Four units, of which the last two never answer."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = torch.nn.Linear(3, 4, bias=False), torch.nn.Linear(4, 2, bias=False)
        with torch.no_grad():
            self.one.weight[:] = torch.tensor([[1.0, 0, 0], [0, 1, 0], [-1, -1, -1], [-1, 0, 0]])
            self.two.weight[:] = 0.5

    def predict(self, x: torch.Tensor, task: int | None = None) -> torch.Tensor:
        return self.two(torch.relu_(self.one(x)))  # type: ignore[no-any-return]


def test_a_module_is_read_off_at_its_nonlinearities() -> None:
    described, flat = diagnose(Net(), torch.rand(10, 3))
    assert described["layers"] == [[10, 4]]
    assert metrics.dormant_share([flat.reshape(10, 4)]) == 0.5
    assert described["weights"] == 12 + 8
    assert described["weight_magnitude"] == pytest.approx((6 + 4) / 20)
    assert described["weight_norm"] == pytest.approx((6 + 8 * 0.25) ** 0.5)


def test_what_is_read_off_is_bounded() -> None:
    class Deep(torch.nn.Module):
        def predict(self, x: torch.Tensor, task: int | None = None) -> torch.Tensor:
            for _ in range(20):
                x = torch.relu(x)
            return x

    described, flat = diagnose(Deep(), torch.rand(300, 2000))
    assert described["layers"] == [[MAX_ROWS, MAX_UNITS]] * MAX_LAYERS
    assert flat.nbytes == 4 * MAX_ROWS * MAX_UNITS * MAX_LAYERS


def test_random_labels_are_asked_of_the_very_images_they_were_given_with() -> None:
    channel, outcome = watch(benchmarks.benchmark("random-label-plasticity"), "full", 1)
    taught = [file for file in channel.files if "y" in file]
    asked = [file for file in channel.files if "y" not in file][::2]
    assert len(taught) == len(asked) == 15
    for one, other in zip(taught, asked, strict=True):
        assert np.array_equal(one["x"], other["x"])
    assert set(outcome.curves) >= {"newest_accuracy", "claimed_dormant_share"}


def test_only_the_newest_tasks_count() -> None:
    bench = benchmarks.benchmark("permuted-plasticity")
    _, outcome = watch(bench, "full", 1)
    newest = outcome.curves["newest_accuracy"]
    assert len(newest) == 30
    assert outcome.raw == pytest.approx(float(newest[-15:].mean()))
    assert dataclasses.is_dataclass(bench)
