"""Suites: what makes two the same, and what is kept of one."""

from __future__ import annotations

import pytest

from cambrian.errors import NotFound, UsageError
from cambrian.evaluators.benchmarks import DEFAULT
from cambrian.evaluators.suites import is_present, suite_of
from cambrian.suite import Entry, Suite


def test_benchmarks_named_one_by_one_count_alike() -> None:
    suite = suite_of(("label-drift", "split-mnist"))
    assert suite.benchmarks == ("label-drift", "split-mnist")
    assert suite.weights == {"label-drift": 0.5, "split-mnist": 0.5}
    assert is_present(suite)
    assert suite_of(()).benchmarks == DEFAULT


def test_the_name_and_the_order_do_not_make_another_suite() -> None:
    one = Suite("a", (Entry("x", "1"), Entry("y", "1", 2.0)))
    assert one.hash == Suite("b", (Entry("y", "1", 2.0), Entry("x", "1"))).hash
    assert one.hash != Suite("a", (Entry("x", "2"), Entry("y", "1", 2.0))).hash
    assert one.hash != Suite("a", (Entry("x", "1"), Entry("y", "1"))).hash


def test_a_suite_comes_back_from_its_json() -> None:
    suite = Suite("mine", (Entry("split-mnist", "0", 3.0), Entry("label-drift", "1")))
    assert Suite.from_json(suite.to_json()) == suite
    assert not is_present(suite)
    with pytest.raises(UsageError, match="expected a suite"):
        Suite.from_json({"name": "x"})
    with pytest.raises(UsageError, match="a weight above 0"):
        Entry("split-mnist", "1", 0.0)


def test_an_unknown_benchmark_is_refused() -> None:
    with pytest.raises(NotFound, match="no benchmark is called"):
        suite_of(("nothing",))
