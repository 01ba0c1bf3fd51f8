"""The expert learners: within the limits of any agent on every kind of stream; scores not stale."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cambrian.agents.experts import EXPERTS, load_expert
from cambrian.agents.seeds import all_seed_names
from cambrian.errors import NotFound
from cambrian.evaluators.job import evaluate
from cambrian.evaluators.suites import GENERAL, suite
from cambrian.measurement import Unit
from cambrian.reports.scores.experts import document, expert_vectors, load, stale
from cambrian.sandbox.backends.plain import PlainBackend
from cambrian.sandbox.session.session import Session

KINDS = ("classes-in-turn", "renamed-classes", "short-tasks", "few-shot-clusters")


@pytest.fixture(params=EXPERTS)
def session(request: pytest.FixtureRequest) -> Iterator[Session]:
    held = Session(PlainBackend())
    held.install(load_expert(request.param))
    yield held
    held.close()


def test_an_expert_runs_within_its_limits_on_a_short_stream_of_each_kind(session: Session) -> None:
    for family in KINDS:
        found = evaluate(session, Unit(family, "smoke", 0))
        assert found.verdict == "scored", f"{family}: {found.reason}"


def test_an_expert_is_no_seed_and_is_found_by_name_alone() -> None:
    assert not set(EXPERTS) & set(all_seed_names())
    with pytest.raises(NotFound, match="expected an expert learner of rehearsal"):
        load_expert("composed")


def test_the_scores_that_ship_are_of_the_present_code() -> None:
    assert not stale(), "run tools/expert_scores.py"


def test_experts_are_shown_only_where_all_families_were_measured() -> None:
    found = expert_vectors(suite(GENERAL))
    assert {one.name for one in found} == set(EXPERTS)
    means = [one.mean(suite(GENERAL)) for one in found]
    assert means == sorted(means, reverse=True)
    families = {entry.benchmark for entry in suite(GENERAL).entries}
    for one in found:
        measured = {*one.scores, *one.failed}
        assert families <= measured == set(load()[one.name]["scores"])


def test_the_page_is_what_was_measured() -> None:
    page = Path(__file__).parents[2] / "docs" / "experts.md"
    assert page.read_text(encoding="utf-8") == document(), "run tools/expert_scores.py --page"
    for name in EXPERTS:
        assert name in document()
