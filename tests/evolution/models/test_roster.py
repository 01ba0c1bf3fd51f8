"""Sections of cambrian.toml: where a model is, where its key is from, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.evolution.models.asking import KEY, QUESTION, Connect, fault

from cambrian.archive import Archive
from cambrian.errors import UsageError
from cambrian.evolution.loop import Loop
from cambrian.evolution.models.checking import check
from cambrian.evolution.models.choices import chosen, gbnf
from cambrian.evolution.models.credentials import Credentials
from cambrian.evolution.models.endpoint import OpenAIModel
from cambrian.evolution.models.prices import Price
from cambrian.evolution.models.refusals import AskRefused
from cambrian.evolution.models.roster.roster import Roster
from cambrian.evolution.models.roster.specs import ModelSpec, names_in
from cambrian.evolution.runtime.process_worker import ProcessWorker, worker_environment
from cambrian.evolution.settings import Settings
from cambrian.testing.endpoint import Reply, endpoint
from cambrian.testing.instant_run import BENCHMARKS

OTHER = "another-key-456"


def test_each_model_is_asked_at_its_own_address_with_its_own_key_only(
    connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hello = lambda _: Reply.saying("hi")  # noqa: E731
    (tmp_path / "key").write_text(f"{OTHER}-file\n")
    monkeypatch.setenv("OTHER_KEY", OTHER)
    with endpoint(hello) as usual, endpoint(hello) as own, endpoint(hello) as keyless:
        connect(usual.url)
        specs = {
            "b": ModelSpec(base_url=own.url, key_env="OTHER_KEY", model="real-b", temperature=0.5),
            "c": ModelSpec(base_url=own.url, key_file=str(tmp_path / "key"), max_tokens=77),
            "d": ModelSpec(base_url=keyless.url),
        }
        roster = Roster(("a", "b", "c", "d"), specs)
        for name in roster.names:
            assert roster.model(name).answer(QUESTION).text == "hi"
    keys = [headers["authorization"] for headers in own.headers]
    assert [headers["authorization"] for headers in usual.headers] == [f"Bearer {KEY}"]
    assert keys == [f"Bearer {OTHER}", f"Bearer {OTHER}-file"]
    assert [headers["authorization"] for headers in keyless.headers] == ["Bearer none"]
    assert [request["model"] for request in own.requests] == ["real-b", "c"]
    assert [request.get("temperature") for request in own.requests] == [0.5, None]
    assert roster.model("c").most == 77  # type: ignore[attr-defined]


def test_a_message_names_the_setting_that_a_key_is_from(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTHER_KEY", OTHER)
    with endpoint(lambda _: fault(401, f"bad key {OTHER}")) as server:
        connect(server.url)
        model = OpenAIModel("b", spec=ModelSpec(base_url=server.url, key_env="OTHER_KEY"))
        with pytest.raises(AskRefused, match="see OTHER_KEY") as refusal:
            model.answer(QUESTION)
    assert OTHER not in str(refusal.value) and OTHER not in repr(vars(model))


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (ModelSpec(base_url="http://h/v1", key_env="NOT_SET_1"), "NOT_SET_1 is not set"),
        (ModelSpec(key_file="missing-file"), "key_file missing-file: cannot be read"),
        (ModelSpec(base_url="nonsense"), "base_url is no address"),
        (ModelSpec(base_url="http://h/v1/chat/completions"), "base_url ends in"),
    ],
)
def test_what_is_missing_is_told_before_anything_is_asked(spec: ModelSpec, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Credentials.of({}, spec)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"temperature": 3.0}, "temperature: expected a number from 0 to 2, got 3.0"),
        ({"share": 1.5}, "share: expected a number from 0 to 1"),
        ({"max_tokens": 0}, "max_tokens: expected a number from 1"),
        ({"at_once": 0}, "at_once: expected"),
        ({"role": "think"}, "role: expected one of write, choose, got 'think'"),
        ({"key_env": "A", "key_file": "b"}, "key_env or key_file, got both"),
        ({"base_url": "http://user:secret-9@h/v1"}, "without a user, a password"),
        ({"base_url": "http://h/v1?key=secret-9"}, "without a user, a password"),
    ],
)
def test_a_section_that_makes_no_sense_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said) as refusal:
        ModelSpec(**wrong)
    assert "secret-9" not in str(refusal.value)


def test_keys_of_sections_that_a_run_does_not_ask_are_hidden_from_its_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLACE_OF_ANOTHER", "another-secret-1")
    ModelSpec(base_url="http://h/v1", key_env="PLACE_OF_ANOTHER")  # as cambrian.toml is read
    with Archive.create(tmp_path / "home") as archive, archive.lock():
        settings = Settings(proposals=1, benchmarks=BENCHMARKS)
        run = archive.runs.start(0, settings.to_json(), 1)
        loop = Loop(archive, run, settings, lambda _: None, tmp_path)
        worker = loop._pool._make_worker(tmp_path / "log")
    assert isinstance(worker, ProcessWorker)
    assert "another-secret-1" not in worker_environment(worker._hidden).values()


def test_names_are_read_in_order_each_once() -> None:
    assert names_in(" a, b ,c,") == ("a", "b", "c")
    assert names_in("replay:x,y.jsonl") == ("replay:x,y.jsonl",)
    for wrong in ("a,a", "a,replay:x"):
        with pytest.raises(UsageError):
            names_in(wrong)


# -- choices and checking ----------------------------------------------------------------


def test_a_grammar_escapes_what_would_end_a_string() -> None:
    assert gbnf(['a "b"', "c\\d\n", "é→"]) == (
        'root ::= "a \\"b\\"" | "c\\\\d\\x0A" | "\\xE9\\u2192"'
    )
    with pytest.raises(ValueError, match="choices"):
        gbnf(["a", ""])


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("graft b", 1),
        (' "graft b". ', 1),
        ('{"choice": "graft a"}', 0),
        ("I pick graft bb", 2),
        ("graft a or graft b", None),
        ("none", None),
        ('{"choice": 1}', None),
        ("", None),
    ],
)
def test_a_choice_is_read_where_one_is_named(text: str, at: int | None) -> None:
    assert chosen(text, ["graft a", "graft b", "graft bb"]) == at


def plain(request: dict[str, Any]) -> Reply:
    """An endpoint of reasoning models: no temperature, no max_tokens, no grammar but a schema."""
    for name in ("temperature", "grammar", "max_tokens"):
        if name in request:
            return fault(400, f"Unsupported parameter: '{name}'.", param=name)
    reply = json.loads(Reply.saying('{"choice": "ostrich"}').body)
    reply["choices"][0]["message"]["reasoning_content"] = "They said hello, so I think long."
    return Reply.of(reply)


def test_one_question_tells_what_an_endpoint_supports(connect: Connect) -> None:
    with endpoint(plain) as server:
        connect(server.url)
        found = check("m", ModelSpec(), Price(1.0, 2.0), (1000, 500))
    assert found.limits == ("max_completion_tokens",) and not found.temperature
    assert (found.grammar, found.usage, found.reasoning) == ("schema", True, True)
    assert found.dollars == pytest.approx((11 + 2 * 7) / 1e6)
    assert found.proposal_dollars == pytest.approx(0.002)


def test_an_endpoint_that_does_not_mind_a_grammar_is_found_out(connect: Connect) -> None:
    reply = json.loads(Reply.saying("Hello!").body)
    del reply["usage"]
    with endpoint(lambda _: Reply.of(reply)) as server:
        connect(server.url)
        found = check("m", ModelSpec(), None, (1000, 500))
    assert (found.grammar, found.usage, found.reasoning) == ("none", False, False)
    assert found.temperature and found.dollars is None and found.proposal_dollars is None
    assert len(server.requests) == 1
