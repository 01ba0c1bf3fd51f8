"""A run that a newer Cambrian resumes, whose rules ask for what an older one had not done."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import anyio
import pytest

from cambrian.agents.improvers.probe import VERSION
from cambrian.agents.seeds import load_seed, seed_names
from cambrian.archive import Archive
from cambrian.daemon.supervisor import prepare
from cambrian.evolution.loop import Loop
from cambrian.evolution.settings import Settings
from cambrian.measurement import Measurement, Unit
from cambrian.testing.forked_runs import sound
from cambrian.testing.instant_run import BENCHMARKS
from cambrian.testing.workers import InstantWorker, quick

SEEDS = {load_seed(name).identity for name in seed_names()}
SETTINGS = Settings(seed=5, proposals=4, workers=1, benchmarks=BENCHMARKS, sandbox="none")


def _run(home: Path, stage: str | None) -> None:
    """Start a run or go on with it; told to stop once a variant comes to a stage."""
    with Archive.open_or_create(home) as archive, archive.lock():
        prepare(archive)
        row = archive.runs.current() or archive.runs.start(5, SETTINGS.to_json(), 4)
        loops: list[Loop] = []

        class Stopping(InstantWorker):
            async def evaluate(
                self, agent_id: str, files: Mapping[str, str], units: Sequence[Unit], device: str
            ) -> AsyncIterator[Measurement]:
                if agent_id not in SEEDS and units and units[0].stage == stage:
                    loops[0].halt("now")
                    await anyio.sleep(5)
                async for one in super().evaluate(agent_id, files, units, device):
                    yield one

        loops.append(
            Loop(
                archive, row, SETTINGS, lambda _: None, home / "logs", Stopping, timing=quick(0.01)
            )
        )

        async def bounded() -> None:
            with anyio.fail_after(60):
                await loops[0].run()

        anyio.run(bounded)


@pytest.mark.parametrize("stage", ["smoke", "screen", "full"])
def test_an_improver_that_has_to_be_tried_again_holds_up_nothing(
    stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "a"
    _run(home, stage)
    with Archive.open(home, read_only=True) as archive:
        assert archive.proposals.undecided(), "it was stopped on the way"
    monkeypatch.setattr("cambrian.evolution.admission.stages.VERSION", f"{VERSION}+1")
    _run(home, None)
    with Archive.open(home, read_only=True) as archive:
        assert archive.proposals.undecided() == []
        assert archive.counts()["judged"] > 0
        assert archive.counts()["parked"] == 0
    assert sound(home) == []
