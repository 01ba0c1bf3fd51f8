"""A small archive, grown through the archive's verbs, and two ways to call the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import cambrian
from cambrian.agents.tree import SourceTree
from cambrian.archive import Archive, Gate, Measurement, Proposal
from cambrian.cli.main import cli

SOURCE = Path(cambrian.__file__).parent.parent
SEARCH = ("split-mnist", "digit-sums", "label-drift")
UNSEEN = "blurry-digits"
HIDDEN = "\u202e\u2066\u200b\ufeff\U000e0041\ufe0f\u3164\x9b\x85\u2028"
HOSTILE = f"\x1b[2Jcleared\x1b]0;title\x07 {HIDDEN}[red]markup[/red]<script>alert(1)</script>"
"""Escape sequences, bidirectional, zero-width, tag and other hidden characters, markup, HTML."""

Cli = Callable[..., Result]
Command = Callable[..., "subprocess.CompletedProcess[str]"]


def learner(text: str) -> SourceTree:
    """A valid agent that differs by a comment."""
    return SourceTree({"learner.py": f"# {text}\nclass Learner:\n    pass\n"})


class EvolvedArchive:
    """The archive that most tests look at.

    ::

        #1 finetune ── (2: failed smoke)
        #2 replay ──┬─ #3 graft (improvement, champion)
                    │  └─ #5 cross (stepping stone, second parent finetune)
                    └─ #4 tune (rejected)

    Proposals 0 to 3 made these (graft, tune, failed smoke, cross); 4 is a duplicate of graft, 5 is
    invalid, 6 is open.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ids: dict[str, str] = {}
        with Archive.create(path) as archive:
            self.archive = archive
            self._grow()

    def __getitem__(self, name: str) -> str:
        return self.ids[name]

    def _grow(self) -> None:
        for name, score in (("finetune", 0.1), ("replay", 0.4)):
            self.ids[name] = self._seed(name, score)
        self.run = self.archive.runs.start(7, {"benchmarks": list(SEARCH), "proposals": 40}, 40)
        self.archive.runs.add_wall(self.run.id, 90.0)
        self._admit("graft", 0.7, "improvement", self["replay"])
        rejected = self._variant("tune", self["replay"])
        gate = _gate("improvement", "fail", -0.02)
        self.archive.proposals.record(
            rejected.id, None, "not better", [gate], score=0.3, lower=0.2, upper=0.4
        )
        self._fail_smoke()
        self._admit("cross", 0.5, "stepping_stone", self["graft"], self["finetune"])
        self._duplicate()
        invalid = self._open(self["replay"])
        self.archive.proposals.close(invalid.id, "invalid", f"no such block {HOSTILE}")
        self._open(self["replay"])
        self.archive.runs.end(self.run.id, "stopped")
        for name in ("finetune", "replay", "graft", "cross"):
            self._evaluate(name)

    def _seed(self, name: str, score: float) -> str:
        tree = learner(name)
        self.archive.agents.add_seed(tree.identity, tree, name)
        self.archive.agents.set_score(tree.identity, score, score - 0.05, score + 0.05)
        return tree.identity

    def _open(self, *parents: str) -> Proposal:
        index = self.archive.counts()["proposals"]
        return self.archive.proposals.open(self.run.id, index, -1, parents, "recombine")

    def _variant(self, name: str, *parents: str, title: str = "") -> Proposal:
        proposal, tree = self._open(*parents), learner(name)
        self.ids.setdefault(name, tree.identity)
        self.archive.proposals.record_variant(
            proposal.id,
            tree.identity,
            tree,
            title=title or f"{name.capitalize()} it",
            hypothesis=f"because of {name}",
            predicted_gain=0.1,
            confidence=0.5,
            operation={"op": name},
            stage="smoke",
        )
        return self.archive.proposals.get(proposal.id)

    def _admit(self, name: str, score: float, kind: Any, *parents: str) -> None:
        proposal = self._variant(name, *parents)
        gates = [_gate("screen", "pass", 0.1), _gate("improvement", "pass", 0.3)]
        bounds: dict[str, Any] = {"score": score, "lower": score - 0.05, "upper": score + 0.05}
        self.archive.proposals.record(proposal.id, kind, "shown to work", gates, **bounds)

    def _fail_smoke(self) -> None:
        proposal = self._variant("crash", self["finetune"], title=f"Crash {HOSTILE}")
        self.archive.evaluations.record(
            self["crash"],
            self.record("smoke", SEARCH[0], 0, verdict="failed", reason=f"boom {HOSTILE}"),
        )
        gate = _gate("smoke", "fail", None)
        self.archive.proposals.close(proposal.id, "failed_smoke", "failed on it", [gate])

    def _duplicate(self) -> None:
        self._variant("graft", self["replay"])

    def _evaluate(self, name: str) -> None:
        base = {"finetune": 0.1, "replay": 0.4, "graft": 0.7, "cross": 0.5}[name]
        for benchmark in SEARCH:
            for seed in range(5):
                stage = "screen" if seed == 0 else "full"
                one = self.record(stage, benchmark, seed, score=base + seed / 100)
                self.archive.evaluations.record(self[name], one)

    def record(self, stage: str, benchmark: str, seed: int, **changes: Any) -> Measurement:
        scored = "score" in changes
        plain: dict[str, Any] = {
            "benchmark": benchmark,
            "version": "1",
            "stage": stage,
            "seed": seed,
            "verdict": "scored",
            "raw": changes.get("score"),
            "metrics": {"min_accuracy": 0.25, "forgetting": 0.125} if scored else {},
            "flops": 2_000_000_000 if scored else None,
            "state_bytes": 640_000 if scored else None,
            "provenance": {"backend": "none"},
        }
        return Measurement(**{**plain, **changes})

    def seal(self, archive: Archive, name: str, scores: Mapping[int, float]) -> None:
        """Record sealed results: per seed the score on the search's streams; unseen 0.1 less."""
        for seed, score in scores.items():
            for benchmark in (*SEARCH, UNSEEN):
                less = 0.1 if benchmark == UNSEEN else 0.0
                one = self.record("sealed", benchmark, seed, score=score - less)
                archive.evaluations.record(self[name], one, sealed=True)


