"""Proposals of several edits, and mechanisms that were never tried."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import anyio
from tests.evolution.running import settings

from cambrian.agents.edits import MAX_TITLE, apply
from cambrian.agents.seeds import load_seed
from cambrian.archive import Archive
from cambrian.evolution.rewriting.operator_credit import mechanisms_of
from cambrian.evolution.rewriting.proposing import EDITS
from cambrian.evolution.rewriting.rewriting import Variant, by_recombination
from cambrian.reports.mechanisms import uses
from cambrian.testing.instant_run import grow


def test_edits_in_a_row_are_one_edit_of_the_parent() -> None:
    parent = load_seed("composed")

    async def made(steps: int) -> Variant:
        return await by_recombination([parent], "7/1/0", steps=steps)

    one, three = (anyio.run(made, steps) for steps in (1, 3))
    assert one.operation is not None and three.operation is not None
    chain = three.operation["chain"]
    assert len(chain) == 3
    assert chain[0] | {"of": three.operation["of"]} == {
        key: value for key, value in one.operation.items() if key != "made"
    }
    assert apply(parent, three.edit).identity == three.tree.identity
    assert three.edit.title.startswith(one.edit.title[:40])
    assert len(three.edit.title) <= MAX_TITLE


def test_a_run_makes_proposals_of_one_to_three_edits_and_tries_everything_first(
    tmp_path: Path,
) -> None:
    path = tmp_path / "archive"
    grow(path, settings(proposals=24))
    with Archive.open(path, read_only=True) as archive:
        rows = archive.database.rows(
            "SELECT idx, operation FROM proposals WHERE operation IS NOT NULL ORDER BY idx"
        )
        found = uses(archive)
    operations = [json.loads(row["operation"]) for row in rows]
    lengths = Counter(len(one.get("chain", [one])) for one in operations)
    assert set(lengths) == {1, 2, 3}
    assert lengths[1] > lengths[2] > 0
    tried = [mechanisms_of(one) for one in operations]
    counted = Counter(name for names in tried for name in names)
    assert {name: one.proposed for name, one in found.items()} == counted
    # Not more than the lag lets be made at once of any, while another was never tried.
    assert len(counted) >= 8
    assert max(counted.values()) <= 4
    assert abs(sum(EDITS) - 1) < 1e-9
