"""A real archive in a temporary directory, on a clock that the test holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from cambrian.archive import Agent, Archive, Gate, Measurement, Proposal, Run

GATE = Gate(gate="smoke", rule="runs without an error", verdict="pass")


class Clock:
    """Seconds since the epoch, moved by hand."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


def identity(files: Mapping[str, str]) -> str:
    """An id for a source tree: any content hash will do for the archive."""
    return hashlib.sha256(json.dumps(sorted(files.items())).encode()).hexdigest()


class ArchiveFixture:
    """Grows an archive through its public verbs, in few words."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self._run: Run | None = None

    @property
    def run(self) -> Run:
        self._run = self._run or self.archive.runs.start(7, {"lag": 4}, 100)
        return self._run

    def seed(self, text: str = "seed", score: float | None = 0.2) -> str:
        files = {"learner.py": text}
        agent_id = identity(files)
        self.archive.agents.add_seed(agent_id, files, text)
        if score is not None:
            self.archive.agents.set_score(agent_id, score, score - 0.1, score + 0.1)
        return agent_id

    def open(self, *parents: str) -> Proposal:
        idx = self.archive.counts()["proposals"]
        seen = max(-1, idx - 4)
        return self.archive.proposals.open(self.run.id, idx, seen, parents, "recombine")

    def vary(self, proposal: Proposal, text: str, files: Mapping[str, str] | None = None) -> str:
        tree = dict(files or {"learner.py": text})
        return self.archive.proposals.record_variant(
            proposal.id,
            identity(tree),
            tree,
            title=text,
            hypothesis=f"because {text}",
            predicted_gain=0.1,
            confidence=0.5,
            operation={"op": "tune"},
            stage="smoke",
        )

    def propose(self, text: str, *parents: str) -> Proposal:
        proposal = self.open(*parents)
        self.vary(proposal, text)
        return self.archive.proposals.get(proposal.id)

    def admit(self, proposal: Proposal, score: float = 0.5, *, stone: bool = False) -> Agent:
        return self.archive.proposals.record(
            proposal.id,
            "stepping_stone" if stone else "improvement",
            "shown to work",
            [GATE],
            score=score,
            lower=score - 0.1,
            upper=score + 0.1,
        )

    def reject(self, proposal: Proposal) -> Agent:
        return self.archive.proposals.record(proposal.id, None, "no gain", [GATE])

    def grow(self, text: str, *parents: str, score: float = 0.5, stone: bool = False) -> str:
        return self.admit(self.propose(text, *parents), score, stone=stone).id

    def evaluation(self, **changes: object) -> Measurement:
        plain: dict[str, object] = {
            "benchmark": "split-mnist",
            "version": "1",
            "stage": "screen",
            "seed": 0,
            "verdict": "scored",
            "score": 0.5,
        }
        return Measurement(**{**plain, **changes})  # type: ignore[arg-type]


Grow = Callable[[Archive], ArchiveFixture]
Identity = Callable[[Mapping[str, str]], str]
Parents = Sequence[str]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def archive(tmp_path: Path, clock: Clock) -> Iterator[Archive]:
    with Archive.create(tmp_path / "home", clock=clock) as opened:
        yield opened


@pytest.fixture
def garden(archive: Archive) -> ArchiveFixture:
    return ArchiveFixture(archive)


@pytest.fixture
def code_id() -> Identity:
    return identity


@pytest.fixture(scope="session")
def grow() -> Grow:
    """For tests that make archives of their own."""
    return ArchiveFixture
