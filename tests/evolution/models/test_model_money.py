"""A hard stop is hard: whatever an endpoint answers is booked, and a run that cannot ask ends."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.evolution.models.model_run import Asking
from tests.evolution.models.model_run import run_model as run_with

from cambrian.archive import Archive
from cambrian.backoff import Backoff
from cambrian.errors import Unreachable
from cambrian.evolution.models.endpoint import OpenAIModel
from cambrian.evolution.models.prices import Price
from cambrian.evolution.runtime.workers import Ask
from cambrian.evolution.timing import Timing
from cambrian.testing.endpoint import Reply, endpoint

KEY = "not-a-real-key-123"
Script = Callable[[dict[str, Any]], Reply]
run_model = functools.partial(
    run_with, timing=Timing(refusals=1000, looks=Backoff(0.02, 0.02), questions=Backoff(0.02, 10.0))
)


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def to(url: str) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("OPENAI_BASE_URL", url)

    return to


def saying(text: Any, used: tuple[int, int] | None, finish: str = "stop") -> Reply:
    given: dict[str, Any] = json.loads(Reply.saying("").body)
    given["choices"][0] |= {"message": {"content": text}, "finish_reason": finish}
    given["usage"] = used and {"prompt_tokens": used[0], "completion_tokens": used[1]}
    return Reply.of(given)


def numbered(used: tuple[int, int] | None) -> Script:
    count = iter(range(1000))
    return lambda _: saying(f"note {next(count)}", used)


def spent(home: Path) -> list[dict[str, Any]]:
    with Archive.open(home, read_only=True) as archive:
        assert archive.ledger.reserved(1).tokens == 0
        return list(archive.database.rows("SELECT * FROM spend ORDER BY id"))


def states(home: Path) -> list[str]:
    with Archive.open(home, read_only=True) as archive:
        return [proposal.state for proposal in archive.proposals.select()]


FULL = 20 + len("user") + 16 + 32 + 8192
"""What is put aside for the question of `Asking`."""


@pytest.mark.parametrize(
    ("reply", "each"),
    [
        (lambda r: saying(None, (50, r["max_tokens"]), "length"), 8242),
        (lambda r: saying("", (50, r["max_tokens"]), "length"), 8242),
        (lambda r: saying("<think>never ends", (50, r["max_tokens"])), 8242),
        (saying(None, None), FULL),
        (saying("half", None, "length"), FULL),
        (Reply.of({"error": {"message": "so sorry"}}), FULL),
        (Reply.of({"choices": []}), FULL),
        (Reply(200, b""), FULL),
        (Reply(200, b"{"), FULL),
        (Reply(200, b"[" * 50_000), FULL),
        (Reply(504, b"{}"), FULL),
        (Reply(hang_up=True), FULL),
    ],
    ids=[
        *("null", "empty", "thinking", "uncounted", "cut", "error", "no choice", "no body", "torn"),
        *("deep", "gateway", "hung up"),
    ],
)
def test_every_question_is_booked_whatever_comes_of_it(
    connect: Callable[[str], None], tmp_path: Path, reply: Reply | Script, each: int
) -> None:
    with endpoint(reply if callable(reply) else lambda _: reply) as server:
        connect(server.url)
        loop = run_model(tmp_path / "a", None, tokens=40_000)
    assert loop.ended_by == "40000 tokens are used up"
    rows = spent(tmp_path / "a")
    assert [row["prompt_tokens"] + row["completion_tokens"] for row in rows[:3]] == [each] * 3
    assert len(rows) == len(server.requests)
    assert sum(row["prompt_tokens"] + row["completion_tokens"] for row in rows) <= 40_000
    assert rows[0]["estimated"] == (each == FULL)


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("unit", ["tokens", "dollars"])
def test_a_run_that_cannot_pay_for_one_more_question_ends(
    connect: Callable[[str], None], tmp_path: Path, workers: int, unit: str
) -> None:
    limits: dict[str, Any] = {"tokens": 60_000}
    if unit == "dollars":
        limits = {"dollars": 0.6, "prices": {"scripted": Price(10.0, 10.0)}}
    with endpoint(numbered((3000, 8950))) as server:
        connect(server.url)
        loop = run_model(tmp_path / "a", None, workers=workers, answer_tokens=9000, **limits)
    assert loop.ended_by == (
        "60000 tokens are used up" if unit == "tokens" else "0.6 dollars are used up"
    )
    assert len(server.requests) == 5
    found = states(tmp_path / "a")
    assert found.count("invalid") <= 1 and len(found) <= 6


def test_a_budget_too_small_for_any_question_ends_the_run_before_it_opens_a_proposal(
    connect: Callable[[str], None], tmp_path: Path
) -> None:
    with endpoint(numbered((1, 1))) as server:
        connect(server.url)
        loop = run_model(tmp_path / "a", None, tokens=100)
    assert loop.ended_by == "100 tokens are used up"
    assert not server.requests and not states(tmp_path / "a")


def test_what_goes_over_the_reservation_is_booked_in_full_and_ends_the_run(
    connect: Callable[[str], None], tmp_path: Path
) -> None:
    with endpoint(numbered((50_000, 90_000))) as server:
        connect(server.url)
        loop = run_model(tmp_path / "a", None, tokens=60_000, workers=1)
    assert loop.ended_by == "60000 tokens are used up" and len(server.requests) == 1
    assert [row["completion_tokens"] for row in spent(tmp_path / "a")] == [90_000]


def test_a_prompt_that_an_endpoint_makes_longer_is_put_aside_for(
    connect: Callable[[str], None], tmp_path: Path
) -> None:
    """As where a template, or a prompt of the endpoint's own, is added to each question."""
    with endpoint(lambda r: saying("note", (9000, min(100, r["max_tokens"])))) as server:
        connect(server.url)
        loop = run_model(tmp_path / "a", None, tokens=40_000, answer_tokens=1000)
    assert loop.ended_by == "40000 tokens are used up"
    assert len(server.requests) == 4
    assert (
        sum(row["prompt_tokens"] + row["completion_tokens"] for row in spent(tmp_path / "a"))
        < 40_000
    )


