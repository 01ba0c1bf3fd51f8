"""docs/literature.md is what the claims room says; it leaves no paper out."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from cambrian.agents.catalogue import catalogue
from cambrian.agents.seeds import all_seed_names
from cambrian.claims import page, store
from cambrian.claims.literature import ROWS, Part, paper, papers
from cambrian.claims.registry import claim, claims
from cambrian.errors import NotFound, UsageError
from cambrian.evaluators import benchmarks
from cambrian.evaluators.metrics.catalogue import SECTIONS

from .coin import fresh

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_what_the_claims_say() -> None:
    call = [sys.executable, str(ROOT / "tools" / "literature_docs.py"), "--check"]
    done = subprocess.run(call, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def test_every_paper_and_every_claim_is_on_the_page() -> None:
    text = (ROOT / "docs" / "literature.md").read_text(encoding="utf-8")
    assert len(papers()) == ROWS
    for number, each in papers().items():
        assert f"\n| {number} | {each.title}" in text
    for name, made in claims().items():
        assert f"\n### {name}\n" in text and made.says in text
        if made.row is not None:
            assert f"[{name}](#{name})" in text


def test_every_part_that_a_row_names_is_there() -> None:
    metrics = {entry.function for entries in SECTIONS.values() for entry in entries}
    known = {
        "mechanism": set(catalogue()),
        "seed": set(all_seed_names()),
        "metric": metrics,
        "benchmark": set(benchmarks.names()),
    }
    for each in papers().values():
        for part in each.parts:
            if part.kind in known:
                assert part.name.partition("+")[0] in known[part.kind], (each.row, part)
            link = page.link(part)
            target = (ROOT / "docs" / link.partition("#")[0]).resolve()
            assert target.is_file(), link


def test_a_row_says_what_is_missing_and_a_claim_has_a_row_that_there_is() -> None:
    for each in papers().values():
        assert each.roles
        assert not each.missing or each.parts, each.row
    for made in claims().values():
        if made.row is not None:
            assert paper(made.row).parts, made.name


def test_what_is_not_there_is_an_error() -> None:
    with pytest.raises(NotFound, match="a row from 1 to 52; got 53"):
        paper(53)
    with pytest.raises(UsageError, match=r"a part as kind:name.*got thing:x"):
        Part.of("thing:x")
    with pytest.raises(NotFound, match="a file of the mechanism nothing; got none"):
        page.link(Part("mechanism", "nothing"))


def test_a_stale_result_is_called_stale(tmp_path: Path) -> None:
    known = claim("tiny_memories")
    result = fresh(known, tmp_path)
    store.save(result, tmp_path)
    text = page.document(tmp_path)
    section = text.split("### tiny_memories", 1)[1]
    assert "**Holds** (5 seeds" in section and "Stale" not in section
    store.save(dataclasses.replace(result, depends={**result.depends, "gone": "0"}), tmp_path)
    section = page.document(tmp_path).split("### tiny_memories", 1)[1]
    assert "Stale: the code behind it has changed." in section
