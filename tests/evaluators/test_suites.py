"""Suites: what makes two the same, and what is kept of one."""

from __future__ import annotations

import pytest

from cambrian.errors import NotFound, UsageError
from cambrian.evaluators.benchmarks import DEFAULT
from cambrian.evaluators.families import FAMILIES
from cambrian.evaluators.suites import (
    of_benchmarks,
    sealed_part,
    suite,
    suite_names,
    suite_of,
)
from cambrian.suite import Entry, Suite


def test_benchmarks_named_one_by_one_count_alike() -> None:
    suite = of_benchmarks(("label-drift", "split-mnist"))
    assert suite.benchmarks == ("label-drift", "split-mnist")
    assert suite.weights == {"label-drift": 0.5, "split-mnist": 0.5}
    assert of_benchmarks(()).benchmarks == DEFAULT


def test_the_name_and_the_order_do_not_make_another_suite() -> None:
    one = Suite("a", (Entry("x", "1"), Entry("y", "1", 2.0)))
    assert one.hash == Suite("b", (Entry("y", "1", 2.0), Entry("x", "1"))).hash
    assert one.hash != Suite("a", (Entry("x", "2"), Entry("y", "1", 2.0))).hash
    assert one.hash != Suite("a", (Entry("x", "1"), Entry("y", "1"))).hash


def test_a_suite_comes_back_from_its_json() -> None:
    suite = Suite("mine", (Entry("split-mnist", "0", 3.0), Entry("label-drift", "1")))
    assert Suite.from_json(suite.to_json()) == suite
    with pytest.raises(UsageError, match="expected a suite"):
        Suite.from_json({"name": "x"})
    with pytest.raises(UsageError, match="a weight above 0"):
        Entry("split-mnist", "1", 0.0)


def test_an_unknown_benchmark_is_refused() -> None:
    with pytest.raises(NotFound, match="no benchmark is called"):
        of_benchmarks(("nothing",))


def test_every_kind_of_family_is_a_suite_and_general_has_them_all() -> None:
    assert suite_names() == ("continual", "drift", "plasticity", "few-shot", "general")
    kinds = [suite(name) for name in suite_names()[:-1]]
    everything = suite("general")
    assert sorted(everything.benchmarks) == sorted(n for kind in kinds for n in kind.benchmarks)
    assert len(everything.entries) >= 10
    assert everything.hash != of_benchmarks(everything.benchmarks).hash


def test_what_is_sealed_is_in_no_suite() -> None:
    sealed = set(sealed_part("general"))
    assert len(sealed) >= 3
    assert sealed == {family.name for family in FAMILIES if family.sealed_only}
    assert not sealed & set(suite("general").benchmarks)
    for name in suite_names():
        assert set(sealed_part(name)) <= sealed
        assert sealed_part(name)


def test_a_runs_suite_is_the_named_one_or_that_of_its_benchmarks() -> None:
    assert suite_of("drift", ()) == suite("drift")
    assert suite_of("", ("label-drift",)) == of_benchmarks(("label-drift",))


def test_an_unknown_suite_is_refused_with_those_there_are() -> None:
    with pytest.raises(NotFound, match=r"no suite is called 'sums'.*general"):
        suite("sums")
    with pytest.raises(NotFound, match="no suite is called"):
        sealed_part("sums")
