"""Members of another archive: the champion, and others that are made of other parts."""

from __future__ import annotations

from pathlib import Path

import pytest

from cambrian.agents.seeds import load_seed
from cambrian.archive import Archive
from cambrian.daemon import supervisor
from cambrian.errors import NotFound
from cambrian.evolution.settings import Settings
from cambrian.solving.guests import choose, invite
from cambrian.testing.instant_run import BENCHMARKS, grow


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of a short run with instant workers."""
    path = tmp_path_factory.mktemp("grown") / "archive"
    grow(path, Settings(seed=3, proposals=12, benchmarks=BENCHMARKS))
    return path


def test_the_champion_is_first_and_all_are_made_of_other_parts(grown: Path) -> None:
    with Archive.open(grown, read_only=True) as archive:
        found = choose(archive)
        champion = archive.champion()
        made_of = [frozenset(archive.agents.files(one.id)) for one in found]
    assert champion is not None and found[0].id == champion.id
    assert len(found) == 3 == len(set(made_of))


def test_guests_are_seed_agents_here_and_the_same_code_is_not_taken_twice(
    grown: Path, tmp_path: Path
) -> None:
    supervisor.init(tmp_path / "new")
    guests = invite(tmp_path / "new", grown)
    taken = [guest for guest in guests if not guest.reason]
    assert taken and all(guest.came_from == "archive" for guest in guests)
    with Archive.open(tmp_path / "new", read_only=True) as archive:
        titles = {seed.title for seed in archive.agents.seeds()}
        assert {guest.title for guest in taken} <= titles
        assert len(titles) == 4 + len(taken)
    again = invite(tmp_path / "new", grown)
    assert all(guest.reason for guest in again)


def test_an_archive_without_scores_has_no_guests(tmp_path: Path) -> None:
    with Archive.create(tmp_path / "bare") as archive:
        tree = load_seed("finetune")
        archive.agents.add_seed(tree.identity, tree, "finetune")
    supervisor.init(tmp_path / "new")
    with pytest.raises(NotFound, match="it has none"):
        invite(tmp_path / "new", tmp_path / "bare")
