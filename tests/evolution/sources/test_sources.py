"""The bandit over sources: what it gains, what it leaves to each, and that it chooses the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from tests.evolution.models.asking import Connect
from tests.evolution.models.model_run import run_model

from cambrian.archive import Archive
from cambrian.errors import UsageError
from cambrian.evolution.models.broker import CALLS_PER_VARIANT
from cambrian.evolution.models.prices import Price
from cambrian.evolution.models.roster.specs import ModelSpec
from cambrian.evolution.settings import Settings
from cambrian.evolution.sources.honesty import Record, has_dropped, overclaims
from cambrian.evolution.sources.sources import Arm, draw, least_shares
from cambrian.testing.endpoint import Reply, endpoint
from cambrian.testing.instant_run import picture

Source = tuple[float, float, float]
"""The chance of a gain, the gain, and the dollars of a proposal."""
BUDGET = 20.0
CHEAP_WINS: list[Source] = [(0.15, 0.02, 0.01), (0.2, 0.05, 0.2), (0.3, 0.05, 0.5)]
MODEL_WINS: list[Source] = [(0.02, 0.01, 0.01), (0.3, 0.1, 0.06), (0.3, 0.1, 0.5)]


def spend(sources: list[Source], rng: np.random.Generator, policy: str) -> float:
    """What a policy gains for the budget."""
    arms, left, total = [Arm() for _ in sources], BUDGET, 0.0
    shares: list[float | None] = [None] * len(sources)
    best = max(range(len(sources)), key=lambda at: sources[at][0] * sources[at][1] / sources[at][2])
    while left > 0:
        at = {"uniform": int(rng.integers(len(sources))), "best": best}.get(policy, -1)
        at = draw(arms, [cost for *_, cost in sources], shares, rng) if at < 0 else at
        chance, size, cost = sources[at]
        gain = size if rng.random() < chance else -size / 4
        arms[at].learn(gain, cost)
        total, left = total + max(gain, 0.0), left - cost
    return total


@pytest.mark.parametrize("sources", [CHEAP_WINS, MODEL_WINS], ids=["cheap wins", "model wins"])
def test_a_dollar_gains_nearly_what_the_best_source_in_hindsight_would(
    sources: list[Source],
) -> None:
    gained = {
        policy: np.mean([spend(sources, np.random.default_rng([r, 7]), policy) for r in range(12)])
        for policy in ("bandit", "uniform", "best")
    }
    assert gained["bandit"] > 2 * gained["uniform"]
    assert gained["bandit"] > 0.6 * gained["best"]
    assert gained["best"] > gained["bandit"]  # the least shares are paid for


def test_every_source_keeps_its_least_share() -> None:
    arms = [Arm(400, 400 * 10**5, 400 * 10**10, 10**6), Arm(400, 0, 0, 10**9), Arm()]
    rng = np.random.default_rng(0)
    counts = Counter(draw(arms, [0.01] * 3, [None, 0.2, 0.05], rng) for _ in range(4000))
    assert counts[0] > 2400
    assert 700 < counts[1] < 900 and 120 < counts[2] < 700


def test_a_source_whose_honesty_has_dropped_gets_its_least_share_only() -> None:
    arms = [Arm(400, 400 * 10**5, 400 * 10**10, 10**6), Arm(400, 0, 0, 10**9)]
    rng = np.random.default_rng(0)
    held = Counter(draw(arms, [0.01] * 2, [None, None], rng, [True, False]) for _ in range(1000))
    assert held[0] < 100


@pytest.mark.parametrize(
    ("given", "shares"),
    [
        ([None, None], [0.05, 0.05]),
        ([None, 0.3], [0.05, 0.3]),
        ([0.25, 0.75], [0.25, 0.75]),
        ([1.0, 3.0], [0.25, 0.75]),
        ([None, 0.6, 0.6], [0.0, 0.5, 0.5]),
        ([None] * 20, [0.025] * 20),
    ],
)
def test_shares_are_as_sections_say_and_sum_to_one_at_most(
    given: list[float | None], shares: list[float]
) -> None:
    found = least_shares(given, [1.0] * len(given))
    assert found == pytest.approx(shares) and sum(found) <= 1 + 1e-9


def test_a_dear_source_gets_a_least_share_that_costs_no_more_than_the_cheapest_ones() -> None:
    assert least_shares([None, None, 0.2], [0.01, 0.5, 0.5]) == pytest.approx([0.05, 0.001, 0.2])


def told(hits: str, confidence: float) -> list[Record]:
    return [Record(confidence, 0.1, 0.05 if hit == "+" else -0.05) for hit in hits]


def test_a_drop_in_honesty_is_told_from_bad_luck() -> None:
    honest, worse = told("+-" * 20, 0.5), told("-" * 20, 0.9)
    assert has_dropped(dict(enumerate(honest + worse)))
    assert not has_dropped(dict(enumerate(honest + told("+-" * 10, 0.5))))
    assert not has_dropped(dict(enumerate(worse)))  # nothing it could have dropped from
    assert not has_dropped(dict(enumerate(honest + told("--+-" * 5, 0.3))))
    assert overclaims(dict(enumerate(worse))) and not overclaims(dict(enumerate(honest)))


# -- in runs -----------------------------------------------------------------------------

SPECS = {"small": ModelSpec(), "large": ModelSpec(share=0.2)}
PRICES = {"small": Price(0.1, 0.2), "large": Price(30.0, 60.0)}


def saying(request: dict[str, object]) -> Reply:
    """A note that is a function of the question: the same run asks and hears the same."""
    return Reply.saying(f"note {request['model']} {len(str(request['messages']))}")


def mixed(home: Path, proposals: int, workers: int = 2) -> None:
    run_model(
        home,
        proposals,
        rewriter="mixed",
        names="small,large",
        endpoints=SPECS,
        prices=PRICES,
        workers=workers,
        seed=3,
        tokens=10**7,
    )


def sources(home: Path) -> list[tuple[int, str, str | None]]:
    with Archive.open(home, read_only=True) as archive:
        rows = archive.database.rows(
            "SELECT p.idx, p.rewriter, (SELECT model FROM answers a WHERE a.proposal_id = p.id) AS "
            "model FROM proposals p ORDER BY p.idx"
        )
    return [(row["idx"], row["rewriter"], row["model"]) for row in rows]


def test_a_mixed_run_asks_several_models_and_recombines_and_books_each(
    connect: Connect, tmp_path: Path
) -> None:
    with endpoint(saying) as server:
        connect(server.url)
        mixed(tmp_path / "a", 24)
    found = sources(tmp_path / "a")
    kinds = Counter(model or rewriter for _, rewriter, model in found)
    assert len(found) == 24 and kinds["recombine"] and kinds["small"] and kinds["large"]
    with Archive.open(tmp_path / "a", read_only=True) as archive:
        spent = archive.database.rows("SELECT model, position, refused, dollars FROM spend")
    assert Counter(row["model"] for row in spent) == {
        name: sum(r["model"] == name for r in server.requests) for name in PRICES
    }
    price = {name: one.dollars(11, 7) for name, one in PRICES.items()}
    assert all(row["dollars"] == price[row["model"]] for row in spent)
    assert all(0 <= row["position"] < CALLS_PER_VARIANT for row in spent)


@pytest.mark.slow
def test_a_mixed_run_chooses_the_same_with_any_number_of_workers_and_after_a_stop(
    connect: Connect, tmp_path: Path
) -> None:
    with endpoint(saying) as server:
        connect(server.url)
        mixed(tmp_path / "a", 18, workers=1)
        mixed(tmp_path / "b", 18, workers=5)
        mixed(tmp_path / "c", 18, workers=2)
    assert sources(tmp_path / "a") == sources(tmp_path / "b") == sources(tmp_path / "c")
    assert picture(tmp_path / "a") == picture(tmp_path / "b")


KILLED = """
import sys
from pathlib import Path
from tests.evolution.sources.test_sources import mixed
mixed(Path(sys.argv[1]), int(sys.argv[2]))
"""


@pytest.mark.slow
def test_a_mixed_run_that_is_killed_goes_on_as_it_would_have(
    connect: Connect, tmp_path: Path
) -> None:
    home = tmp_path / "killed"

    def late(request: dict[str, object]) -> Reply:
        time.sleep(0.05)
        return saying(request)

    with endpoint(late) as server:
        connect(server.url)
        mixed(tmp_path / "whole", 18)
        for more in (1, 4, 3):  # questions until it is killed, in the middle of the last
            wanted = len(server.requests) + more
            process = subprocess.Popen(
                [sys.executable, "-c", KILLED, str(home), "18"], env={**os.environ}
            )
            while len(server.requests) < wanted and process.poll() is None:
                time.sleep(0.005)
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
        mixed(home, 18)
    assert sources(home) == sources(tmp_path / "whole")
    assert picture(home) == picture(tmp_path / "whole")


def test_settings_of_a_mixed_run_name_models() -> None:
    settings = Settings(proposals=1, rewriter="mixed", model="a, b", endpoints={"a": ModelSpec()})
    assert settings.models == ("a", "b") and settings.asks
    with pytest.raises(UsageError, match="needs a model's name"):
        Settings(proposals=1, rewriter="mixed")
    with pytest.raises(UsageError, match="needs a model's name"):
        Settings(proposals=1, rewriter="mixed", model="replay:x")
