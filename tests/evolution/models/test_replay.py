"""A run that was recorded is repeated without a network; what was not recorded is refused."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from tests.evolution.models.asking import KEY, Connect, saying
from tests.evolution.models.model_run import run_model

from cambrian.archive import Archive
from cambrian.errors import NotFound, UsageError
from cambrian.evolution.models.prices import Price
from cambrian.evolution.models.roster.replay import head_of, record
from cambrian.evolution.models.roster.specs import ModelSpec
from cambrian.testing.endpoint import Reply, endpoint
from cambrian.testing.instant_run import picture

KEY_NAME = "OPENAI_API_KEY"
PRICES = {"small": Price(1.0, 2.0), "large": Price(3.0, 6.0)}


def recorded(connect: Connect, home: Path, rewriter: str = "mixed") -> Path:
    """A recording of a run with two models, of which one fails now and then."""
    count = itertools.count()

    def script(request: dict[str, Any]) -> Reply:
        number = next(count)
        if number % 5 == 3:
            return Reply.of(saying("half", "length"))
        return Reply.saying(f"{request['model']} {number}")

    with endpoint(script) as server:
        connect(server.url)
        run_model(
            home,
            14,
            rewriter=rewriter,
            names="small,large",
            prices=PRICES,
            seed=5,
            endpoints={
                "large": ModelSpec(share=0.4, base_url=server.url, key_env="OPENAI_API_KEY")
            },
        )
    file = home.parent / "answers.jsonl"
    with Archive.open(home, read_only=True) as archive:
        assert record(archive, file) == archive.ledger.total().calls > 3
    return file


def spend(home: Path) -> list[tuple[Any, ...]]:
    with Archive.open(home, read_only=True) as archive:
        rows = archive.database.rows(
            "SELECT p.idx, s.position, s.model, s.prompt_tokens, s.completion_tokens, s.dollars "
            "FROM spend s JOIN proposals p ON p.id = s.proposal_id ORDER BY 1, 2"
        )
    return [tuple(row.values()) for row in rows]


@pytest.mark.slow
def test_a_recorded_run_is_repeated_without_a_network(
    connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = recorded(connect, tmp_path / "first")
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name)
    name = f"replay:{file}"
    head = head_of(name)
    assert list(head.models) == ["small", "large"] and dict(head.prices) == PRICES
    run_model(
        tmp_path / "again",
        14,
        rewriter="mixed",
        names=name,
        prices=head.prices,
        endpoints=head.models,
        seed=5,
        workers=4,
    )
    assert picture(tmp_path / "again") == picture(tmp_path / "first")
    assert spend(tmp_path / "again") == spend(tmp_path / "first")
    with Archive.open(tmp_path / "again", read_only=True) as archive:
        phases = archive.database.rows("SELECT DISTINCT phase FROM spend")
    assert [row["phase"] for row in phases] == ["replay"]


def test_a_recording_holds_no_key_and_no_setting_of_where_it_is(
    connect: Connect, tmp_path: Path
) -> None:
    text = recorded(connect, tmp_path / "a", "model").read_text()
    assert KEY not in text and KEY_NAME not in text and "base_url" not in text


def test_what_was_not_recorded_is_refused_with_a_reason(connect: Connect, tmp_path: Path) -> None:
    file = recorded(connect, tmp_path / "first", "model")
    head = head_of(f"replay:{file}")
    run_model(
        tmp_path / "other",
        3,
        names=f"replay:{file}",
        endpoints=head.models,
        prices=head.prices,
        seed=99,
        rewriter="model",
    )
    with Archive.open(tmp_path / "other", read_only=True) as archive:
        reasons = [str(one.reason) for one in archive.proposals.select() if one.state == "invalid"]
    assert reasons and all("when it was recorded" in one or "cut the" in one for one in reasons)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "got an empty file"),
        ("not json\n", "expected JSON lines"),
        ('{"format": "other"}\n', "expected a recording .* got 'other'"),
        ('{"format": "cambrian-answers", "version": 1}\n', "line 1 is not as"),
    ],
)
def test_a_file_that_is_no_recording_is_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "x.jsonl"
    file.write_text(text)
    with pytest.raises(UsageError, match=said):
        head_of(f"replay:{file}")
    with pytest.raises(NotFound, match="cambrian model record"):
        head_of(f"replay:{tmp_path / 'none'}")
