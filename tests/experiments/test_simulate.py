"""A measurement may be stopped anywhere and go on; what it says is paired by repeat."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from cambrian.errors import CambrianError, NotFound, Refused
from cambrian.evaluators.statistics import paired_difference
from cambrian.experiments import expectations, page, simulate
from cambrian.experiments.simulate import RESULTS, Block, Cell, load
from cambrian.experiments.summary import as_data, markdown, summaries

CELLS = [Cell("stones", name, "keep-all", 15) for name in ("greedy", "random", "dgm")]
PAGE = Path(__file__).parents[2] / "docs" / "does-the-archive-pay.md"


def figures(blocks: list[Block]) -> list[object]:
    return [(block.cell, block.first, dict(block.measures)) for block in blocks]


def test_a_killed_measurement_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulate, "BLOCK", 2)
    whole = list(simulate.simulate(CELLS, 5, tmp_path / "whole"))
    assert [block.first for block in whole] == [0, 0, 0, 2, 2, 2, 4, 4, 4]
    cut = simulate.simulate(CELLS, 5, tmp_path / "cut")
    for _ in range(4):
        next(cut)
    cut.close()
    target = tmp_path / "cut" / RESULTS
    text = target.read_text("utf-8")
    target.write_text(text[:-20], "utf-8")
    rest = list(simulate.simulate(CELLS, 5, tmp_path / "cut", resume=True))
    assert len(rest) == 6
    assert figures(load(tmp_path / "cut")) == figures(load(tmp_path / "whole")) == figures(whole)
    assert not list(simulate.simulate(CELLS, 5, tmp_path / "cut", resume=True))


def test_results_are_not_added_to_unasked_nor_to_those_of_other_code(tmp_path: Path) -> None:
    list(simulate.simulate(CELLS[:1], 1, tmp_path))
    with pytest.raises(Refused, match="--resume goes on"):
        list(simulate.simulate(CELLS, 1, tmp_path))
    target = tmp_path / RESULTS
    line = json.loads(target.read_text("utf-8"))
    target.write_text(json.dumps({**line, "code": "0" * 12}) + "\n", "utf-8")
    with pytest.raises(Refused, match="expected results of this code"):
        list(simulate.simulate(CELLS, 1, tmp_path, resume=True))


def test_missing_and_broken_results_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="expected results in"):
        load(tmp_path)
    for text in ("{}", "no json", "[1]"):
        (tmp_path / RESULTS).write_text(text + "\n", "utf-8")
        with pytest.raises(CambrianError, match="expected a block of results in line 1"):
            load(tmp_path)


def test_differences_are_paired_by_repeat_and_compressed_results_are_read(tmp_path: Path) -> None:
    list(simulate.simulate(CELLS, 6, tmp_path))
    packed = tmp_path / "kept.jsonl.gz"
    packed.write_bytes(gzip.compress((tmp_path / RESULTS).read_bytes()))
    blocks = load(packed)
    found = {one.cell.strategy: one for one in summaries(blocks)}
    ends = {block.cell.strategy: block.measures["at_end"] for block in blocks}
    mine, its = ([float(x or 0) for x in ends[name]] for name in ("dgm", "greedy"))
    assert found["dgm"].against["greedy"] == paired_difference(mine, its)
    assert found["dgm"].best["at_end"] == pytest.approx(np.mean(mine))
    assert set(found["greedy"].against) == {"random"}
    table = markdown(list(found.values()))
    assert table.startswith("### stones, keep-all, 15 proposals")
    assert all(f"| {name} | " in table for name in found)
    assert as_data(found["dgm"])["repeats"] == 6


def test_an_expectation_is_judged_by_its_paired_interval() -> None:
    def block(name: str, ends: list[float]) -> Block:
        columns: dict[str, list[float | int | None]] = {
            key: list(ends) for key in ("at_end", "area", "diversity", "stones", "members")
        }
        return Block(Cell("stones", name, "keep-all", 9), 0, {**columns, "time": [None] * 4}, 1, "")

    blocks = [
        block("greedy", [0.5, 0.6, 0.5, 0.6]),
        block("dgm", [0.7, 0.8, 0.7, 0.81]),
        block("novelty", [0.3, 0.4, 0.3, 0.41]),
        block("pareto", [0.4, 0.7, 0.5, 0.6]),
    ]
    found = expectations.findings(summaries(blocks))
    assert {one.expected.strategy: one.verdict for one in found} == {
        "dgm": "as expected",
        "novelty": "the other way round",
        "pareto": "no difference shown",
    }


def test_the_page_names_who_beats_greedy_and_who_does_not_beat_random(tmp_path: Path) -> None:
    ends = {
        "greedy": [0.5, 0.6, 0.5, 0.6],
        "random": [0.4, 0.45, 0.4, 0.5],
        "dgm": [0.7, 0.8, 0.7, 0.81],
        "last": [0.3, 0.4, 0.3, 0.41],
    }
    lines = []
    for name, values in ends.items():
        columns = dict.fromkeys(("at_end", "area", "diversity", "stones", "members"), values)
        cell = {"landscape": "stones", "strategy": name, "admission": "keep-all", "budget": 9}
        line = {"cell": cell, "first": 0, "measures": {**columns, "time": [3, None, 4, 5]}}
        lines.append(json.dumps({"key": "", **line, "seconds": 1, "code": "c"}))
    stored = tmp_path / "some.jsonl"
    stored.write_text("\n".join(lines) + "\n", "utf-8")
    text = page.document(stored)
    assert "| stones | keep-all | 9 | `dgm` | `random`, `last` | `last` |" in text
    assert "1 went as expected" in text and "This is a beginning" in text


def test_the_page_says_what_is_stored() -> None:
    assert PAGE.read_text("utf-8") == page.document(), "run tools/payoff_docs.py"
