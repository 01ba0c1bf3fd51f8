"""The `model` rewriter: through the broker, against real HTTP servers, well-behaved and hostile."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.evolution.models.model_run import Asking, run_model

from cambrian.agents.seeds import load_seed
from cambrian.archive import Archive
from cambrian.backoff import Backoff
from cambrian.daemon import supervisor
from cambrian.errors import Unreachable, UsageError
from cambrian.evolution.models.broker import OpenAIModel
from cambrian.evolution.models.prices import Price
from cambrian.evolution.runtime.workers import Ask, AskRefused
from cambrian.evolution.settings import Settings
from cambrian.evolution.timing import Timing
from cambrian.testing.endpoint import Reply, endpoint

QUESTION = [{"role": "user", "content": "hello"}]

ANSWER = """\
TITLE: Use streaming discriminant analysis on frozen features
HYPOTHESIS: Class means on fixed features cannot forget.
PREDICTED GAIN: 0.2
CONFIDENCE: 0.7

### FILE learner.py
```python
{code}
```
"""


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def to(url: str) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "a-secret")
        monkeypatch.setenv("OPENAI_BASE_URL", url)

    return to


def ask(**options: Any) -> str:
    return OpenAIModel("scripted", retries=0, **options).answer(QUESTION).text


def test_a_well_behaved_endpoint_is_asked_and_counted(connect: Callable[[str], None]) -> None:
    with endpoint(lambda _: Reply.saying("hi")) as server:
        connect(server.url)
        answer = OpenAIModel("scripted", retries=0).answer(QUESTION)
    assert (answer.text, answer.prompt_tokens, answer.completion_tokens) == ("hi", 11, 7)
    assert server.requests[0]["model"] == "scripted"
    assert server.requests[0]["messages"] == QUESTION


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply.of({"error": {"message": "bad key"}}, 401), "said 401"),
        (Reply.of({"error": {"message": "slow down"}}, 429), "said 429"),
        (Reply.of({"error": {"message": "oops"}}, 500), "said 500"),
        (Reply(200, b"<html>not json</html>"), "endpoint"),
        (Reply(200, b"{"), "endpoint"),
        (Reply.of({}), "without text"),
        (Reply.of([]), "endpoint"),
        (Reply.of({"choices": []}), "without text"),
        (Reply.of({"choices": [{"message": {"content": None}}]}), "without text"),
        (Reply.of({"choices": [{"message": {"content": {"a": 1}}}]}), "without text"),
        (Reply.of({"choices": "abc"}), "without text"),
        (Reply(hang_up=True), "does not answer"),
    ],
    ids=[
        "401",
        "429",
        "500",
        "html",
        "torn",
        "empty",
        "list",
        "none",
        "null",
        "dict",
        "str",
        "eof",
    ],
)
def test_every_bad_answer_is_refused_with_a_reason(
    connect: Callable[[str], None], reply: Reply, said: str
) -> None:
    with endpoint(lambda _: reply) as server:
        connect(server.url)
        with pytest.raises(AskRefused, match=said) as refusal:
            ask()
    assert "a-secret" not in str(refusal.value)


def test_an_endpoint_that_is_down_is_refused_with_its_address(
    connect: Callable[[str], None],
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    connect(f"http://127.0.0.1:{port}/v1")
    with pytest.raises(AskRefused, match=f"127.0.0.1:{port}.*does not answer"):
        ask()


def test_without_a_key_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(UsageError, match="OPENAI_API_KEY is not set"):
        OpenAIModel("any")


@pytest.mark.parametrize("url", ["http://localhost:abc/v1", "localhost:1", "ftp://a/b", ""])
def test_what_is_no_address_is_refused_at_once(connect: Callable[[str], None], url: str) -> None:
    connect(url)
    with pytest.raises(UsageError, match="OPENAI_BASE_URL is no address"):
        OpenAIModel("any")


def test_counts_that_no_database_could_hold_are_not_believed(
    connect: Callable[[str], None],
) -> None:
    reply = json.loads(Reply.saying("hi").body)
    reply["usage"]["prompt_tokens"] = 10**30
    with endpoint(lambda _: Reply.of(reply)) as server:
        connect(server.url)
        assert OpenAIModel("any", retries=0).answer(QUESTION).prompt_tokens is None


def numbered() -> Callable[[dict[str, Any]], Reply]:
    count = iter(range(1000))
    return lambda _: Reply.saying(f"note {next(count)}")


def test_spend_is_recorded_per_answer(connect: Callable[[str], None], tmp_path: Path) -> None:
    with endpoint(numbered()) as server:
        connect(server.url)
        run_model(tmp_path / "a", 4)
    with Archive.open(tmp_path / "a", read_only=True) as archive:
        spent = archive.ledger.total()
        judged = [p for p in archive.proposals.select() if p.state in ("admitted", "rejected")]
    assert len(judged) == 4
    assert (spent.calls, spent.prompt_tokens, spent.completion_tokens) == (4, 44, 28)
    assert len(server.requests) == 4


def greedy(request: dict[str, Any]) -> Reply:
    """Uses up all that a question may cost: a token per byte, and every token of the answer."""
    reply = json.loads(Reply.saying(f"note {len(request['messages'])}").body)
    asked = sum(len(m["content"]) + len(m["role"]) for m in request["messages"])
    reply["usage"] = {"prompt_tokens": asked, "completion_tokens": request["max_tokens"]}
    return Reply.of(reply)


@pytest.mark.parametrize("workers", [1, 4])
def test_the_token_budget_is_never_gone_over(
    connect: Callable[[str], None], tmp_path: Path, workers: int
) -> None:
    with endpoint(greedy) as server:
        connect(server.url)
        run_model(tmp_path / "a", 9, tokens=20_000, workers=workers)
    assert [r["max_tokens"] for r in server.requests][:2] == [8192, 8192]
    assert 256 <= server.requests[2]["max_tokens"] < 8192
    assert len(server.requests) == 3
    with Archive.open(tmp_path / "a", read_only=True) as archive:
        spent = archive.ledger.total()
        proposals = archive.proposals.select()
        assert archive.ledger.reserved(1).tokens == 0
    assert 19_000 < spent.prompt_tokens + spent.completion_tokens <= 20_000
    refused = [p for p in proposals if p.state == "invalid"]
    assert all("budget of 20000 tokens is spent" in str(p.reason) for p in refused)
    assert len(proposals) - len(refused) == 3


def test_a_budget_in_dollars_is_never_gone_over(
    connect: Callable[[str], None], tmp_path: Path
) -> None:
    prices = {"scripted": Price(prompt=3.0, completion=15.0)}
    with endpoint(greedy) as server:
        connect(server.url)
        run_model(tmp_path / "a", 9, dollars=0.3, prices=prices)
    with Archive.open(tmp_path / "a", read_only=True) as archive:
        assert 0.28 < archive.ledger.total().dollars <= 0.3
    assert len(server.requests) == 3


def test_a_budget_in_dollars_without_a_price_is_refused() -> None:
    with pytest.raises(UsageError, match="needs the price of scripted"):
        Settings(rewriter="model", model="scripted", dollars=1.0)
    with pytest.raises(UsageError, match="spends no tokens"):
        Settings(dollars=1.0)
    for text in ("1", "1,2,3", "a,b", "-1,2", "nan,1"):
        with pytest.raises(UsageError, match="dollars per million"):
            Price.of(text)


def test_an_endpoint_that_counts_nothing_is_counted_by_an_estimate_marked_as_one(
    connect: Callable[[str], None], tmp_path: Path
) -> None:
    def silent(_: dict[str, Any]) -> Reply:
        reply = json.loads(Reply.saying("a note").body)
        del reply["usage"]
        return Reply.of(reply)

    with endpoint(silent) as server:
        connect(server.url)
        run_model(tmp_path / "a", 1)
    with Archive.open(tmp_path / "a", read_only=True) as archive:
        [row] = archive.database.rows("SELECT * FROM spend")
    assert row["estimated"] == 1
    assert row["prompt_tokens"] > 20 and row["completion_tokens"] == len("a note")


def test_an_endpoint_that_never_answers_stops_the_run_so_that_it_can_go_on_later(
    connect: Callable[[str], None], tmp_path: Path
) -> None:
    with endpoint(lambda _: Reply.of({"error": {"message": "no"}}, 400)) as server:
        connect(server.url)
        with pytest.raises(Unreachable, match=r"3 questions in a row failed.*said 400"):
            run_model(tmp_path / "a", 50, timing=Timing(refusals=3))
    with Archive.open(tmp_path / "a", read_only=True) as archive:
        assert archive.counts()["proposals"] < 20


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_endpoint_that_is_down_for_a_while_pauses_the_run_and_costs_no_proposal(
    connect: Callable[[str], None], tmp_path: Path, status: int
) -> None:
    timing = Timing(retries=0, looks=Backoff(0.05, 60.0))
    answers = numbered()
    calls = iter(range(1000))

    def flapping(request: dict[str, Any]) -> Reply:
        if next(calls) % 5 < 3:
            return Reply.of({"error": {"message": "not now"}}, status)
        return answers(request)

    with endpoint(flapping) as server:
        connect(server.url)
        run_model(tmp_path / "a", 4, timing=timing)
    with Archive.open(tmp_path / "a", read_only=True) as archive:
        assert archive.counts()["judged"] == 4
        assert archive.ledger.total().calls == 4
        kinds = [event.kind for event in archive.events(limit=10_000)]
        assert kinds.count("run.paused") == kinds.count("run.went_on") >= 1


def test_an_endpoint_that_stays_down_ends_the_run_which_goes_on_where_it_stopped(
    connect: Callable[[str], None], tmp_path: Path
) -> None:
    timing = Timing(retries=0, looks=Backoff(0.05, 60.0))
    up = False
    answers = numbered()
    down = Reply.of({"error": {"message": "not now"}}, 503)
    with endpoint(lambda request: answers(request) if up else down) as server:
        connect(server.url)
        with pytest.raises(Unreachable, match="said 503"):
            run_model(tmp_path / "a", 3, timing=timing, patience=0.002)
        up = True
        run_model(tmp_path / "a", 3, timing=timing)
    with Archive.open(tmp_path / "a", read_only=True) as archive:
        assert (archive.counts()["judged"], archive.counts()["invalid"]) == (3, 0)


@pytest.mark.parametrize("status", [400, 422])
def test_a_failing_endpoint_is_recorded_and_the_loop_goes_on(
    connect: Callable[[str], None], tmp_path: Path, status: int
) -> None:
    with endpoint(lambda _: Reply.of({"error": {"message": "no"}}, status)) as server:
        connect(server.url)
        run_model(tmp_path / "a", 3, timing=Timing(retries=0))
    with Archive.open(tmp_path / "a", read_only=True) as archive:
        proposals = archive.proposals.select()
        assert [p.state for p in proposals] == ["invalid"] * 3
        assert all(f"said {status}" in str(p.reason) for p in proposals)
        assert archive.counts()["judged"] == 0


def test_answers_that_were_paid_for_are_replayed_after_a_restart(
    connect: Callable[[str], None], tmp_path: Path
) -> None:
    """The answer is recorded before anything is done with it; a kill in between costs nothing."""

    class Killed(BaseException):
        pass

    class Dies(Asking):
        async def improve(
            self, files: Mapping[str, str], evidence: Mapping[str, Any], ask: Ask
        ) -> dict[str, Any]:
            await super().improve(files, evidence, ask)
            raise Killed

    with endpoint(numbered()) as server:
        connect(server.url)
        with pytest.raises(BaseExceptionGroup):
            run_model(tmp_path / "a", 1, Dies)
        assert len(server.requests) == 1
        run_model(tmp_path / "a", 1)
    assert len(server.requests) == 1
    with Archive.open(tmp_path / "a", read_only=True) as archive:
        assert archive.ledger.total().calls == 1
        assert archive.proposals.at(0).agent_id is not None  # type: ignore[union-attr]


@pytest.mark.docker
@pytest.mark.slow
def test_a_models_edit_is_made_in_a_sandbox_judged_in_another_and_admitted(
    connect: Callable[[str], None], tmp_path: Path
) -> None:
    """All of it for real: the improver asks from its sandbox, the edit is checked and applied on
    the host, the new learner is judged in a container, and admitted."""
    code = load_seed("random_features")["learner.py"].replace("1000", "900", 1)
    code = "# written by a model\n" + code
    with endpoint(lambda _: Reply.saying(ANSWER.format(code=code))) as server:
        connect(server.url)
        settings = Settings(
            seed=1,
            rewriter="model",
            model="scripted",
            proposals=1,
            benchmarks=("split-mnist",),
            sandbox="docker",
        )
        lines: list[str] = []
        ending = supervisor.run(tmp_path / "a", settings, lines.append)
    assert ending.state == "finished"
    assert "a-secret" not in str(server.requests)
    with Archive.open(tmp_path / "a", read_only=True) as archive:
        proposal = archive.proposals.at(0)
        assert proposal is not None and proposal.agent_id is not None, lines
        assert proposal.state == "admitted", (proposal.reason, lines)
        agent = archive.agents.get(proposal.agent_id)
        assert agent.title == "Use streaming discriminant analysis on frozen features"
        assert archive.agents.files(agent.id)["learner.py"].startswith("# written by a model")
        gates = {gate.gate: gate.verdict for gate in archive.gates(agent_id=agent.id)}
        assert gates["improver"] == "pass"
        assert archive.evaluations.of(agent.id, "full")[0].backend == "docker"
        assert not archive.evaluations.sealed_agents()
