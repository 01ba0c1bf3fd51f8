"""Controls for models: the same question from the seeds (`random`), or the newest only (`last`)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.evolution.models.asking import Connect
from tests.evolution.models.model_run import Asking, run_model

from cambrian.archive import Archive
from cambrian.cli.run.options import asked_of
from cambrian.errors import UsageError
from cambrian.evolution.models.prices import Price
from cambrian.evolution.models.roster.specs import ModelSpec
from cambrian.evolution.runtime.workers import Ask
from cambrian.experiments.ablation import Plan, cells, settings_of
from cambrian.testing.endpoint import Reply, endpoint


class Showing(Asking):
    """Asks with all that it was shown."""

    async def improve(self, files: Any, evidence: Any, ask: Ask) -> dict[str, Any]:
        async def whole(_: list[dict[str, str]]) -> str:
            return await ask([{"role": "user", "content": json.dumps(evidence, sort_keys=True)}])

        return await super().improve(files, evidence, whole)


def questions(connect: Connect, home: Path, selection: str) -> tuple[list[str], list[str], int]:
    """What was asked, of which parents, and the tokens that were used."""
    count = iter(range(1000))
    with endpoint(lambda _: Reply.saying(f"note {next(count)}")) as server:
        connect(server.url)
        run_model(home, 12, Showing, selection=selection, workers=1, tokens=10**8)
    with Archive.open(home, read_only=True) as archive:
        parents = [one.parents[0] for one in archive.proposals.select()]
        spent = archive.ledger.total()
    asked = [request["messages"][0]["content"] for request in server.requests]
    return asked, parents, spent.prompt_tokens + spent.completion_tokens


def test_the_control_without_an_archive_asks_the_same_of_the_same_seed(
    connect: Connect, tmp_path: Path
) -> None:
    asked, parents, _ = questions(connect, tmp_path / "iid", "random")
    of = dict(zip(parents, asked, strict=True))
    assert 1 < len(of) < 12
    assert [of[parent] for parent in parents] == asked
    assert all(json.loads(one)["history"] == [] for one in asked)
    with Archive.open(tmp_path / "iid", read_only=True) as archive:
        assert {seed.id for seed in archive.agents.seeds()} >= set(parents)


def test_the_sequential_control_goes_on_from_the_newest_member(
    connect: Connect, tmp_path: Path
) -> None:
    asked, parents, _ = questions(connect, tmp_path / "last", "last")
    assert len(set(asked)) > 6 and len(set(parents)) > 1


def test_every_search_of_an_ablation_has_the_same_tokens_and_models() -> None:
    prices, specs = {"m": "1,2"}, {"m": ModelSpec(share=0.5)}
    asked = asked_of({"rewriter": "model", "model": ""}, prices, specs)
    plan = Plan("continual", None, None, "model", asked.pop("model"), 5000)
    found = [
        settings_of(plan, cell, 1, "none", asked)
        for cell in cells(("dgm", "random", "last"), ("stepping-stones",), 1)
    ]
    assert [one.selection for one in found] == ["dgm", "random", "last"]
    for one in found:
        assert (one.tokens, one.models, one.rewriter) == (5000, ("m",), "model")
        assert one.prices == {"m": Price(1.0, 2.0)} and one.endpoints == specs
    assert settings_of(plan, None, 1, "none").rewriter == "recombine"


def test_a_plan_without_models_is_kept_as_before_and_one_without_an_end_refused() -> None:
    assert Plan("continual", 3).to_json() == {"suite": "continual", "judged": 3, "cpu_s": None}
    assert Plan("continual", 3, None, "model", "m", 9).to_json()["tokens"] == 9
    with pytest.raises(UsageError, match="--budget, --cpu-seconds or --tokens"):
        Plan("continual")
