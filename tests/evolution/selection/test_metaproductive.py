"""Improvers by what their edits came to: kept by lineage, told with intervals, drawn more often."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from tests.evolution.selection.grove import Grove

from cambrian.archive import Archive, Gate
from cambrian.evolution.selection.improver_credit import ImproverCredit
from cambrian.evolution.selection.lineages import SPREAD, Belief, lineages
from cambrian.evolution.selection.selection import Selection
from cambrian.reports.agent.yields import improver_yields


class Improvers(Grove):
    """A grove whose agents have improvers, and whose proposals are a model's."""

    def bred(
        self,
        parent: int,
        improver: str,
        gain: float,
        *,
        admitted: bool = True,
        tokens: int = 1000,
        confidence: float | None = None,
        screen: float = 0.0,
    ) -> int:
        """Add a child that a model made, by its parent's improver."""
        agent_id, files = self.code()
        files |= {"improver.py": improver}
        proposals, idx = self.archive.proposals, self.archive.counts()["proposals"]
        opened = proposals.open(self.run.id, idx, idx - 1, [self.ids[parent]], "model")
        proposals.record_variant(
            opened.id,
            agent_id,
            files,
            title="t",
            hypothesis="h",
            confidence=confidence,
            stage="smoke",
        )
        self.archive.ledger.add_spend(
            phase="propose",
            model="m",
            prompt_tokens=tokens,
            completion_tokens=0,
            dollars=0.0,
            run_id=self.run.id,
            proposal_id=opened.id,
        )
        self.evaluate(agent_id, 0.5, 1)
        gates = [
            Gate(gate="screen", rule="r", verdict="pass", value=screen),
            Gate(gate="not_worse", rule="r", verdict="pass", value=gain),
        ]
        proposals.record(
            opened.id,
            "improvement" if admitted else None,
            "because",
            gates,
            score=0.5,
            lower=0.4,
            upper=0.6,
        )
        self.ids.append(agent_id)
        return len(self.ids) - 1


GOOD, DULL = "better = 1\n", "plain = 1\n"


@pytest.fixture
def grove(tmp_path: Path) -> Improvers:
    found = Improvers(Archive.create(tmp_path / "a"))
    found.seed(0.5)
    found.bred(0, DULL, 0.0)
    found.bred(0, GOOD, 0.0)
    for _ in range(4):
        found.bred(1, DULL, 0.3, admitted=False)
        found.bred(2, GOOD, 0.08)
    return found


def test_a_lineages_yield_is_what_was_admitted_and_has_an_interval(grove: Improvers) -> None:
    rows = improver_yields(grove.archive)
    by_tokens = {row["hash"]: row for row in rows}
    credit = ImproverCredit(grove.archive)
    good, dull = (by_tokens[credit.name(grove.ids[at])] for at in (2, 1))
    assert (good["proposals"], good["admitted"], good["tokens"]) == (4, 4, 4_000)
    assert good["gain"] == pytest.approx(0.08) and good["per_million"] == pytest.approx(80)
    assert dull["gain"] == 0 and dull["admitted"] == 0
    assert good["lower"] <= good["gain"] <= good["upper"]
    seeds = credit.name(grove.ids[0])
    assert good["above"] == seeds and by_tokens[seeds]["above"] == ""


def test_a_better_improver_is_drawn_more_often_and_a_new_one_has_its_chance(
    grove: Improvers,
) -> None:
    credit = ImproverCredit(grove.archive)

    def drawn() -> Counter[str]:
        selection, rng = Selection(grove.archive, "metaproductive"), np.random.default_rng(3)
        ids = [selection.draw(None, 1, rng)[0].agent_id for _ in range(400)]
        return Counter(map(credit.name, ids))

    good, dull = (credit.name(grove.ids[at]) for at in (2, 1))
    found = drawn()
    assert found[good] > 3 * found[dull] > 0
    newest = grove.bred(0, "new = 1\n", 0.0)
    assert drawn()[credit.name(grove.ids[newest])] > 20


def test_an_improver_that_has_come_to_claim_too_much_is_drawn_seldom(grove: Improvers) -> None:
    credit = ImproverCredit(grove.archive)
    good = credit.name(grove.ids[2])

    def share() -> float:
        selection, rng = Selection(grove.archive, "metaproductive"), np.random.default_rng(3)
        drawn = [selection.draw(None, 1, rng)[0].agent_id for _ in range(400)]
        return sum(credit.name(one) == good for one in drawn) / 400

    for at in range(20):  # half of what it is half sure of comes
        grove.bred(2, GOOD, 0.08, confidence=0.5, screen=0.1 if at % 2 else -0.1)
    assert share() > 0.5
    for _ in range(20):
        grove.bred(2, GOOD, 0.08, confidence=0.95, screen=-0.1)
    assert 0 < share() < 0.1


def test_a_draw_depends_on_nothing_that_was_decided_later(grove: Improvers) -> None:
    growing = Selection(grove.archive, "metaproductive")
    last = grove.archive.counts()["proposals"] - 1

    def draw(selection: Selection, through: int) -> list[str]:
        rng = np.random.default_rng(through)
        return [one.agent_id for one in selection.draw(through, 2, rng)]

    before = [draw(growing, through) for through in range(last)]
    grove.bred(1, "later = 1\n", 0.5)
    assert before == [
        draw(Selection(grove.archive, "metaproductive"), through) for through in range(last)
    ]


def test_a_rewrite_counts_for_the_improvers_above_it_and_a_circle_is_opened() -> None:
    found = lineages({"a": [0.1], "b": [0.2, 0.0], "c": []}, {"b": "a", "c": "b"})
    assert [found[name].own[0] for name in "abc"] == [1, 2, 0]
    assert [found[name].clade[0] for name in "abc"] == [3, 2, 0]
    assert [found[name].clade[1] for name in "abc"] == pytest.approx([0.3, 0.2, 0.0])
    assert found[""].below == ["a"] and found["a"].below == ["b"]
    circle = lineages({"a": [0.1], "b": [0.2]}, {"a": "b", "b": "a"})
    assert circle["a"].clade == circle["b"].clade and circle["a"].clade[0] == 2
    assert circle[""].below


def test_belief_starts_from_the_others_and_narrows_with_every_proposal() -> None:
    rng = np.random.default_rng(0)
    belief = Belief.of(lineages({"a": [0.0, 0.2], "b": [0.1, 0.1]}, {}))
    assert (belief.centre, belief.spread) == pytest.approx((0.1, 0.005**0.5))
    none, few, many = (
        np.array([belief.draw(made, rng) for _ in range(2000)])
        for made in ((0, 0.0), (1, 0.3), (100, 30.0))
    )
    assert none.mean() == pytest.approx(0.1, abs=0.005)
    assert few.mean() == pytest.approx(0.2, abs=0.005)
    assert many.mean() == pytest.approx(0.298, abs=0.001)
    assert many.std() < few.std() / 4 < none.std() / 4
    assert Belief.of({}) == Belief(0.0, SPREAD)