def test_answers_may_have_as_many_tokens_as_the_settings_say(
    connect: Callable[[str], None], tmp_path: Path
) -> None:
    with endpoint(numbered((1, 1))) as server:
        connect(server.url)
        run_model(tmp_path / "a", 1, answer_tokens=50)
    assert server.requests[0]["max_completion_tokens"] == 50


def test_an_answer_that_never_ends_is_booked(
    connect: Callable[[str], None], tmp_path: Path
) -> None:
    with endpoint(lambda _: Reply(200, b" " * 60, drip_s=0.05)) as server:
        connect(server.url)
        model = OpenAIModel("scripted", timeout_s=0.3)
        loop = run_model(tmp_path / "a", None, model=model, tokens=20_000)
    rows = spent(tmp_path / "a")
    assert loop.ended_by == "20000 tokens are used up" and len(rows) == 3
    assert all(row["estimated"] for row in rows)


def test_a_question_that_cost_nothing_is_asked_again_and_booked_once(
    connect: Callable[[str], None], tmp_path: Path
) -> None:
    asked, good = iter(range(1000)), numbered((9, 9))

    def flapping(request: dict[str, Any]) -> Reply:
        return Reply(503, b"{}") if next(asked) % 3 < 2 else good(request)

    with endpoint(flapping) as server:
        connect(server.url)
        run_model(tmp_path / "a", 2, workers=1)
    assert len(server.requests) == 6
    assert [row["completion_tokens"] for row in spent(tmp_path / "a")] == [9, 9]
    with Archive.open(tmp_path / "a", read_only=True) as archive:
        assert not [event for event in archive.events(limit=10_000) if event.kind == "run.paused"]


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply.of({"error": {"message": "bad key"}}, 401), "OPENAI_API_KEY"),
        (Reply.of({"error": {"message": "x", "code": "insufficient_quota"}}, 429), "quota left"),
        (Reply.of({"error": {"message": "no model scripted found"}}, 404), "OPENAI_BASE_URL"),
        (Reply(200, b"<html></html>"), "a web page"),
        (Reply(308, b"", headers={"Location": "http://127.0.0.1:9/v2"}), "moved to"),
    ],
    ids=["key", "quota", "path", "page", "moved"],
)
def test_what_waiting_does_not_mend_ends_the_run_at_once_and_loses_nothing(
    connect: Callable[[str], None], tmp_path: Path, reply: Reply, said: str
) -> None:
    wrong, good = True, numbered((9, 9))
    with endpoint(lambda request: reply if wrong else good(request)) as server:
        connect(server.url)
        with pytest.raises(Unreachable, match=said):
            run_model(tmp_path / "a", 3, workers=1)
        assert len(server.requests) == 1
        assert set(states(tmp_path / "a")) == {"open"}
        wrong = False
        run_model(tmp_path / "a", 3, workers=1)
    assert len(states(tmp_path / "a")) == 3
    assert "invalid" not in states(tmp_path / "a")


