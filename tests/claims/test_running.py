"""A claim is measured piece by piece; a kill loses one, and a result is stale when code changes."""

from __future__ import annotations

import dataclasses
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cambrian.agents.tree import SourceTree
from cambrian.claims import code, store
from cambrian.claims.claim import Claim, Figures, Gain
from cambrian.claims.registry import claim, claims
from cambrian.claims.rig import Rig, Run
from cambrian.claims.running import confirm, measure
from cambrian.errors import CambrianError, NotFound, UsageError
from cambrian.evaluators.benchmarks.base import REPORTED

from .coin import Coin, coin, fresh, ran

HERE = Path(__file__).parent


def test_what_a_killed_run_measured_is_not_measured_again(tmp_path: Path) -> None:
    call = [sys.executable, str(HERE / "coin.py"), str(tmp_path)]
    killed = subprocess.run(call, timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    before = ran(tmp_path)
    assert len(before) == 3
    result = measure(coin(tmp_path), folder=tmp_path / "work", resume=True)
    assert result.seeds == 5 and result.verdict == "holds"
    after = ran(tmp_path)
    assert after[:3] == before
    assert len(after) == len(set(after)) == 10


def test_without_resume_it_begins_again_and_leaves_nothing(tmp_path: Path) -> None:
    work = tmp_path / "work"
    first = measure(coin(tmp_path), folder=work, keep=True)
    assert len(list(work.iterdir())) == 10
    second = measure(coin(tmp_path), folder=work)
    assert len(ran(tmp_path)) == 20 and not work.exists()
    assert dataclasses.replace(second, seconds=first.seconds) == first


def test_a_piece_that_was_cut_or_is_of_other_code_is_measured_again(tmp_path: Path) -> None:
    work = tmp_path / "work"
    measure(coin(tmp_path), folder=work, keep=True)
    one, other, *_ = sorted(work.iterdir())
    one.write_text(one.read_text()[:20])
    other.write_text(json.dumps({**json.loads(other.read_text()), "code": "another"}))
    measure(coin(tmp_path), folder=work, resume=True)
    assert len(ran(tmp_path)) == 12


def test_five_seeds_that_do_not_settle_it_become_twenty(tmp_path: Path) -> None:
    # 0.1 ± 0.3: five seeds [-0.27, 0.59]; twenty [-0.04, 0.24]
    said: list[str] = []
    found = measure(coin(tmp_path, 0.3), folder=tmp_path / "work", said=said.append)
    assert (found.seeds, found.verdict, len(ran(tmp_path))) == (20, "not settled", 40)
    assert "not settled by 5 seeds: heads win" in said
    exactly = measure(coin(tmp_path, 0.3), folder=tmp_path / "work", seeds=6)
    assert exactly.seeds == 6


def test_seeds_are_those_that_nothing_was_tuned_on(tmp_path: Path) -> None:
    found = measure(coin(tmp_path), folder=tmp_path / "work", seeds=2)
    assert found.first_seed == REPORTED
    assert {int(line.split()[1]) for line in ran(tmp_path)} == {REPORTED, REPORTED + 1}
    with pytest.raises(UsageError, match=r"two seeds or more.*got 1"):
        measure(coin(tmp_path), folder=tmp_path / "work", seeds=1)


def test_what_is_kept_is_read_back_and_judged_the_same(tmp_path: Path) -> None:
    claim_ = coin(tmp_path, 0.01)
    result = measure(claim_, folder=tmp_path / "work")
    assert store.load("coin", tmp_path) is None
    path = store.save(result, tmp_path)
    assert store.load("coin", tmp_path) == result
    assert claim_.judge(Figures(result.pieces())) == result.findings
    assert {"cambrian", "numpy", "python", "torch"} == set(result.versions)
    path.write_text('{"claim": "coin"}')
    with pytest.raises(CambrianError, match=r"coin\.json.*claim run coin"):
        store.load("coin", tmp_path)


def test_a_result_is_stale_once_a_learner_has_changed(tmp_path: Path) -> None:
    known = claim("tiny_memories")
    result = fresh(known, tmp_path)
    assert store.stale(known, result) == []
    other = known.conditions["fine-tuning"]
    changed = dataclasses.replace(known, conditions={**known.conditions, "replay": other})
    assert store.stale(changed, result) == ["learner: replay"]
    older = dataclasses.replace(result, depends={**result.depends, "cambrian.gone": "0"})
    assert store.stale(known, older) == ["cambrian.gone"]


def test_a_stale_result_is_fresh_when_its_first_seed_gives_the_same(tmp_path: Path) -> None:
    known = coin(tmp_path, 0.01)
    result = measure(known, folder=tmp_path / "work")
    old = dataclasses.replace(result, depends={**result.depends, "cambrian.gone": "0"}, code="0")
    assert store.stale(known, old) == ["cambrian.gone"]
    confirmed = confirm(known, old)
    assert ran(tmp_path)[10:] == ["0.6 100", "0.5 100"]
    assert store.stale(known, confirmed) == []
    assert (confirmed.code, confirmed.depends) == ("0", old.depends)  # what it was measured with
    store.save(confirmed, tmp_path)
    assert store.load("coin", tmp_path) == confirmed
    with pytest.raises(CambrianError, match=r"heads, accuracy: 0\.61 → 0\.62"):
        confirm(coin(tmp_path, 0.02), old)


def test_code_is_followed_through_imports_into_agents_and_evaluators() -> None:
    depends = code.hashes(claim("l2metrics"))
    for name in (
        "cambrian.claims.papers.l2metrics",
        "cambrian.evaluators.metrics.lifelong",  # by way of a package's __init__
        "cambrian.evaluators.protocols.tasks",  # by way of the streams
        "cambrian.evaluators.job",  # by way of the claims' own rig
        "cambrian.agents.contract",  # by way of the learner
        "learner: strength 100",
    ):
        assert name in depends, name
    rooms = {name.split(".")[1] for name in depends if name.startswith("cambrian.")}
    assert rooms == {"agents", "claims", "evaluators"}
    assert [name for name in depends if name.startswith("cambrian.claims")] == [
        "cambrian.claims.papers.l2metrics"
    ]


def test_a_learner_that_fails_is_said_and_nothing_measured_is_lost(tmp_path: Path) -> None:
    broken = SourceTree({"learner.py": "class Learner:\n    pass\n"})
    made = coin(tmp_path)
    bad = Claim(
        **{
            **{field.name: getattr(made, field.name) for field in dataclasses.fields(made)},
            "conditions": {
                "heads": Coin(0.6, tmp_path / "ran"),
                "tails": Run(lambda: broken, "split-mnist"),
            },
        }
    )
    with (
        pytest.raises(CambrianError, match="split-mnist, seed 100: the learner failed"),
        Rig("smoke") as rig,
    ):
        measure(bad, rig=rig, folder=tmp_path / "work")
    assert len(list((tmp_path / "work").iterdir())) == 5


def test_every_claim_is_called_as_its_file_and_an_unknown_one_is_not_found() -> None:
    files = {path.stem for path in (Path(store.__file__).parent / "papers").glob("[!_]*.py")}
    assert set(claims()) == files
    with pytest.raises(NotFound, match=r"expected a claim of .*tiny_memories; got 'tiny'"):
        claim("tiny")


def test_a_test_on_conditions_that_differ_is_paired_by_seed(tmp_path: Path) -> None:
    # Both swing by 0.3 from seed to seed; their difference does not.
    swinging = coin(tmp_path, 0.3).conditions["heads"]
    made = dataclasses.replace(
        coin(tmp_path),
        conditions={"heads": swinging, "tails": Coin(0.5, tmp_path / "ran", 0.3)},
        tests=(Gain("heads win", "heads", "tails"),),
    )
    found = measure(made, folder=tmp_path / "work").findings[0].estimate
    assert found.lower == pytest.approx(0.1) and found.upper == pytest.approx(0.1)
