"""What an improver is shown: the same shape at the gate as in a run, and every card in its turn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cambrian.agents.catalogue import catalogue
from cambrian.agents.improvers.default import Improver
from cambrian.agents.improvers.probe import probe_evidence
from cambrian.agents.seeds import load_seed
from cambrian.archive import Archive
from cambrian.evolution.rewriting.evidence import CARDS_SHOWN, cards, evidence
from cambrian.evolution.settings import Settings
from cambrian.testing.instant_run import grow

ONE = ("split-mnist",)


def shape(value: Any) -> Any:
    """Keys and types, recursively; of a list, the shapes of its items."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in sorted(value.items())}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    # A number that is not known (of a variant that was rejected early) is None.
    known = value is not None and not isinstance(value, int | float)
    return type(value).__name__ if known else "number"


def test_the_gates_evidence_has_the_shape_of_a_runs(tmp_path: Path) -> None:
    grow(tmp_path / "a", Settings(seed=3, proposals=14, benchmarks=ONE, sandbox="none"))
    with Archive.open(tmp_path / "a") as archive:
        last = archive.counts()["proposals"]
        run = archive.runs.start(1, {}, 1)
        parent = next(
            agent
            for agent in archive.agents.select()
            if agent.parents and archive.agents.children_through(agent.id, last, 1)
        )
        failed = archive.agents.children_through(parent.id, last, 1)[0]
        row = archive.evaluations.record_of(archive.evaluations.of(failed.id)[0])
        fails = {**vars(row), "verdict": "failed", "score": None, "seed": 99, "reason": "late"}
        archive.evaluations.record(failed.id, type(row)(**fails))
        proposal = archive.proposals.open(run.id, last, last - 1, [parent.id], "model")
        real = evidence(archive, proposal, ONE)
    probe = probe_evidence()
    for one in (real, probe):  # what is said in a card, and which files there are, is open
        one["cards"] = [{"name": card["name"]} for card in one["cards"]]
        one["code"] = {"learner.py": one["code"]["learner.py"]}
    assert shape(probe) == shape(real)


def test_the_model_is_shown_every_key_of_the_evidence() -> None:
    given = probe_evidence()
    [_, user] = Improver().messages(given)
    for key in {key for key, value in given.items() if value} - {"code"}:
        assert f"## {key}\n" in user["content"]
    assert "flops_allowed" in user["content"]


STREAM = [name for name, found in catalogue().items() if "stream" in found.card["skeletons"]]


def test_a_parent_is_shown_what_its_skeleton_can_use() -> None:
    for skeleton, own in (("control", "q_learning"), ("meta", "reptile")):
        code = dict(load_seed(f"composed_{skeleton}"))
        del code[f"parts/{own}.py"]  # so that it is among what the parent lacks
        shown = {name for index in range(20) for name in cards(code, index, {})}
        assert own in shown
        assert all(skeleton in catalogue()[name].card["skeletons"] for name in shown)
    assert {"reptile", "q_learning"}.isdisjoint(STREAM)


def test_every_card_is_shown_in_its_turn_and_the_same_ones_for_a_proposal() -> None:
    names = STREAM
    code = {"learner.py": "", "parts/reservoir.py": ""}
    shown = [cards(code, index, {}) for index in range(len(names))]
    assert all(len(set(one)) == CARDS_SHOWN for one in shown)
    assert {name for one in shown for name in one} == set(names) - {"reservoir"}
    assert shown == [cards(code, index, {}) for index in range(len(names))]


def test_what_has_paid_is_always_shown_and_what_the_parent_has_only_fills_up() -> None:
    names = STREAM
    weights = {names[-1]: 9.0, names[-2]: 8.0}
    for index in range(5):
        shown = cards({"learner.py": ""}, index, weights)
        assert shown[:2] == [names[-1], names[-2]] and len(set(shown)) == CARDS_SHOWN
    most = {f"parts/{name}.py": "" for name in names[2:]}
    assert set(names[:2]) < set(cards(most, 3, {}))
    assert len(set(cards(most, 3, {}))) == CARDS_SHOWN
