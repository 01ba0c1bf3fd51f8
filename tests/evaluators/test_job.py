"""An evaluation's verdict: scored, failed or broken, in real processes (no isolation needed)."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cambrian.agents.seeds import load_seed
from cambrian.errors import SandboxBroken
from cambrian.evaluators.job import evaluate
from cambrian.measurement import Measurement, Unit
from cambrian.sandbox.backends.plain import PlainBackend
from cambrian.sandbox.session.limits import Limits
from cambrian.sandbox.session.session import Session

SMOKE = Unit("split-mnist", "smoke", 0)
QUICK = Limits(request_s=3.0, job_s=10.0)

LEARNER = """\
import torch
from cambrian.agents.contract import Learner as Base


class Learner(Base):
    def observe(self, x, y, task=None):
        {observe}

    def predict(self, x, task=None):
        {predict}
"""
ZEROS = "return torch.zeros(len(x), self.spec.outputs)"


def learner(observe: str = "pass", predict: str = ZEROS) -> dict[str, str]:
    return {"learner.py": LEARNER.format(observe=observe, predict=predict)}


def judge(files: dict[str, str], unit: Unit = SMOKE) -> Measurement:
    with Session(PlainBackend(), QUICK) as session:
        session.install(files)
        return evaluate(session, unit)


@pytest.fixture(scope="module")
def replay() -> Iterator[Session]:
    with Session(PlainBackend()) as session:
        session.install(load_seed("replay"))
        yield session


def test_a_learner_that_runs_is_scored_with_its_cost(replay: Session) -> None:
    found = evaluate(replay, Unit("split-mnist", "screen", 0))
    assert found.verdict == "scored", found.reason
    assert found.score is not None and found.score > 0.6
    assert found.metrics["min_accuracy"] < found.metrics["accuracy"]
    assert (found.flops or 0) > 10**9 and (found.state_bytes or 0) > 10**5
    assert 0 < (found.cpu_s or 0) <= (found.wall_s or 0) + 1
    assert found.matrices["accuracy"].shape == (5, 5)
    assert np.isnan(found.matrices["accuracy"][0, 1])
    assert {"backend", "torch", "cambrian", "version"} <= set(found.provenance)


def test_the_same_unit_twice_gives_the_same_numbers_to_the_last_bit(replay: Session) -> None:
    first, second = (evaluate(replay, SMOKE) for _ in range(2))
    assert first.raw == second.raw
    assert first.flops == second.flops
    assert first.metrics == second.metrics


def test_fine_tuning_forgets_and_replay_does_not() -> None:
    unit = Unit("split-mnist", "full", 1)
    plain = judge(dict(load_seed("finetune")), unit)
    kept = judge(dict(load_seed("replay")), unit)
    assert plain.score is not None and kept.score is not None
    assert plain.score < 0.1 < 0.6 < kept.score
    assert plain.metrics["forgetting"] > 0.9


@pytest.mark.parametrize(
    ("files", "cause", "said"),
    [
        (learner(observe="raise ValueError('no')"), "exception", "ValueError: no"),
        (learner(observe="import time; time.sleep(60)"), "timeout", "no answer within 3 s"),
        (learner(predict="return torch.full((len(x), 10), float('nan'))"), "nonfinite", "NaN"),
        (learner(predict="return torch.zeros(len(x), 3)"), "protocol", "shape"),
        (learner(predict="return None"), "protocol", "shape"),
        (learner(observe="import os; os._exit(3)"), "crash", "exit status 3"),
        (learner(observe="import os; os.abort()"), "crash", "signal 6"),
        ({"learner.py": "def f(:\n"}, "exception", "SyntaxError"),
        ({"learner.py": "x = 1\n"}, "exception", "Learner"),
        ({"learner.py": "import nothing_of_the_kind\n"}, "exception", "nothing_of_the_kind"),
        (
            learner(observe="self.hoard = getattr(self, 'hoard', []) + [torch.ones(10**6)]"),
            "limit",
            "bytes of state",
        ),
        (
            learner(observe="a = torch.ones(1500, 1500); a @ a"),
            "limit",
            "FLOPs",
        ),
    ],
    ids=["raises", "hangs", "nan", "shape", "none", "exit", "abort", "syntax", "empty", "import",
         "memory", "flops"],
)  # fmt: skip
def test_what_goes_wrong_in_the_learner_is_its_own_fault(
    files: dict[str, str], cause: str, said: str
) -> None:
    found = judge(files)
    assert (found.verdict, found.cause) == ("failed", cause), found.reason
    assert said in found.reason
    assert found.score is None


def test_what_goes_wrong_with_the_sandbox_is_ours() -> None:
    with Session(PlainBackend(), QUICK) as session:
        session.install(learner())
    found = evaluate(session, SMOKE)
    assert (found.verdict, found.cause) == ("broken", "broken")


class NoBackend(PlainBackend):
    def launch(self, share: Path, limits: Limits) -> Any:
        raise SandboxBroken("nothing starts here")


def test_a_sandbox_that_does_not_start_raises_and_blames_nobody() -> None:
    with pytest.raises(SandboxBroken, match="nothing starts here"):
        Session(NoBackend())


def test_evaluations_survive_the_wire(replay: Session) -> None:
    found = evaluate(replay, SMOKE)
    again = Measurement.from_json(json.loads(json.dumps(found.to_json())))
    bare: dict[str, Any] = {"curves": {}, "matrices": {}, "predictions": {}}
    assert replace(again, **bare) == replace(found, **bare)
    for sort in bare:
        sent, came = getattr(found, sort), getattr(again, sort)
        assert sent.keys() == came.keys()
        for name, values in sent.items():
            assert np.array_equal(values, came[name], equal_nan=values.dtype.kind == "f")


def command(job: object, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    path = tmp_path / "job.json"
    path.write_text(job if isinstance(job, str) else json.dumps(job))
    call = [sys.executable, "-c", "from cambrian.evaluators.workers.command import main; main()"]
    return subprocess.run([*call, str(path)], capture_output=True, text=True, timeout=120)


def test_the_command_runs_one_job_by_itself(tmp_path: Path) -> None:
    job = {
        "benchmark": "split-mnist",
        "stage": "smoke",
        "seed": 0,
        "sandbox": "none",
        "files": dict(load_seed("finetune")),
    }
    done = command(job, tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["verdict"] == "scored"
    failed = command(job | {"files": {"learner.py": "x = 1"}}, tmp_path)
    assert failed.returncode == 1
    assert json.loads(failed.stdout)["cause"] == "exception"


@pytest.mark.parametrize(
    ("job", "status", "said"),
    [
        ("{", 2, "is not JSON"),
        ("[]", 2, "a job is an object"),
        ({"benchmark": "nope"}, 3, "no benchmark is called 'nope'"),
        ({"benchmark": "split-mnist", "stage": "x"}, 2, "stage is one of"),
        ({"benchmark": "split-mnist", "seed": -1}, 2, "seed is a whole number"),
        ({"benchmark": "split-mnist"}, 2, "a job holds the agent"),
        ({"benchmark": "split-mnist", "sandbox": "x", "files": {"learner.py": ""}}, 2, "sandbox"),
        ({"benchmark": "split-mnist", "surprise": 1}, 2, "with the keys"),
    ],
)
def test_a_job_that_makes_no_sense_is_refused_in_a_line(
    job: object, status: int, said: str, tmp_path: Path
) -> None:
    done = command(job, tmp_path)
    assert done.returncode == status
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
