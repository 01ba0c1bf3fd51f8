"""Pages of a clade: together they are the clade, and each is one load."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.archive.conftest import ArchiveFixture

from cambrian.archive import Archive
from cambrian.errors import NotFound
from cambrian.reports.tree import Page, clade_page, forest, placed


@pytest.fixture
def grown(tmp_path: Path) -> Iterator[ArchiveFixture]:
    """A seed with three children, of which the first has three and its first two more."""
    with Archive.create(tmp_path / "home") as archive:
        garden = ArchiveFixture(archive)
        seed = garden.seed()
        first, *_ = [garden.grow(f"child {number}", seed) for number in range(3)]
        second, *_ = [garden.grow(f"grandchild {number}", first) for number in range(3)]
        for number in range(2):
            garden.grow(f"deeper {number}", second)
        garden.reject(garden.propose("no member", first))
        yield garden


def pages(archive: Archive, root: str, limit: int) -> Iterator[Page]:
    """All pages of a clade, in order."""
    offset: int | None = 0
    while offset is not None:
        page = clade_page(archive, root, offset=offset, limit=limit)
        yield page
        offset = page.following


@pytest.mark.parametrize("limit", [1, 2, 4, 9, 50])
def test_pages_together_are_the_whole_tree_in_its_order(grown: ArchiveFixture, limit: int) -> None:
    archive = grown.archive
    roots, below = forest(archive)
    whole = [(row.agent.id, row.level) for row in placed(roots, below)]
    assert len(whole) == 9
    found = list(pages(archive, roots[0].id, limit))
    assert [(row.agent.id, row.level) for page in found for row in page.rows] == whole
    assert len(found) == -(-9 // limit)


def test_what_a_depth_limit_hides_is_counted_as_the_whole_tree_counts_it(
    grown: ArchiveFixture,
) -> None:
    archive = grown.archive
    roots, below = forest(archive)
    for depth in range(4):
        page = clade_page(archive, "@root", depth=depth)
        assert page.rows == tuple(placed(roots, below, depth))
        assert page.following is None


def test_a_page_of_a_subtree_begins_with_its_root(grown: ArchiveFixture) -> None:
    page = clade_page(grown.archive, "#2")
    assert [row.level for row in page.rows] == [0, 1, 2, 2, 1, 1]
    assert page.rows[0].agent.number == 2
    assert page.rows[0].to_json()["level"] == 0


def test_nobody_asks_for_a_clade_of_what_is_not_there(grown: ArchiveFixture) -> None:
    with pytest.raises(NotFound):
        clade_page(grown.archive, "#99")
