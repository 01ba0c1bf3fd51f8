"""The page of the families, and the weights that follow from what is on it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from cambrian.agents.references import REFERENCES, SHORTCUTS
from cambrian.evaluators.families import FAMILIES
from cambrian.evaluators.families.shipped import mean_scores, table, weights
from cambrian.evaluators.suites import suite

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "families.md").read_text(encoding="utf-8")
SEARCH = {family.name: family for family in FAMILIES if not family.sealed_only}


def test_the_page_says_what_was_measured() -> None:
    call = [sys.executable, str(ROOT / "tools" / "families.py"), "--check"]
    done = subprocess.run(call, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_family_of_a_search_has_every_reference_at_its_present_version() -> None:
    rows = table()["search"]
    assert set(rows) == set(SEARCH)
    for name, agents in rows.items():
        assert set(agents) == set(REFERENCES)
        assert {row["version"] for row in agents.values()} == {SEARCH[name].version}


def test_the_shipped_weights_follow_from_the_references_and_are_those_of_the_suites() -> None:
    assert set(weights()) == set(SEARCH)
    assert all(0 < weight <= 1 for weight in weights().values())
    assert {e.benchmark: e.weight for e in suite("drift").entries} == {
        name: weights()[name] for name, family in SEARCH.items() if family.kind == "drift"
    }


def test_each_kind_of_family_counts_as_much_as_any_other_in_general() -> None:
    total: dict[str, float] = {}
    for entry in suite("general").entries:
        kind = SEARCH[entry.benchmark].kind
        total[kind] = total.get(kind, 0.0) + entry.weight
    assert max(total.values()) <= 1.1 * min(total.values())


def test_no_shortcut_comes_near_the_ceiling_of_the_whole_suite() -> None:
    """Over all kinds; one does so on `continual` alone, as the page says."""
    entries = suite("general").entries
    total = sum(entry.weight for entry in entries)
    for agent in SHORTCUTS:
        scores = [e.weight * mean_scores(table()["search"][e.benchmark])[agent] for e in entries]
        assert sum(scores) / total < 0.5, agent
    assert "`continual`" in PAGE and "**won by a shortcut**" in PAGE