def test_a_limit_in_dollars_without_a_price_ends_the_run_at_once(
    connect: Callable[[str], None], tmp_path: Path
) -> None:
    """The settings refuse it; a limit that is set while the run goes on comes here."""

    class Unpriced(Asking):
        async def improve(
            self, files: Mapping[str, str], evidence: Mapping[str, Any], ask: Ask
        ) -> dict[str, Any]:
            prices.clear()
            return await super().improve(files, evidence, ask)

    prices = {"scripted": Price(1.0, 1.0)}
    with endpoint(numbered((1, 1))) as server:
        connect(server.url)
        with pytest.raises(Unreachable, match="no known price: give --price"):
            run_model(tmp_path / "a", None, Unpriced, dollars=1.0, prices=prices)
    assert not server.requests


class HalfCharacters(Asking):
    """An improver that asks with half a character."""

    async def improve(
        self, files: Mapping[str, str], evidence: Mapping[str, Any], ask: Ask
    ) -> dict[str, Any]:
        text = await ask([{"role": "user", "content": "\ud83d?"}])
        return {"title": "t", "hypothesis": "h", "files": {"NOTES.md": text}}


def test_half_characters_in_questions_and_answers_are_replaced(
    connect: Callable[[str], None], tmp_path: Path
) -> None:
    with endpoint(lambda _: saying("note \ud83d", (900, 700))) as server:
        connect(server.url)
        run_model(tmp_path / "a", 1, HalfCharacters)
    assert server.requests[0]["messages"][0]["content"] == "\ufffd?"
    assert [row["completion_tokens"] for row in spent(tmp_path / "a")] == [700]
    assert "invalid" not in states(tmp_path / "a")


def test_a_key_that_an_endpoint_echoes_is_nowhere_in_the_archive(
    connect: Callable[[str], None], tmp_path: Path
) -> None:
    replies = iter(
        [
            Reply.of({"error": {"message": f"busy, {KEY}"}}, 500),
            *[Reply.of({"error": {"message": f"Bearer {KEY}"}}, 503)] * 4,
            saying(f"note: the key is {KEY}", (9, 9)),
            Reply.of({"error": {"message": f"no {KEY}"}}, 400),
            Reply.of({"error": f"no {KEY}"}),
            Reply(200, KEY.encode()),
            Reply.of({"error": {"message": f"wrong key {KEY}"}}, 401),
        ]
    )
    with endpoint(lambda _: next(replies)) as server:
        connect(server.url)
        with pytest.raises(Unreachable, match="wrong key") as ended:
            run_model(tmp_path / "a", 9, workers=1)
    assert KEY not in str(ended.value)
    files = [path for path in (tmp_path / "a").rglob("*") if path.is_file()]
    assert len(files) > 3 and not [path for path in files if KEY.encode() in path.read_bytes()]
