"""Whatever an endpoint does, a run goes on, books every token and records why."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.evolution.models.asking import QUESTION, Connect, ask, fault, saying
from tests.evolution.models.model_run import run_model

from cambrian.archive import Archive
from cambrian.backoff import Backoff
from cambrian.errors import Unreachable
from cambrian.evolution.models.endpoint import OpenAIModel
from cambrian.evolution.models.prices import Price
from cambrian.evolution.models.refusals import AskRefused, EndpointDown, Misconfigured
from cambrian.evolution.models.roster.specs import ModelSpec
from cambrian.evolution.timing import Timing
from cambrian.testing.endpoint import Reply, endpoint

QUICK = Timing(refusals=1000, looks=Backoff(0.02, 0.02), questions=Backoff(0.02, 10.0))
FULL = 20 + len("user") + 16 + 32 + 8192
"""What is put aside for the question of a run here."""

CASES: dict[str, tuple[Reply, int | None, str]] = {
    "html": (
        Reply(200, b"<html>login</html>", headers={"Content-Type": "text/html"}),
        FULL,
        "a web page",
    ),
    "empty choices": (Reply.of({"choices": [], "usage": None}), FULL, "without text"),
    "null with reasoning": (
        Reply.of(saying(None, reasoning_content="long thoughts")),
        18,
        "only reasoning",
    ),
    "null with tool calls": (
        Reply.of(saying(None, "tool_calls", tool_calls=[{"id": "1"}])),
        18,
        "called a tool",
    ),
    "content filter": (Reply.of(saying("so", "content_filter")), 18, "filtered"),
    "refusal": (Reply.of(saying(None, refusal="I would rather not")), 18, "will not answer"),
    "cut before anything": (Reply.of(saying("", "length")), 18, "cut the answer"),
    "wrong encoding": (Reply(200, "réponse".encode("utf-16")), FULL, "nonsense"),
    "500": (fault(500, "oops"), None, "said 500"),
    "429": (fault(429, "slow down"), None, "said 429"),
    "429 with a wait": (Reply(429, b"{}", headers={"Retry-After": "0.05"}), None, "said 429"),
    "503": (fault(503, "overloaded"), None, "said 503"),
}


def note(number: int) -> Reply:
    return Reply.saying(f"note {number}")


@pytest.mark.parametrize("case", CASES)
def test_a_run_goes_on_after_one_bad_reply_and_its_books_are_right(
    connect: Connect, tmp_path: Path, case: str
) -> None:
    bad, tokens, why = CASES[case]
    count = iter(range(100))

    def script(_: dict[str, Any]) -> Reply:
        number = next(count)
        return bad if number == 1 else note(number)

    with endpoint(script) as server:
        connect(server.url)
        run_model(tmp_path / "a", 3, timing=QUICK, workers=1)
    with Archive.open(tmp_path / "a", read_only=True) as archive:
        rows = archive.database.rows(
            "SELECT prompt_tokens + completion_tokens AS tokens, refused, position FROM spend "
            "ORDER BY id"
        )
        states = [proposal.state for proposal in archive.proposals.select()]
        reasons = [proposal.reason or "" for proposal in archive.proposals.select()]
    refused = [row for row in rows if row["refused"]]
    assert all(row["tokens"] == 18 for row in rows if not row["refused"])
    if tokens is None:  # turned down unread: asked again, and nothing is lost
        assert not refused and len(rows) == 3 and "invalid" not in states
        assert len(server.requests) == 4
        return
    [only] = refused
    assert only["tokens"] == tokens and why in only["refused"] and only["position"] == 0
    assert states.count("invalid") == 1 and any(why in reason for reason in reasons)
    assert len(rows) == len(server.requests) == 3


def test_an_endpoint_that_is_overloaded_for_ever_ends_the_run_which_may_be_resumed(
    connect: Connect, tmp_path: Path
) -> None:
    with endpoint(lambda _: fault(503, "overloaded")) as server:
        connect(server.url)
        with pytest.raises(Unreachable, match="said 503: overloaded"):
            run_model(tmp_path / "a", 2, timing=QUICK, workers=1, patience=0.01)
    count = iter(range(100))
    with endpoint(lambda _: note(next(count))) as server:
        connect(server.url)
        run_model(tmp_path / "a", 2, timing=QUICK, workers=1)
    with Archive.open(tmp_path / "a", read_only=True) as archive:
        assert archive.ledger.total().calls == 2 and archive.counts()["proposals"] == 2


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (fault(401, "no such key"), "OPENAI_API_KEY"),
        (fault(404, "The model `scripted` does not exist", code="model_not_found"), "--model"),
    ],
)
def test_what_only_a_person_can_mend_ends_the_run_at_once_and_costs_nothing(
    connect: Connect, tmp_path: Path, reply: Reply, said: str
) -> None:
    with endpoint(lambda _: reply) as server:
        connect(server.url)
        with pytest.raises(Unreachable, match=said):
            run_model(tmp_path / "a", 3, timing=QUICK, workers=1)
    assert len(server.requests) == 1
    with Archive.open(tmp_path / "a", read_only=True) as archive:
        assert archive.ledger.total().calls == 0 and archive.ledger.reserved(1).tokens == 0


def test_an_answer_that_breaks_off_in_the_middle_is_down_and_to_be_paid(connect: Connect) -> None:
    body = Reply.saying("hi").body
    reply = Reply(200, body[: len(body) // 2], headers={"Content-Length": str(len(body))})
    refusal = ask(reply, connect)
    assert isinstance(refusal, EndpointDown) and refusal.used is not None


def test_an_answer_of_fifty_megabytes_is_read_no_further_than_the_bound(connect: Connect) -> None:
    answer = json.loads(Reply.saying("").body)
    answer["choices"][0]["message"]["content"] = "x" * (50 << 20)
    refusal = ask(Reply.of(answer), connect)
    assert isinstance(refusal, AskRefused) and "more than 8 MiB" in str(refusal)


def test_a_date_says_how_long_to_wait_too(connect: Connect) -> None:
    headers = {
        "Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT",
        "Date": "Fri, 31 Dec 1999 23:59:29 GMT",
    }
    refusal = ask(Reply(429, b"{}", headers=headers), connect)
    assert 0 <= refusal.wait_s <= 30


def test_a_model_that_takes_no_temperature_is_asked_without_and_that_is_remembered(
    connect: Connect,
) -> None:
    def script(request: dict[str, Any]) -> Reply:
        if "temperature" in request:
            return fault(400, "Unsupported value: 'temperature' does not support 0.7", param="x")
        return Reply.saying("hi")

    with endpoint(script) as server:
        connect(server.url)
        model = OpenAIModel("m", spec=ModelSpec(temperature=0.7))
        assert [model.answer(QUESTION).text for _ in range(2)] == ["hi", "hi"]
    assert ["temperature" in request for request in server.requests] == [True, False, False]


@pytest.mark.parametrize("ending", ["/v1", "/v1/", "", "/"])
def test_an_address_is_taken_with_and_without_a_slash_and_one_without_v1_is_named(
    connect: Connect, ending: str
) -> None:
    paths: list[str] = []
    with endpoint(lambda _: Reply.saying("hi"), paths=paths, serves="/v1/chat/completions") as at:
        connect(at.url.removesuffix("/v1") + ending)
        if "v1" in ending:
            assert OpenAIModel("m").answer(QUESTION).text == "hi"
        else:
            with pytest.raises(Misconfigured, match="should it end in /v1"):
                OpenAIModel("m").answer(QUESTION)
    assert len(paths) == 1


# -- money -------------------------------------------------------------------------------


def dear_and_late(most: list[int]) -> Callable[[dict[str, Any]], Reply]:
    """Answers late, and uses all that it may."""
    under_way, lock = [0], threading.Lock()

    def script(request: dict[str, Any]) -> Reply:
        with lock:
            under_way[0] += 1
            most.append(under_way[0])
        time.sleep(0.3)
        with lock:
            under_way[0] -= 1
        reply = json.loads(Reply.saying(f"note {len(most)}").body)
        asked = sum(len(one["content"]) + len(one["role"]) for one in request["messages"])
        reply["usage"] = {"prompt_tokens": asked, "completion_tokens": request["max_tokens"]}
        return Reply.of(reply)

    return script


@pytest.mark.parametrize("unit", ["tokens", "dollars"])
def test_ten_workers_and_a_late_endpoint_go_over_no_budget(
    connect: Connect, tmp_path: Path, unit: str
) -> None:
    limits: dict[str, Any] = {"tokens": 45_000}
    if unit == "dollars":
        limits = {"dollars": 0.45, "prices": {"scripted": Price(10.0, 10.0)}}
    most: list[int] = []
    with endpoint(dear_and_late(most)) as server:
        connect(server.url)
        loop = run_model(tmp_path / "a", None, timing=QUICK, workers=10, **limits)
    with Archive.open(tmp_path / "a", read_only=True) as archive:
        spent = archive.ledger.total()
    assert "are used up" in loop.ended_by and max(most) > 1
    assert len(server.requests) == spent.calls >= 5
    assert spent.prompt_tokens + spent.completion_tokens <= 45_000
    assert spent.dollars <= 0.45 + 1e-9


def test_a_variant_may_use_no_more_than_its_allowance(connect: Connect, tmp_path: Path) -> None:
    with endpoint(dear_and_late([])) as server:
        connect(server.url)
        run_model(tmp_path / "a", 2, timing=QUICK, variant_tokens=2000)
        run_model(tmp_path / "b", 1, timing=QUICK, variant_tokens=90)
    assert [request["max_tokens"] for request in server.requests] == [2000 - 72] * 2
    with Archive.open(tmp_path / "b", read_only=True) as archive:
        [proposal] = archive.proposals.select()
        assert "the variant's allowance of 90 tokens is spent" in str(proposal.reason)
        assert archive.ledger.total().calls == 0
    for home in ("a", "b"):
        with Archive.open(tmp_path / home, read_only=True) as archive:
            for proposal in archive.proposals.select():
                own = archive.ledger.total(proposal_id=proposal.id)
                assert own.prompt_tokens + own.completion_tokens <= 2000


def test_one_model_is_asked_no_more_at_once_than_its_section_says(
    connect: Connect, tmp_path: Path
) -> None:
    most: list[int] = []
    with endpoint(dear_and_late(most)) as server:
        connect(server.url)
        spec = {"scripted": ModelSpec(at_once=2)}
        run_model(tmp_path / "a", 8, timing=QUICK, workers=6, endpoints=spec, answer_tokens=300)
    assert len(most) == 8 and max(most) == 2


def test_a_wait_that_an_endpoint_asks_for_holds_for_every_question_to_it(
    connect: Connect, tmp_path: Path
) -> None:
    times: list[float] = []

    def script(_: dict[str, Any]) -> Reply:
        times.append(time.monotonic())
        if len(times) == 1:
            return Reply(429, b"{}", headers={"Retry-After": "1.5"})
        return note(len(times))

    with endpoint(script) as server:
        connect(server.url)
        spec = {"scripted": ModelSpec(at_once=1)}
        run_model(tmp_path / "a", 3, timing=QUICK, workers=3, endpoints=spec)
    assert len(times) == 4 and times[1] - times[0] >= 1.45
