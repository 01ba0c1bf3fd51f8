"""The usual choices: judged by the benchmark's own protocol, and never left out in silence."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from cambrian.agents.spec import TaskSpec
from cambrian.cli.main import cli
from cambrian.evaluators import plugins
from cambrian.solving import baselines as usual
from cambrian.solving.baselines import Baseline, Refitted, baselines
from cambrian.solving.driving import BaselineChannel
from cambrian.solving.judging import Figure, Sitting, judge, judge_all, read

FAR = time.time() + 1e6


@pytest.fixture
def table(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """The file of a benchmark of 200 rows, of the kind that the test is run with."""
    kind = request.param
    rng = np.random.default_rng(3)
    rows = ["a,b,where,kind,amount"]
    for _ in range(200):
        a, b = rng.standard_normal(2)
        kinds = "left" if a > 0 else "right"
        rows.append(f"{a:.5f},{b:.5f},{'xyz'[rng.integers(3)]},{kinds},{2 * a - b:.5f}")
    (tmp_path / "my.csv").write_text("\n".join(rows) + "\n")
    file = tmp_path / f"solved_{kind.replace('-', '_')}.py"
    label = "amount" if kind == "regression" else "kind"
    more = ["--domain", "where"] if kind == "domain" else []
    asked = ["bench", "new", str(tmp_path / "my.csv"), "--label", label, "--kind", kind, *more]
    made = CliRunner().invoke(cli, [*asked, "-o", str(file), "--no-measure"])
    assert made.exit_code == 0, made.output
    return file


ALL_KINDS = pytest.mark.parametrize(
    "table", ["drift", "regression", "class-incremental", "domain"], indirect=True
)
DRIFT = pytest.mark.parametrize("table", ["drift"], indirect=True)
REGRESSION = pytest.mark.parametrize("table", ["regression"], indirect=True)


@ALL_KINDS
@pytest.mark.parametrize("name", list(baselines()))
def test_every_usual_choice_is_judged_on_every_kind_of_table(table: Path, name: str) -> None:
    figure = judge(Sitting(str(table), name, 0, FAR))
    assert figure.reason == "" and figure.raw is not None
    least, most = plugins.load(table).raw_range
    assert least <= figure.raw <= most and figure.seconds > 0


@DRIFT
def test_what_learns_beats_a_guess(table: Path) -> None:
    found = {name: judge(Sitting(str(table), name, 0, FAR)).raw or 0.0 for name in baselines()}
    for name in ("hoeffding-tree", "sgd", "linear", "adaptive-forest", "boosting"):
        assert found[name] > found["commonest"] + 0.1, found
    assert found["linear"] > 0.9


@DRIFT
def test_the_commonest_label_is_the_floor_of_the_benchmark(table: Path) -> None:
    bench: Any = plugins.load(table)
    found = judge(Sitting(str(table), "commonest", 2, FAR))
    assert found.raw == pytest.approx(bench.floor("sealed", 2), abs=1e-6)


@REGRESSION
def test_the_last_label_is_0_of_regression(table: Path) -> None:
    found = judge(Sitting(str(table), "last-label", 1, FAR))
    assert found.raw == pytest.approx(0.0, abs=0.02)


class Spy(Baseline):
    """Says what it was asked and told, in order."""

    def __init__(self, spec: TaskSpec) -> None:
        self.spec = spec
        self.heard: list[tuple[str, Any]] = []

    def predict(self, x: Any) -> Any:
        self.heard.append(("asked", np.array(x)))
        return np.zeros((len(x), self.spec.outputs), np.float32)

    def learn(self, x: Any, y: Any) -> None:
        assert len(x) == len(y)
        self.heard.append(("told", np.array(x)))


@DRIFT
def test_no_label_is_told_before_its_row_was_asked_about_and_the_order_is_the_learners(
    table: Path,
) -> None:
    bench: Any = plugins.load(table)
    spy = Spy(bench.stream("sealed"))
    bench.run(BaselineChannel(spy, FAR), "sealed", 3)
    asked = [x for what, x in spy.heard if what == "asked"]
    told = [x for what, x in spy.heard if what == "told"]
    assert [what for what, _ in spy.heard] == ["asked", "told"] * len(told) + ["asked"]
    for one, other in zip(asked, told, strict=False):
        assert np.array_equal(one, other)
    assert np.array_equal(np.concatenate(asked), bench.series("sealed", 3)[0])


@DRIFT
def test_a_refit_sees_only_what_was_told(table: Path) -> None:
    bench: Any = plugins.load(table)
    seen: list[int] = []

    class Counting:
        classes_ = np.arange(2)

        def fit(self, x: Any, y: Any) -> Any:
            seen.append(len(x))
            return self

        def predict_proba(self, x: Any) -> Any:
            return np.full((len(x), 2), 0.5)

    model = Refitted(bench.stream("sealed"), Counting, window=50)
    bench.run(BaselineChannel(model, FAR), "sealed", 0)
    assert seen[0] >= usual.LEAST and max(seen) == 50
    assert seen == sorted(seen)


@DRIFT
def test_what_is_out_of_time_is_told_and_tried_again_by_the_next_call(
    table: Path, tmp_path: Path
) -> None:
    store = tmp_path / "baselines.json"
    told: list[Figure] = []
    names = ["last-label", "sgd"]
    late = judge_all(table, names, store, -1.0, told.append, workers=1)
    assert {one.reason for one in late} == {"out of time"} and len(told) == 10
    assert read(store) == []
    done = judge_all(table, names, store, 200.0, lambda _: None, workers=2)
    assert len(done) == 10 and all(one.raw is not None for one in done)
    again = judge_all(table, names, store, 200.0, told.append, workers=2)
    assert again == read(store) == done and len(told) == 10


@DRIFT
def test_a_library_that_is_missing_is_named_with_what_installs_it(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(spec: TaskSpec, seed: int) -> Baseline:
        raise ModuleNotFoundError("No module named 'river'")

    known = dict(usual._COMMON)
    known["hoeffding-tree"] = replace(known["hoeffding-tree"], make=missing)
    monkeypatch.setattr(usual, "_COMMON", known)
    found = judge(Sitting(str(table), "hoeffding-tree", 0, FAR))
    assert found.raw is None
    assert found.reason.startswith("not installed: pip install 'river'")
