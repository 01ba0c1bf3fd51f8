"""Which seed agents an archive starts from."""

from __future__ import annotations

from pathlib import Path

from cambrian.agents.seeds import load_seed, seed_names
from cambrian.archive import Archive
from cambrian.daemon.supervisor import prepare


def test_benchmarks_of_small_tasks_bring_their_own_seed_agents(tmp_path: Path) -> None:
    with Archive.create(tmp_path / "archive") as archive, archive.lock():
        prepare(archive, ["split-mnist", "label-drift"])
        assert sorted(agent.title for agent in archive.agents.seeds()) == sorted(seed_names())
        prepare(archive, ["split-mnist", "sinusoids"])
        titles = {agent.title for agent in archive.agents.seeds()}
    assert titles - set(seed_names()) == {"maml", "protonet", "reptile", "transformer"}


def test_an_archive_keeps_its_seed_agents_though_a_newer_cambrian_has_other_code_for_them(
    tmp_path: Path,
) -> None:
    older = load_seed("replay").replace({"NOTES.md": "as an older Cambrian had it"})
    with Archive.create(tmp_path / "archive") as archive, archive.lock():
        archive.agents.add_seed(older.identity, older, "replay")
        prepare(archive)
        prepare(archive)
        seeds = archive.agents.seeds()
    assert sorted(seed.title for seed in seeds) == sorted(seed_names())
    assert older.identity in {seed.id for seed in seeds}
