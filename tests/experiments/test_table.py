"""A table of measured agents: its space, its file, and searches on it."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cambrian.agents.recombine import recombine
from cambrian.agents.recombine.operations import MAX_PARTS
from cambrian.errors import CambrianError, NotFound, Refused, UsageError
from cambrian.evaluators.job import evaluate
from cambrian.experiments.grounds import ground
from cambrian.experiments.simulate import Cell
from cambrian.experiments.simulate import measure as simulated
from cambrian.experiments.tabular import measuring, space
from cambrian.experiments.tabular.measuring import FAMILIES, ROWS, SEEDS, Row
from cambrian.experiments.tabular.page import document
from cambrian.experiments.tabular.surrogate import errors, fit
from cambrian.experiments.tabular.table import (
    FAILED,
    SHIPPED,
    every,
    load,
    measured,
    pack_into,
    shipped,
)
from cambrian.measurement import Unit
from cambrian.sandbox.backends.plain import PlainBackend
from cambrian.sandbox.session.session import Session


def _made(count: int) -> list[Row]:
    """Rows of a known truth: replay is worth 0.3, a gate 0.1, everything else nothing."""
    rng = np.random.default_rng(3)
    rows = []
    for one in space.sampled(count):
        worth = 0.3 * (one[1] == 1) + 0.1 * one[8]
        scores: list[list[float | None]] = [
            [round(float(worth + 0.2 * s + 0.02 * rng.standard_normal()), 5) for s in SEEDS]
            for _ in FAMILIES
        ]
        rows.append(Row(space.told(one), scores, scores, {}, 5.0, "0" * 12))
    return rows


def test_every_agent_of_the_space_is_one_that_recombination_can_rewrite() -> None:
    trees = [space.agent(one) for one in space.sampled(40)]
    assert len({tree.identity for tree in trees}) == 40
    for tree in trees[:5]:
        assert recombine([tree], None, random.Random(1)).operation["kind"]


def test_the_sample_is_the_same_each_time_and_fills_every_axis_evenly() -> None:
    first, again = list(space.sampled(500)), list(space.sampled(600))[:500]
    assert [space.told(one) for one in first] == [space.told(one) for one in again]
    assert all(space.valid(one) for one in first)
    table = np.array(first)
    for at, axis in enumerate(space.AXES):
        counts = np.bincount(table[:, at], minlength=len(axis.levels))
        assert counts.min() > 0.7 * 500 / len(axis.levels), axis.name


def test_no_agent_has_a_gate_without_heads_or_more_parts_than_recombination_makes() -> None:
    agents = every()
    assert len(agents) == space.size() == len({one.tobytes() for one in agents})
    names = list(space.NAMES)
    gate, head, hopfield = (names.index(n) for n in ("gate", "class_mean", "hopfield"))
    assert not ((agents[:, gate] == 1) & (agents[:, head] == 0) & (agents[:, hopfield] == 0)).any()
    optional = [at for at, axis in enumerate(space.AXES) if axis.optional]
    assert (agents[:, optional] > 0).sum(axis=1).max() == MAX_PARTS


def test_what_all_agents_share_is_taken_out_and_a_failure_counts_as_stated() -> None:
    rows = _made(60)
    scores, values, noise = measured(rows)
    assert scores.shape == (60, len(FAMILIES), len(SEEDS))
    assert noise == pytest.approx(0.02, rel=0.2)
    with_failure = [
        *rows[:-1],
        Row(rows[-1].genotype, [[None] * 3] * 3, [[None] * 3] * 3, {}, 1, ""),
    ]
    lower = measured(with_failure)[1]
    assert lower[-1].max() < values.min()
    assert lower[-1].mean() == pytest.approx(FAILED, abs=0.05)


def test_a_surrogate_learns_what_parts_are_worth_and_says_how_far_it_is_off() -> None:
    rows = _made(400)
    genotypes = np.array([space.untold(row.genotype) for row in rows])
    _, values, _ = measured(rows)
    error = errors(genotypes, values)["mean"]
    assert error["mae"] < 0.03
    assert error["r2"] > 0.9
    two = np.array([[0] * 11, [0, 1, *[0] * 9]], dtype=np.int8)
    plain, replay = fit(genotypes, values)(two)
    assert replay.mean() - plain.mean() == pytest.approx(0.3, abs=0.06)


def test_a_packed_table_is_read_back_with_its_card(tmp_path: Path) -> None:
    rows = _made(120)
    pack_into(tmp_path / "t.npz", rows)
    table = load(tmp_path / "t.npz")
    assert table.card["measured"] == 120
    assert table.card["agents"] == len(table.space) == len(table.values)
    assert [space.told(table.space[at]) for at in table.at] == [row.genotype for row in rows]
    assert np.allclose(table.values[table.at], measured(rows)[1], atol=1e-6)
    pack_into(tmp_path / "again.npz", rows)
    assert load(tmp_path / "again.npz").digest == table.digest
    with pytest.raises(UsageError, match="at least 50 measured agents; got 3"):
        pack_into(tmp_path / "few.npz", rows[:3])
    with pytest.raises(NotFound, match="--pack"):
        load(tmp_path / "none.npz")


def test_an_agent_scores_in_the_table_as_it_does_in_an_evaluation(tmp_path: Path) -> None:
    [row] = measuring.tabulate(1, tmp_path, workers=1)
    with Session(PlainBackend()) as session:
        session.install(space.agent(space.untold(row.genotype)))
        found = evaluate(session, Unit(FAMILIES[0], "full", SEEDS[1]))
    assert found.score == pytest.approx(row.scores[0][1], abs=1e-5)
    assert not row.causes
    with pytest.raises(Refused, match="--resume goes on"):
        next(measuring.tabulate(1, tmp_path))
    target = tmp_path / ROWS
    target.write_text(target.read_text() + '{"genotype": "cut off')
    assert list(measuring.tabulate(1, tmp_path, resume=True)) == []
    assert len(measuring.rows_in(tmp_path)) == 1
    target.write_text(target.read_text().replace(row.code, "f" * 12))
    with pytest.raises(Refused, match="measure into another folder"):
        next(measuring.tabulate(1, tmp_path, resume=True))
    target.write_text("{}\n")
    with pytest.raises(CambrianError, match="line 1"):
        measuring.rows_in(tmp_path)


def test_every_edit_of_an_agent_is_another_agent_of_the_space() -> None:
    land = ground("table")
    world = land.world(0)
    assert land.families == len(FAMILIES)
    rng = np.random.default_rng(1)
    known = {one.tobytes() for one in shipped().space}
    one, mate, moved = world.seeds[0], world.seeds[1], 0
    for _ in range(300):
        child = world.edit(one, mate, int(rng.integers(1, 4)), rng.random(land.chances))
        assert child.tobytes() in known
        moved += child.tobytes() != one.tobytes()
        one, mate = child, one
    assert moved > 200
    assert all(world.values(seed).mean() < world.optimum for seed in world.seeds)


def test_a_search_on_the_table_finds_better_than_its_seeds_and_no_better_than_the_best() -> None:
    block = simulated(Cell("table", "greedy", "better", 60), 0, 3)
    world = ground("table").world(0)
    start = max(float(world.values(seed).mean()) for seed in world.seeds)
    ends = [float(value or 0.0) for value in block.measures["at_end"]]
    assert start - 0.05 < min(ends)
    assert np.mean(ends) > start
    assert max(ends) <= world.optimum + 1e-6


def test_the_page_is_what_the_table_that_ships_says() -> None:
    page = Path(__file__).parents[2] / "docs" / "table.md"
    assert page.read_text(encoding="utf-8") == document(), "run tools/table_docs.py"


def test_the_example_searches_the_table_without_cambrian(tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / "examples" / "table_search.py"
    command = [sys.executable, "-I", str(example), str(SHIPPED), "60", "40"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    first, sample, climb = done.stdout.splitlines()
    assert first.startswith(f"{space.size()} agents")
    ends = [float(line.split(": ")[1].split(" ")[0]) for line in (sample, climb)]
    assert all(np.median(shipped().values.mean(axis=1)) < end for end in ends)
    assert "cambrian" not in example.read_text(encoding="utf-8").split('"""')[2]
