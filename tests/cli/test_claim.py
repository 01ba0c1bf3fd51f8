"""`cambrian claim`: what papers claim and how it went; measuring one again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cambrian.claims import store
from cambrian.claims.registry import claims

from .conftest import Cli


def test_every_claim_is_listed_with_its_verdict(run_cli: Cli) -> None:
    found = json.loads(run_cli("claim", "list", "--json").stdout)
    assert [item["name"] for item in found["items"]] == list(claims())
    for item in found["items"]:
        result = store.load(item["name"])
        assert item["verdict"] == (result.verdict if result else None)
    text = run_cli("claim", "list").stdout
    for name in claims():
        assert f"\n{name}" in text


def test_a_claim_is_shown_with_what_could_refute_it(run_cli: Cli) -> None:
    shown = run_cli("claim", "show", "tiny_memories").stdout
    known = claims()["tiny_memories"]
    assert known.citation in shown
    for title in ("Says", "Experiment", "Controls", "Measured"):
        assert f"\n{title}\n" in shown
    found = json.loads(run_cli("claim", "show", "tiny_memories", "--json").stdout)
    assert found["experiment"] == known.experiment
    assert found["conditions"] == ["fine-tuning", "replay"]


@pytest.mark.parametrize("verb", ["show", "run"])
def test_an_unknown_claim_is_not_found(run_cli: Cli, verb: str) -> None:
    result = run_cli("claim", verb, "tiny")
    assert result.exit_code == 3
    assert "expected a claim of" in result.stderr and "got 'tiny'" in result.stderr


def test_a_wrong_number_of_seeds_is_wrong_usage(run_cli: Cli) -> None:
    assert run_cli("claim", "run", "tiny_memories", "--seeds", "1").exit_code == 2


def test_what_was_not_measured_cannot_be_confirmed(run_cli: Cli, tmp_path: Path) -> None:
    result = run_cli("claim", "run", "tiny_memories", "--confirm", "--into", str(tmp_path))
    assert result.exit_code == 2 and "got no result of tiny_memories" in result.stderr


def test_a_folder_that_cannot_be_written_is_refused_before_anything_runs(
    run_cli: Cli, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    result = run_cli("claim", "run", "tiny_memories", "--into", str(tmp_path / "file" / "below"))
    assert result.exit_code == 5
    assert "name another with --into" in result.stderr and "seed 100" not in result.stderr


@pytest.mark.slow
def test_a_claim_is_measured_and_few_seeds_are_not_kept(
    run_cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    into = ("--into", str(tmp_path / "results"))
    few = run_cli("claim", "run", "tiny_memories", "--seeds", "2", "--keep", *into)
    assert few.exit_code == 0 and "not kept" in few.stderr
    assert store.load("tiny_memories", tmp_path / "results") is None
    pieces = tmp_path / "cache" / "cambrian" / "claims" / "tiny_memories"
    assert len(list(pieces.iterdir())) == 4
    whole = run_cli("claim", "run", "tiny_memories", "--resume", "--json", *into)
    assert "seed 100:" not in whole.stderr and "seed 104:" in whole.stderr
    kept = store.load("tiny_memories", tmp_path / "results")
    assert kept is not None and not pieces.exists()
    assert json.loads(whole.stdout)["verdict"] == kept.verdict
    assert kept.seeds >= 5
    again = run_cli("claim", "run", "tiny_memories", "--confirm", *into)
    assert again.exit_code == 0, again.stderr
    confirmed = store.load("tiny_memories", tmp_path / "results")
    assert confirmed is not None and confirmed.again is not None
    assert confirmed.figures == kept.figures
