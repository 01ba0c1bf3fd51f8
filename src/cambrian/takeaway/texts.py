"""The words of a package: its pyproject.toml, its page, its tests."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from typing import Any

import numpy as np

EXPECTED = {
    "check_methods_subset_invariance": "single-precision sums differ in their last bits with the "
    "number of rows that are asked about at once",
    "check_methods_sample_order_invariance": "as above: the place of a row among others can change "
    "the last bits of its scores",
}
"""Checks of scikit-learn that a learner may fail, with the reason."""


def project(name: str, origin: Mapping[str, Any]) -> str:
    """pyproject.toml."""
    said = json.dumps(f"A streaming learner: {_one_line(origin['title'])}", ensure_ascii=False)
    return f"""[build-system]
requires = ["hatchling>=1.26"]
build-backend = "hatchling.build"

[project]
name = "{name.replace("_", "-")}"
version = "1"
description = {said}
readme = "README.md"
license = "Apache-2.0"
license-files = ["LICENSE"]
requires-python = ">=3.11"
dependencies = ["numpy>=1.26", "torch>=2.6"]

[project.optional-dependencies]
sklearn = ["scikit-learn>=1.6", "scipy>=1.12"]
river = ["river>=0.22", "scipy>=1.12"]
test = ["pytest>=8.2", "scikit-learn>=1.6", "river>=0.22", "scipy>=1.12"]

[tool.hatch.build.targets.wheel]
packages = ["src/{name}"]

[tool.hatch.build.targets.wheel.force-include]
"provenance.json" = "{name}/provenance.json"

[tool.pytest.ini_options]
pythonpath = ["src"]
testpaths = ["tests"]
"""


def readme(name: str, origin: Mapping[str, Any]) -> str:
    """The page: how it is used, where it comes from, what it scored."""
    return f"""# {name}

{_one_line(origin["title"])}: a learner for streams, found by Cambrian {origin["cambrian"]} and
packed with all that it needs. It was written by a program: read `src/{name}/agent` before you rely
on it.

```python
from {name} import Classifier  # scikit-learn: fit, partial_fit, predict, predict_proba, score
model = Classifier().partial_fit(X, y, classes=[0, 1])

from {name} import OnlineClassifier  # river: learn_one, predict_one, predict_proba_one
model = OnlineClassifier(classes=2)

from {name} import Stream  # torch: observe, predict
model = Stream(inputs=X.shape[1], outputs=2, seed=0)
```

`pip install ".[sklearn]"` or `".[river]"` brings the library that a face needs; `".[test]"` and
`pytest` check the package, scikit-learn's own checks of estimators among them.

## What it scored

0 is a benchmark's floor, 1 its ceiling; 95 % intervals. These streams are not yours.

{_scores(origin)}
## Where it comes from

{_lineage(origin)}
{_papers(origin)}
Licence: Apache-2.0 (LICENSE). All of this as data: provenance.json.
"""


def answer_tests(name: str) -> str:
    """Tests that hold a package to what the agent answered in its archive's sandbox."""
    import torch

    made = {
        "torch": torch.__version__.split("+")[0],
        "numpy": np.__version__,
        "machine": platform.machine(),
        "kernels": torch.backends.cpu.get_cpu_capability(),
    }
    return f'''"""The package answers what the agent answered in its archive, to the bit."""

import platform
from pathlib import Path

import numpy as np
import torch
from {name} import Stream

RECORDED = {made!r}
"""Where the answers were recorded; elsewhere sums may differ in their last bits."""


def here():
    return {{
        "torch": torch.__version__.split("+")[0],
        "numpy": np.__version__,
        "machine": platform.machine(),
        "kernels": torch.backends.cpu.get_cpu_capability(),
    }}


def test_it_answers_as_it_did_in_its_archive():
    torch.set_num_threads(1)
    kept = np.load(Path(__file__).with_name("answers.npz"), allow_pickle=False)
    x, y, scores, batch = kept["x"], kept["y"], kept["scores"], int(kept["batch"])
    told = {{"observations": len(y), "batch_size": batch}}
    told["memory_bytes"] = int(kept["memory_bytes"])
    stream = Stream(x.shape[1], scores.shape[1], seed=int(kept["seed"]), **told)
    found = []
    for start in range(0, len(y), batch):
        found.append(stream.predict(x[start : start + batch]).numpy())
        stream.observe(x[start : start + batch], y[start : start + batch])
    found = np.concatenate(found)
    if here() == RECORDED:
        assert found.tobytes() == scores.tobytes()
    else:
        same = (found.argmax(1) == scores.argmax(1)).mean()
        assert same > 0.9, f"recorded on {{RECORDED}}, this is {{here()}}: {{same:.0%}} alike"


def test_it_leaves_the_callers_random_numbers_alone():
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    stream = Stream(4, 2)
    stream.observe(np.ones((2, 4)), [0, 1])
    assert torch.equal(torch.rand(2), expected)
'''


