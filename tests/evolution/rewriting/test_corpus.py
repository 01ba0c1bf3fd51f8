"""A corpus of answers: what one means is found in every format, with every fault."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[3] / "benchmarks"))

import edits as bench
from _answers import CUT, FAULTS, FORMATS, corpus

CASES = list(corpus())


def test_there_are_twenty_formats_and_ten_faults_at_least() -> None:
    assert len(FORMATS) >= 20 and len(FAULTS) >= 10 and len(CASES) >= 200


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault != CUT])
def test_an_answer_with_a_fault_gives_the_agent_that_was_meant(fault: str) -> None:
    wrong = [
        case.name
        for case in CASES
        if case.fault == fault and not bench.is_meant(case, bench.at_once(case.text))
    ]
    assert not wrong


def test_an_answer_that_was_cut_off_is_mended_or_refused_and_never_made_in_part() -> None:
    cases = [case for case in CASES if case.fault == CUT]
    assert all(bench.at_once(case.text) is None for case in cases)
    made = [(case, bench.repaired(case)) for case in cases]
    assert all(tree is None or bench.is_meant(case, tree) for case, tree in made)
    assert sum(tree is not None for _, tree in made) >= 0.9 * len(made)
