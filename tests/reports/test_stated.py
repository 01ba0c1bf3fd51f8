"""What models say of their edits, against what came and what the code shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.evolution.models.asking import Connect
from tests.evolution.models.model_run import run_model

from cambrian.archive import Archive
from cambrian.cli.main import cli
from cambrian.reports.costs import costs
from cambrian.reports.stated.strategy import changed, says
from cambrian.testing.endpoint import Reply, endpoint

BEFORE = {
    "learner.py": "import torch\nclass Learner:\n    lr = 0.1\n    def observe(self, x):\n"
    "        return x\n",
}


def edited(old: str, new: str, **files: str) -> dict[str, str]:
    return {"learner.py": BEFORE["learner.py"].replace(old, new), **files}


@pytest.mark.parametrize(
    ("after", "kinds", "words"),
    [
        (edited("0.1", "0.2"), {"constants"}, set()),
        (edited("return x", "return self.classMeans(x)"), {"names"}, {"class", "mean"}),
        (
            edited("return x", "for y in x:\n            return y"),
            {"structure", "names"},
            set(),
        ),
        (
            edited("0.1", "0.1", **{"parts/replay_buffer.py": "SIZE = 3\n"}),
            {"parts", "names", "constants"},
            {"replay", "buffer", "size"},
        ),
        (edited("0.1", "0.1", **{"NOTES.md": "replay"}), set(), set()),
        (edited("import torch", "(((("), {"structure", "names", "constants"}, set()),
    ],
)
def test_what_an_edit_touched_is_read_from_its_syntax(
    after: dict[str, str], kinds: set[str], words: set[str]
) -> None:
    found = changed(BEFORE, after)
    assert found.kinds == kinds and words <= found.words


def test_words_of_a_strategy_are_told_from_those_that_say_nothing() -> None:
    said = says("Add a replayBuffer", "The model should keep class means, and learn from these.")
    assert {"replay", "buffer", "mean", "keep"} <= said
    assert not {"model", "should", "from", "these"} & said


def test_cost_by_model_says_how_honest_each_model_was(connect: Connect, tmp_path: Path) -> None:
    count = iter(range(1000))
    with endpoint(lambda _: Reply.saying(f"note {next(count)}")) as server:
        connect(server.url)
        run_model(tmp_path / "a", 8)
    with Archive.open(tmp_path / "a", read_only=True) as archive:
        found: dict[str, Any] = costs(archive, "model")
        judged = [p for p in archive.proposals.select() if p.state in ("admitted", "rejected")]
        gains = [
            row["value"]
            for row in archive.database.rows(
                "SELECT value FROM gate_rows WHERE gate = 'screen' AND value IS NOT NULL"
            )
        ]
    [model] = found["honesty"]["models"]
    assert model["name"] == "scripted" and model["stated"] == len(judged) == len(gains)
    hits = [gain > 0 for gain in gains]
    assert model["gained"]["share"] == pytest.approx(sum(hits) / len(hits))
    brier = sum((0.5 - hit) ** 2 for hit in hits) / len(hits)
    assert model["brier"]["mean"] == pytest.approx(brier) and model["confidence"] == 0.5
    assert sum(one["count"] for one in model["curve"]) == len(judged)
    assert model["predicted"]["mean"] == pytest.approx(0.1)
    assert model["measured"]["mean"] == pytest.approx(sum(gains) / len(gains))
    assert sum(one["stated"] for one in found["honesty"]["improvers"]) == len(judged)
    assert json.dumps(found, allow_nan=False)
    done = CliRunner().invoke(cli, ["--archive", str(tmp_path / "a"), "cost", "--by", "model"])
    assert done.exit_code == 0, done.output
    assert "What models say of their edits" in done.output
    [row] = [
        line for line in done.output.splitlines() if line.startswith("scripted") and "[" in line
    ]
    assert f"{model['brier']['mean']:.3f} [" in row and "0.50" in row
