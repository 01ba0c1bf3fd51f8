"""Whatever a learner's end sends, the trusted end raises a learner's failure, in time and memory.

The same generators run for as long as one likes by hand: `python benchmarks/fuzz.py --minutes 60`.
"""

from __future__ import annotations

import tracemalloc
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from cambrian.testing.hostile_descriptions import descriptions
from cambrian.testing.hostile_peer import VERBS, Trial, attempt, report_of, trials

FIXED = settings(
    deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
MOST = 80 << 20
"""Bytes: what a learner may have kept of itself (64 MiB), which it may announce, and some more."""


@pytest.fixture(scope="module")
def share(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("share")
    (folder / "data").mkdir()
    return folder


def test_nothing_but_the_learners_failure_comes_of_what_it_sends(share: Path) -> None:
    """Of 1,500 exchanges, which go beyond the first check: every verb is answered too."""
    seen: dict[str, Counter[str]] = {name: Counter() for name in VERBS}

    @given(trial=trials)
    @settings(FIXED, max_examples=1500)
    def tried(trial: Trial) -> None:
        found = attempt(trial, share)
        assert not found.wrong, found.wrong
        seen[trial.verb][found.outcome] += 1

    tried()
    assert all(found["answered"] and len(found) > 1 for found in seen.values()), seen
    causes = {"protocol", "timeout", "nonfinite", "exception"}
    assert sum(seen.values(), Counter[str]()).keys() >= causes, seen


@given(trial=trials)
@settings(FIXED, max_examples=150)
def test_what_a_learner_sends_takes_no_memory_to_speak_of(trial: Trial, share: Path) -> None:
    tracemalloc.start()
    try:
        attempt(trial, share)
        assert tracemalloc.get_traced_memory()[1] < MOST
    finally:
        tracemalloc.stop()


@given(meta=descriptions)
@settings(FIXED, max_examples=500)
def test_a_report_is_a_report_or_refused(meta: bytes) -> None:
    assert report_of(meta) == ""
