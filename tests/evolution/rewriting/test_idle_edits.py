"""Edits that change nothing that runs: no child, and nothing is judged twice for them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest

from cambrian.agents.tree import SourceTree
from cambrian.archive import Archive
from cambrian.archive.lineage.lineage import Lineage
from cambrian.archive.transfer.bundle import export
from cambrian.archive.transfer.merging import merge
from cambrian.daemon import supervisor
from cambrian.evolution.admission import rules
from cambrian.evolution.admission.results import SEARCH_SEEDS
from cambrian.evolution.loop import Loop
from cambrian.evolution.rewriting import likeness
from cambrian.evolution.runtime.workers import Ask
from cambrian.evolution.settings import Settings
from cambrian.testing.forked_runs import InstantModel, sound
from cambrian.testing.instant_run import BENCHMARKS, picture
from cambrian.testing.workers import InstantWorker

Edits = Callable[[Mapping[str, str]], Mapping[str, str | None]]

IDLE: dict[str, Edits] = {
    "notes": lambda files: {"NOTES.md": files.get("NOTES.md", "") + "more"},
    "comments": lambda files: {"learner.py": "# more\n" + files["learner.py"]},
    "docstring": lambda files: {"learner.py": '"""More."""\n\n' + files["learner.py"]},
    "layout": lambda files: {"learner.py": files["learner.py"] + "\n\n"},
    "dead file": lambda files: {f"parts/dead{len(files)}.py": "x = 1\n"},
}


def improver_only(files: Mapping[str, str]) -> dict[str, str]:
    return {"improver.py": files["improver.py"] + "\nMORE = 1\n"}


class Editing(InstantWorker):
    """An improver that makes always the same kind of edit."""

    def __init__(self, log: Path, edits: Edits) -> None:
        super().__init__(log)
        self.edits = edits

    async def improve(
        self, files: Mapping[str, str], evidence: Mapping[str, Any], ask: Ask
    ) -> dict[str, Any]:
        edit = await super().improve(files, evidence, ask)
        return edit | {"files": self.edits(files)}


def grow(
    home: Path,
    edits: Edits,
    proposals: int,
    workers: int = 2,
    worker: Callable[..., InstantWorker] = Editing,
) -> Path:
    settings = Settings(
        rewriter="model",
        model="instant",
        proposals=proposals,
        benchmarks=BENCHMARKS,
        workers=workers,
    )
    make_worker = functools.partial(worker, edits=edits)
    with Archive.open_or_create(home) as archive, archive.lock():
        supervisor.prepare(archive)
        row = archive.runs.current() or archive.runs.start(0, settings.to_json(), proposals)
        tell, logs = (lambda _: None), home / "logs"
        loop = Loop(archive, row, settings, tell, logs, make_worker, InstantModel())
        archive.runs.end(row.id, anyio.run(loop.run))
    return home


@pytest.mark.parametrize("kind", IDLE)
def test_an_edit_that_changes_nothing_that_runs_is_a_duplicate_and_costs_nothing(
    kind: str, tmp_path: Path
) -> None:
    home = grow(tmp_path / "a", IDLE[kind], 3)
    with Archive.open(home, read_only=True) as archive:
        proposals = archive.proposals.select()
        assert {proposal.state for proposal in proposals} == {"duplicate"}
        for proposal in proposals:
            assert str(proposal.reason).startswith(f"the same code as {proposal.parents[0]}")
        made = [a for a in archive.agents.select(everyone=True) if a.status == "rejected"]
        assert made and all(not archive.evaluations.of(agent.id) for agent in made)
        one = archive.agents.get(archive.resolve(f"#{made[0].number}"))
        assert one.proposal_id is not None
        assert dict(archive.agents.files(one.id)) != dict(archive.agents.files(one.parents[0]))
        assert archive.counts()["members"] == archive.counts()["seeds"]
    assert sound(home) == []


def test_what_was_told_from_its_ancestors_before_is_found_over_the_whole_archive(
    tmp_path: Path,
) -> None:
    """A variant of one seed agent that is another one but for a comment."""
    home = tmp_path / "a"
    with Archive.open_or_create(home) as archive:
        supervisor.prepare(archive)
        other = next(seed for seed in archive.agents.seeds() if seed.title == "replay")
        replaying = {"learner.py": "# mine\n" + archive.agents.files(other.id)["learner.py"]}
    grow(home, lambda files: replaying | {p: None for p in files if p.startswith("parts/")}, 2)
    with Archive.open(home, read_only=True) as archive:
        assert {p.reason and p.reason[:30] for p in archive.proposals.select()} == {
            f"the same code as {other.id}"[:30]
        }


def test_another_improver_costs_no_evaluation_and_is_let_in_within_the_quota(
    tmp_path: Path,
) -> None:
    home = grow(tmp_path / "a", improver_only, 8)
    with Archive.open(home, read_only=True) as archive:
        seeds = archive.counts()["seeds"]
        meters = archive.steering.meters(1)
        assert meters["evaluations"] == seeds * len(SEARCH_SEEDS) * len(BENCHMARKS)
        made = [a for a in archive.agents.select(everyone=True) if a.status != "seed"]
        assert made
        admitted = [agent for agent in made if agent.status == "admitted"]
        assert len(admitted) == 1, "only the first may be in for that alone"
        proposal = archive.proposals.get(admitted[0].proposal_id or 0)
        assert proposal.reason == rules.SAME_LEARNER
        assert {gate.gate for gate in archive.gates(proposal_id=proposal.id)} >= {
            "learner",
            "quota",
        }
        for agent in made:
            parent = archive.agents.get(agent.parents[0])
            rows = archive.evaluations.of(agent.id)
            assert agent.score == parent.score and rows
            for row in rows:
                source = row.provenance[likeness.REUSED_FROM]
                assert archive.agents.get(source).status == "seed"
                [its] = [
                    one
                    for one in archive.evaluations.of(source)
                    if (one.benchmark, one.stage, one.seed) == (row.benchmark, row.stage, row.seed)
                ]
                assert its.score == row.score
                mine = archive.evaluations.series(row.id)
                assert mine.keys() == archive.evaluations.series(its.id).keys() != set()
    assert sound(home) == []


def test_reused_results_make_the_same_tree_with_any_number_of_workers(tmp_path: Path) -> None:
    def both(files: Mapping[str, str]) -> dict[str, str]:
        """Every other variant changes the learner, the rest the improver or nothing at all."""
        kind = len(files["learner.py"]) % 3
        learner = {"learner.py": files["learner.py"] + "\nX = 1\n"}
        return [learner, improver_only(files) | learner, improver_only(files)][kind]

    pictures = [picture(grow(tmp_path / str(n), both, 8, workers=n)) for n in (1, 3)]
    assert pictures[0] == pictures[1]


def test_an_archive_of_old_is_told_what_its_agents_do_at_the_next_start(tmp_path: Path) -> None:
    home = grow(tmp_path / "a", lambda files: {"learner.py": files["learner.py"] + "\nX = 1\n"}, 2)
    with Archive.open(home) as archive:
        before = archive.database.rows("SELECT id, fingerprint, learner FROM agents ORDER BY id")
        archive.database.execute("UPDATE agents SET fingerprint = NULL, learner = NULL")
        assert archive.agents.without_fingerprint(100)
        supervisor.prepare(archive)
        after = archive.database.rows("SELECT id, fingerprint, learner FROM agents ORDER BY id")
        assert after == before
        assert likeness.fill(archive) == 0


def test_duplicates_and_their_code_survive_a_bundle(tmp_path: Path) -> None:
    home, bundle = grow(tmp_path / "a", IDLE["notes"], 2), tmp_path / "a.cambrian"
    with Archive.open(home, read_only=True) as archive:
        export(archive, bundle)
        count = archive.counts()["agents"]
    with Archive.create(tmp_path / "b") as other, other.lock():
        merge(other, bundle, lambda files: SourceTree(files).identity)
        assert other.counts()["agents"] == count
        assert likeness.fill(other) == count
        Lineage(other).update()
    assert sound(tmp_path / "b") == []


def test_code_that_breaks_the_rules_is_told_by_its_bytes() -> None:
    one, learner = likeness.fingerprints({"learner.py": "def f(:\n"})
    assert learner is None and len(one) == likeness.BYTES
    assert one != likeness.fingerprints({"learner.py": "def g(:\n"})[0]
