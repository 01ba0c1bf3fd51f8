"""docs/metrics.md says what the code does: every metric, once, with its paper."""

from __future__ import annotations

import inspect
from pathlib import Path

from cambrian.evaluators import metrics
from cambrian.evaluators.metrics.catalogue import SECTIONS, document

ENTRIES = [entry for entries in SECTIONS.values() for entry in entries]
HELPERS = {
    "backward_transfers", "confidences", "cumulative", "dominates", "forward_transfers",
    "front_hypervolume", "lifelong_metrics", "lifetime", "lifetime_transfer", "normalised",
    "predicted_labels", "recovery_times", "smoothed", "terminal_performance",
}  # fmt: skip
"""What prepares or sums up, and is no metric of its own."""


def test_the_page_is_the_catalogue() -> None:
    page = Path(__file__).parents[3] / "docs/metrics.md"
    assert page.read_text(encoding="utf-8") == document(), "run tools/metrics_docs.py"


def test_every_metric_is_in_the_catalogue_once() -> None:
    functions = {n for n in metrics.__all__ if inspect.isfunction(getattr(metrics, n))}
    named = [entry.function for entry in ENTRIES]
    assert len(named) == len(set(named))
    assert functions - HELPERS <= set(named) <= functions


def test_names_are_used_once_and_every_metric_has_a_source() -> None:
    names = [entry.name for entry in ENTRIES]
    assert len(names) == len(set(names))
    assert all(entry.definition and entry.paper for entry in ENTRIES)


def test_the_source_is_named_in_the_functions_own_words_too() -> None:
    """A paper and year that the page cites stand in the docstring."""
    for entry in ENTRIES:
        year = next((w for w in entry.paper.replace(",", " ").split() if w.isdigit()), "")
        text = inspect.getdoc(getattr(metrics, entry.function)) or ""
        module = inspect.getdoc(inspect.getmodule(getattr(metrics, entry.function))) or ""
        assert year in text or year in module, entry.name
