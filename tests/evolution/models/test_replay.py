"""A run that was recorded is repeated without a network; what was not recorded is refused."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.evolution.models.asking import KEY, Connect, saying
from tests.evolution.models.model_run import run_model

from cambrian.archive import Archive
from cambrian.daemon import supervisor
from cambrian.errors import NotFound, UsageError
from cambrian.evolution.models.broker import Broker, TokenBudget, request_hash
from cambrian.evolution.models.prices import Price
from cambrian.evolution.models.refusals import AskRefused
from cambrian.evolution.models.roster.replay import (
    ADDRESS,
    Recording,
    Replayed,
    head_of,
    record,
)
from cambrian.evolution.models.roster.specs import ModelSpec
from cambrian.evolution.settings import Settings
from cambrian.testing.endpoint import Reply, endpoint
from cambrian.testing.instant_run import BENCHMARKS, picture

KEY_NAME = "OPENAI_API_KEY"
PRICES = {"small": Price(1.0, 2.0), "large": Price(3.0, 6.0)}


def recorded(
    connect: Connect, home: Path, rewriter: str = "mixed", urls: list[str] | None = None
) -> Path:
    """A recording of a run with two models, of which one fails now and then; where they were is
    added to `urls`."""
    count = itertools.count()

    def script(request: dict[str, Any]) -> Reply:
        number = next(count)
        if number % 5 == 3:
            return Reply.of(saying("half", "length"))
        if number % 5 == 1:
            return Reply.of(saying("", "length"))
        return Reply.saying(f"{request['model']} {number}")

    with endpoint(script) as server:
        connect(server.url)
        if urls is not None:
            urls.append(server.url)
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
    urls: list[str] = []
    file = recorded(connect, tmp_path / "first", urls=urls)
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
    first = json.dumps(picture(tmp_path / "first"))
    assert json.dumps(picture(tmp_path / "again")) == first.replace(urls[0], ADDRESS)
    assert spend(tmp_path / "again") == spend(tmp_path / "first")
    with Archive.open(tmp_path / "again", read_only=True) as archive:
        phases = archive.database.rows("SELECT DISTINCT phase FROM spend")
    assert [row["phase"] for row in phases] == ["replay"]


def test_a_recording_holds_no_key_and_no_setting_of_where_it_is(
    connect: Connect, tmp_path: Path
) -> None:
    urls: list[str] = []
    text = recorded(connect, tmp_path / "a", "model", urls).read_text()
    assert KEY not in text and KEY_NAME not in text and "base_url" not in text
    host = urls[0].removeprefix("http://").removesuffix("/v1")
    assert urls[0] not in text and host not in text
    assert f"the endpoint {ADDRESS} " in text


def call(position: int, text: str | None, refused: str | None = None, **more: Any) -> Any:
    """One line of a recording."""
    asked = [{"role": "user", "content": f"question {position}"}]
    return {
        "idx": 0,
        "position": position,
        "model": "m",
        "text": text,
        "refused": refused,
        "prompt_tokens": 3,
        "completion_tokens": 4,
        "estimated": False,
        "request": None if text is None else request_hash("m", asked),
        **more,
    }


def lines(file: Path, *calls: Any, spec: Any = None) -> str:
    """The name of a recording of the model "m" with these lines."""
    head = {"format": "cambrian-answers", "version": 1}
    model = {"name": "m", "price": None, "spec": {} if spec is None else spec}
    rows = [head | {"models": [model]}, *calls]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return f"replay:{file}"


def test_a_killed_replay_plays_no_refusal_again(tmp_path: Path) -> None:
    name = lines(
        tmp_path / "a.jsonl",
        call(0, None, "down"),
        call(0, "one"),
        call(1, None, "cut"),
        call(2, "two"),
    )
    with Archive.create(tmp_path / "home") as archive:
        supervisor.prepare(archive)
        settings = Settings(proposals=3, rewriter="model", model="m", benchmarks=BENCHMARKS)
        run = archive.runs.start(0, settings.to_json(), 3)
        parent = archive.agents.select()[0].id
        proposal = archive.proposals.open(run.id, 0, -1, [parent], "model")

        def asked(model: Replayed, positions: int) -> list[str]:
            """What one try of the proposal is told, at so many positions."""
            budget = TokenBudget(archive, run.id, dict)
            broker = Broker(archive, model, budget=budget, proposal_id=proposal.id)
            told = []
            for number in range(positions):
                try:
                    said = [{"role": "user", "content": f"question {number}"}]
                    told.append(anyio.run(broker.ask, said))
                except AskRefused as refusal:
                    told.append(str(refusal))
            return told

        model = Recording(name).model("m", 0)
        assert asked(model, 1) == ["down"]
        assert asked(model, 2) == ["one", "cut"]
        model = Recording(name).model("m", 0)  # as after a kill
        assert asked(model, 3) == ["one", "cut", "two"]
        assert archive.ledger.total().calls == 4


def test_a_run_whose_calls_name_no_question_is_not_recorded(
    connect: Connect, tmp_path: Path
) -> None:
    recorded(connect, tmp_path / "a", "model")
    with Archive.open(tmp_path / "a") as archive:
        archive.database.execute("UPDATE spend SET position = NULL WHERE id <= 2")
        with pytest.raises(UsageError, match=r"in 2 of the \d+ calls of run 1 .* make a run"):
            record(archive, tmp_path / "none.jsonl")
    assert not (tmp_path / "none.jsonl").exists()


def test_a_damaged_recording_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="line 1 is not as `cambrian model record` writes it"):
        head_of(lines(tmp_path / "a.jsonl", spec="none"))
    broken: list[dict[str, Any]] = [{"idx": [0]}, {"model": {}}, {"more": 1}]
    for wrong in broken:
        with pytest.raises(UsageError, match="line 3 is not as `cambrian model record` writes it"):
            Recording(lines(tmp_path / "b.jsonl", call(0, "x"), call(1, "x", **wrong)))


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
