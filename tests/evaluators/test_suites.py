"""Suites: what makes two the same, and what is kept of one."""

from __future__ import annotations

import pytest

from cambrian.errors import NotFound, UsageError
from cambrian.evaluators.benchmarks import DEFAULT
from cambrian.evaluators.suites import Entry, Suite


def test_benchmarks_named_one_by_one_count_alike() -> None:
    suite = Suite.of(("label-drift", "split-mnist"))
    assert suite.benchmarks == ("label-drift", "split-mnist")
    assert suite.weights == (0.5, 0.5)
    assert suite.is_current
    assert Suite.of(()).benchmarks == DEFAULT


def test_the_name_and_the_order_do_not_make_another_suite() -> None:
    one = Suite("a", (Entry("x", "1"), Entry("y", "1", 2.0)))
    assert one.hash == Suite("b", (Entry("y", "1", 2.0), Entry("x", "1"))).hash
    assert one.hash != Suite("a", (Entry("x", "2"), Entry("y", "1", 2.0))).hash
    assert one.hash != Suite("a", (Entry("x", "1"), Entry("y", "1"))).hash


def test_a_suite_comes_back_from_its_json() -> None:
    suite = Suite("mine", (Entry("split-mnist", "0", 3.0), Entry("label-drift", "1")))
    assert Suite.from_json(suite.to_json()) == suite
    assert not suite.is_current
    with pytest.raises(UsageError, match="expected a suite"):
        Suite.from_json({"name": "x"})


def test_an_unknown_benchmark_is_refused() -> None:
    with pytest.raises(NotFound, match="no benchmark is called"):
        Suite.of(("nothing",))
