"""A model that chooses among recombinations: what it is shown, what it may say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.evolution.models.asking import Connect
from tests.evolution.models.model_run import run_model

from cambrian.agents.recombine import Learned
from cambrian.agents.recombine.isolated import recombine_in_a_row
from cambrian.agents.seeds import load_seed
from cambrian.agents.tree import SourceTree
from cambrian.archive import Archive
from cambrian.evolution.models.roster.specs import ModelSpec
from cambrian.evolution.rewriting.rewriting import NoVariant, Variant
from cambrian.evolution.sources.choosing import State, by_choice, described
from cambrian.testing.endpoint import Reply, endpoint

PARENT = SourceTree(dict(load_seed("composed")))


class Chooser:
    """Says what it is told to; keeps what it was asked."""

    def __init__(self, says: str | int) -> None:
        self.says = says
        self.asked: list[dict[str, str]] = []
        self.choices: list[str] = []

    async def __call__(
        self, messages: list[dict[str, str]], choices: Sequence[str], cap: int | None
    ) -> str:
        self.asked, self.choices = messages, list(choices)
        return self.says if isinstance(self.says, str) else choices[self.says]


def choose(chooser: Chooser, state: State | None = None) -> Variant:
    async def chosen() -> Variant:
        return await by_choice(PARENT, "s/1", state or State(), chooser)

    return anyio.run(chosen)


def test_the_edit_is_the_recombination_that_was_picked() -> None:
    first, last = Chooser(0), Chooser(-1)
    one, other = choose(first), choose(last)
    assert first.choices == last.choices and len(first.choices) >= 3
    assert one.tree.identity != other.tree.identity
    for chooser, variant, at in ((first, one, 0), (last, other, -1)):
        operation: Any = variant.operation
        assert operation["chosen"] == {"line": chooser.choices[at], "of": len(chooser.choices)}
        assert described(operation) == chooser.choices[at]
        assert variant.tree.identity != PARENT.identity


def test_a_model_sees_what_the_optimisers_know() -> None:
    chooser = Chooser(0)
    choose(chooser)
    grafts = [line.split()[1] for line in chooser.choices if line.startswith("graft")]
    knowing = Chooser(0)
    state = State(
        learned=Learned(kinds={"composed": {"graft": 2.5}}),
        gains={name: [0.1, 0.3] for name in grafts},
        score=0.625,
    )
    choose(knowing, state)
    said = knowing.asked[-1]["content"]
    assert "0.625" in said and "favoured 2.5 times" in said
    assert "tried 2 times, mean gain +0.200" in said
    assert all(line in said for line in knowing.choices)


@pytest.mark.parametrize("said", ["nothing of the kind", "", "graft"])
def test_what_is_no_choice_makes_no_variant(said: str) -> None:
    with pytest.raises(NoVariant, match="chose none of the"):
        choose(Chooser(said))


def test_recombinations_apart_are_each_of_the_parent() -> None:
    apart = recombine_in_a_row([PARENT], ["a", "b"], apart=True)
    alone = [recombine_in_a_row([PARENT], [seed])[0] for seed in ("a", "b")]
    assert [one.to_json() for one in apart] == [one.to_json() for one in alone]


def test_every_proposal_of_a_choosing_model_is_accounted_for(
    connect: Connect, tmp_path: Path
) -> None:
    def script(request: dict[str, Any]) -> Reply:
        """Picks a line of the grammar; every fourth question, something else."""
        lines = request["grammar"].removeprefix("root ::= ").split(" | ")
        script.count += 1  # type: ignore[attr-defined]
        return Reply.saying("no" if script.count % 4 == 0 else lines[0].strip('"'))  # type: ignore[attr-defined]

    script.count = 0  # type: ignore[attr-defined]
    with endpoint(script) as server:
        connect(server.url)
        spec = {"scripted": ModelSpec(role="choose", temperature=0.7)}
        run_model(tmp_path / "a", 8, endpoints=spec)
    with Archive.open(tmp_path / "a", read_only=True) as archive:
        proposals = archive.proposals.select()
        spent = archive.ledger.total()
    assert len(proposals) == 8 and all(one.terminal for one in proposals)
    assert spent.calls == len(server.requests) == 8
    bad = [one for one in proposals if one.state == "invalid"]
    assert len(bad) == 2 and all("chose none" in str(one.reason) for one in bad)
    made = [one for one in proposals if one.state != "invalid"]
    assert all(one.operation["chosen"]["of"] > 1 for one in made)
    assert all(request["max_tokens"] <= 512 for request in server.requests)
