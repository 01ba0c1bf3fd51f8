"""Whatever a learner's end sends, the trusted end raises a learner's failure, in time and memory.

The same generators run for as long as one likes by hand: `python benchmarks/fuzz.py --minutes 60`.
"""

from __future__ import annotations

import math
import tracemalloc
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from cambrian.testing.hostile_descriptions import descriptions
from cambrian.testing.hostile_peer import (
    VERBS,
    Found,
    Trial,
    attempt,
    honest,
    report_of,
    trials,
)

FIXED = settings(
    deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
UNNUMBERED = {"start", "boundary", "finish", "save", "load", "diagnose", "improve"}
"""Verbs whose answers hold no predictions."""
MOST = 80 << 20
"""Bytes: what a learner may have kept of itself (64 MiB), which it may announce, and some more."""


@pytest.fixture(scope="module")
def share(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("share")
    (folder / "data").mkdir()
    return folder


@pytest.mark.parametrize("verb", VERBS)
def test_what_is_fuzzed_goes_beyond_the_first_check(verb: str, share: Path) -> None:
    """An honest learner's exchange is answered; spoilt in one place, it ends as that place says."""
    assert attempt(honest(verb), share) == Found("answered")
    assert attempt(honest(verb, shift=1), share) == Found("protocol")
    assert attempt(honest(verb, cut=30), share) == Found("timeout")
    assert attempt(honest(verb, cut=30, after="closed"), share) == Found("closed")
    numbers = "answered" if verb in UNNUMBERED else "nonfinite"
    assert attempt(honest(verb, fill=(math.nan,)), share) == Found(numbers)


def test_nothing_but_the_learners_failure_comes_of_what_it_sends(share: Path) -> None:
    """Of 1,500 exchanges. Which are drawn changes with any constant of the package (Hypothesis
    tries those too), so nothing is asked of how often a verb comes to what."""
    seen = Counter[str]()

    @given(trial=trials)
    @settings(FIXED, max_examples=1500)
    def tried(trial: Trial) -> None:
        found = attempt(trial, share)
        assert not found.wrong, found.wrong
        seen[found.outcome] += 1

    tried()
    assert {"answered", "closed", "exception", "protocol"} <= seen.keys()


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