def _gate(name: str, verdict: Any, value: float | None) -> Gate:
    return Gate(
        gate=name,
        rule=f"the rule of {name}",
        verdict=verdict,
        threshold=0.0,
        value=value,
        lower=None if value is None else value - 0.01,
        upper=None if value is None else value + 0.01,
        detail=f"detail {HOSTILE}",
    )


@pytest.fixture
def grown(tmp_path: Path) -> EvolvedArchive:
    return EvolvedArchive(tmp_path / "archive")


@pytest.fixture
def run_cli(grown: EvolvedArchive, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Call the command line in this process, on the grown archive unless told otherwise."""
    for name in [name for name in os.environ if name.startswith("CAMBRIAN_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CAMBRIAN_ARCHIVE", str(grown.path))

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(cli, arguments, catch_exceptions=False)

    return call


@pytest.fixture
def read_json(run_cli: Cli) -> Callable[..., Any]:
    """Call with --json; what it printed, which must be one JSON value and nothing beside it."""

    def call(*arguments: str, exit_code: int = 0) -> Any:
        result = run_cli(*arguments, "--json")
        assert result.exit_code == exit_code, result.output
        return json.loads(result.stdout)

    return call


@pytest.fixture
def command(grown: EvolvedArchive) -> Command:
    """Call the command line in a process of its own, as a user does."""

    def call(*arguments: str, **changes: Any) -> subprocess.CompletedProcess[str]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("CAMBRIAN_")}
        given = {"PYTHONPATH": str(SOURCE), "CAMBRIAN_ARCHIVE": str(grown.path)}
        environment = {**clean, **given, **changes.pop("env", {})}
        return subprocess.run(
            [sys.executable, *changes.pop("python", ("-m", "cambrian")), *arguments],
            env=environment,
            text=True,
            timeout=60,
            check=False,
            **{"capture_output": True, **changes},
        )

    return call
