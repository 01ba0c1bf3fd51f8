"""A run's limits count the run; what ends ends whole; sealed looks come before the look."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cambrian.archive import Archive, Proposal
from cambrian.archive.tables.proposals import Proposals
from cambrian.daemon import supervisor
from cambrian.daemon.service import Options
from cambrian.errors import NotFound
from cambrian.evolution import sealing
from cambrian.evolution.budget import Budget
from cambrian.evolution.settings import Settings
from cambrian.testing.instant_run import BENCHMARKS, grow
from cambrian.testing.workers import InstantWorker

FIRST = Settings(seed=3, proposals=5, benchmarks=BENCHMARKS, sandbox="none")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    grow(tmp_path / "a", FIRST)
    yield tmp_path / "a"


@pytest.mark.parametrize("name", ["judged", "agents", "proposals"])
def test_a_second_run_has_its_limits_to_itself(home: Path, name: str) -> None:
    with Archive.open(home, read_only=True) as archive:
        before = archive.counts()
    limits = {"proposals": None, name: 2}
    second = Settings(**{**vars(FIRST), "seed": 4, **limits})
    grow(home, second)
    with Archive.open(home, read_only=True) as archive:
        after, run = archive.counts(), archive.runs.last()
        assert run is not None and run.id == 2
        spent = Budget(archive, run, second.to_json()).spent(0.0)
    counted = {"agents": "admitted"}.get(name, name)
    assert spent[name] == after[counted] - before[counted] == 2


def test_a_run_of_an_older_cambrian_counts_what_came_before_it(home: Path) -> None:
    with Archive.open(home) as archive:
        run = archive.runs.start(4, FIRST.to_json(), 5)
        archive.database.execute("DELETE FROM meters WHERE run_id = ?", (run.id,))
    with Archive.open(home, read_only=True) as archive:
        spent = Budget(archive, run, FIRST.to_json()).spent(0.0)
    assert (spent["judged"], spent["agents"]) == (0, 0)


def test_giving_a_run_up_and_closing_its_proposals_is_one_step(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Archive.open(home) as archive:
        run = archive.runs.start(4, Settings(**{**vars(FIRST), "seed": 4}).to_json(), 5)
        parent = archive.agents.seeds()[0].id
        index = archive.counts()["proposals"]
        for each in (index, index + 1):
            archive.proposals.open(run.id, each, each - 1, [parent], "recombine")
    close, closed = Proposals.close, list[int]()

    def dies(self: Proposals, proposal_id: int, *args: object) -> Proposal:
        if closed:
            raise KeyboardInterrupt
        closed.append(proposal_id)
        return close(self, proposal_id, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(Proposals, "close", dies)
    other = Settings(**{**vars(FIRST), "seed": 5})
    with pytest.raises(KeyboardInterrupt):
        supervisor.run(
            home, other, lambda _: None, abandon=True, options=Options(make_worker=InstantWorker)
        )
    with Archive.open(home, read_only=True) as archive:
        current = archive.runs.current()
        assert current is not None and current.id == run.id
        assert [one.state for one in archive.proposals.undecided()] == ["open", "open"]


def test_closing_a_proposal_takes_back_what_a_person_was_asked(home: Path) -> None:
    with Archive.open(home) as archive:
        run = archive.runs.start(4, FIRST.to_json(), 5)
        index, parent = archive.counts()["proposals"], archive.agents.seeds()[0].id
        opened = archive.proposals.open(run.id, index, index - 1, [parent], "recombine")
        archive.steering.ask_approval(opened.id, "every admission waits", "improvement")
        assert len(archive.steering.waiting()) == 1
        archive.proposals.close(opened.id, "invalid", "given up with its run")
        assert archive.steering.waiting() == []
        with pytest.raises(NotFound, match="waits for approval"):
            archive.steering.answer_approval(opened.id, "approved", "somebody")
        archive.steering.ask_approval(opened.id, "as an older Cambrian left it", "improvement")
        assert archive.steering.waiting() == []
        with pytest.raises(NotFound, match="waits for approval"):
            archive.steering.answer_approval(opened.id, "approved", "somebody")


def test_the_controls_seeds_come_with_all_that_was_recorded(home: Path, tmp_path: Path) -> None:
    with Archive.open(home) as archive, Archive.create(tmp_path / "control") as control:
        seed = archive.agents.seeds()[0].id
        rich = archive.evaluations.record_of(archive.evaluations.of(seed)[0])
        more = {"seed": 77, "predictions": {"answers": np.arange(6)}, "matrices": {"m": np.eye(2)}}
        archive.evaluations.record(seed, type(rich)(**{**vars(rich), **more}))
        supervisor._copy_seeds(archive, control)
        [copy] = [row for row in control.evaluations.of(seed) if row.seed == 77]
        assert control.evaluations.predictions(copy.id)["answers"].tolist() == list(range(6))
        found = control.evaluations.record_of(copy)
        assert found.matrices.keys() == {"m"} and found.curves.keys() == rich.curves.keys()


def test_a_look_at_sealed_data_is_on_the_disk_before_the_data_is_used(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Archive.open(home) as archive:
        one, modes = archive.agents.seeds()[0].id, list[int]()

        class Looking(InstantWorker):
            async def evaluate(self, *given: object):  # type: ignore[no-untyped-def]
                with Archive.open(home, read_only=True) as beside:
                    assert beside.sealings.looks().times == 1
                async for each in super().evaluate(*given):  # type: ignore[arg-type]
                    yield each

        event = archive.database.event

        def watched(kind: str, **data: object) -> None:
            modes.append(int(archive.database.value("PRAGMA synchronous")))
            event(kind, **data)  # type: ignore[arg-type]

        monkeypatch.setattr(archive.database, "event", watched)
        make_worker = functools.partial(Looking)
        assert sealing.seal(archive, [one], BENCHMARKS, make_worker, lambda _: None) > 0
        assert modes[0] == 2, "the look is synchronous"
        assert set(modes[1:]) == {1}