def estimator_tests(name: str) -> str:
    """Tests of the face of scikit-learn, its own checks among them."""
    rows = "".join(f"    {check!r}: {why!r},\n" for check, why in EXPECTED.items())
    return f'''"""It passes the checks of scikit-learn, but for those listed with a reason."""

from sklearn.datasets import load_iris
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from {name} import Classifier

EXPECTED = {{
{rows}}}


@parametrize_with_checks([Classifier()], expected_failed_checks=lambda _: EXPECTED)
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


def test_it_learns_iris_in_a_pipeline_and_batch_by_batch():
    x, y = load_iris(return_X_y=True)
    whole = make_pipeline(StandardScaler(), Classifier(standardise=False))
    assert cross_val_score(whole, x, y, cv=3).mean() > 0.6
    streamed = Classifier()
    for start in range(0, len(x), 10):
        streamed.partial_fit(x[start : start + 10], y[start : start + 10], classes=[0, 1, 2])
    assert streamed.predict_proba(x).shape == (len(x), 3)
'''


def online_tests(name: str) -> str:
    """Tests of the face of river."""
    return f'''"""The online classifier learns river's Phishing, one row at a time."""

import itertools

import pytest
from river import datasets, metrics
from {name} import OnlineClassifier


def test_it_learns_row_by_row():
    model, right = OnlineClassifier(classes=2), metrics.Accuracy()
    for x, y in itertools.islice(datasets.Phishing(), 600):
        right.update(y, model.predict_one(x))
        model.learn_one(x, y)
    assert right.get() > 0.5


def test_a_value_that_is_missing_counts_as_the_mean():
    model = OnlineClassifier(classes=2, batch_size=2)
    for n, missing in enumerate([5.0, 1.0, None, float("nan")]):
        model.learn_one({{"a": float(n % 2), "b": missing}}, n % 2)
    expected = model.predict_proba_one({{"a": 1.0}})
    assert sum(expected.values()) == pytest.approx(1.0)
    for missing in (None, float("nan")):
        assert model.predict_proba_one({{"a": 1.0, "b": missing}}) == expected


def test_more_classes_than_announced_are_refused():
    model = OnlineClassifier(classes=1)
    model.learn_one({{"a": 1.0}}, "first")
    with pytest.raises(ValueError, match="at most 1 classes"):
        model.learn_one({{"a": 1.0}}, "second")
'''


def _scores(origin: Mapping[str, Any]) -> str:
    rows = [_score_row(row["benchmark"], row["seeds"], row) for row in origin["benchmarks"]]
    if origin["score"]["mean"] is not None:
        rows.append(_score_row("all of them", "", origin["score"]))
    if origin["sealed"] and origin["sealed"]["mean"] is not None:
        rows.append(_score_row("sealed", "", origin["sealed"]))
    if not rows:
        return "Nothing: it was never judged.\n"
    return "\n".join(["| benchmark | seeds | score |", "|---|---|---|", *rows, ""])


def _score_row(what: str, seeds: Any, row: Mapping[str, Any]) -> str:
    if row["lower"] is None:
        return f"| {what} | {seeds} | {row['mean']:.3f} |"
    return f"| {what} | {seeds} | {row['mean']:.3f} [{row['lower']:.3f}, {row['upper']:.3f}] |"


def _lineage(origin: Mapping[str, Any]) -> str:
    rows = []
    for one in origin["lineage"]:
        parents = ", ".join(parent[:10] for parent in one["parents"])
        made = f", from {parents}" if parents else ", a seed agent"
        rows.append(f"- `{one['id'][:10]}` {_one_line(one['title'])}{made}")
    return "\n".join([*rows, ""])


def _papers(origin: Mapping[str, Any]) -> str:
    if not origin["papers"]:
        return ""
    rows = []
    for one in origin["papers"]:
        part, title, paper = (
            _one_line(str(one[key]), "untitled") for key in ("part", "title", "paper")
        )
        rows.append(f"- `{part}`: {title}. {paper}")
    return "\n".join(["## Papers", "", *rows, ""])


def _one_line(text: str, otherwise: str = "an agent") -> str:
    """Titles come from programs, a model among them: no markup, one line."""
    plain = "".join(c if c.isprintable() and c not in "`<>[]|#*\\" else " " for c in text)
    return " ".join(plain.split())[:160] or otherwise
