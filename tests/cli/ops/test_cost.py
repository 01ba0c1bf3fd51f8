"""`cambrian cost`: what was spent, by whom and for what."""

from __future__ import annotations

import json

from tests.cli.conftest import Cli, EvolvedArchive

from cambrian.archive import Archive


def test_cost_adds_up_by_model_day_phase_and_agent(run_cli: Cli, grown: EvolvedArchive) -> None:
    with Archive.open(grown.path) as archive:
        for model, estimated in (("a", False), ("a", True), ("b", False)):
            archive.ledger.add_spend(
                phase="propose",
                model=model,
                prompt_tokens=100,
                completion_tokens=10,
                dollars=0.5,
                run_id=1,
                proposal_id=1,
                estimated=estimated,
            )
    by_model = json.loads(run_cli("cost", "--by", "model", "--json").stdout)
    assert [(i["name"], i["calls"], i["estimated"]) for i in by_model["items"]] == [
        ("a", 2, 1),
        ("b", 1, 0),
    ]
    for by in ("day", "phase", "agent"):
        [row] = json.loads(run_cli("cost", "--by", by, "--json").stdout)["items"]
        assert (row["calls"], row["dollars"]) == (3, 1.5)
    assert "1 calls" in run_cli("cost", "--by", "model").stdout
