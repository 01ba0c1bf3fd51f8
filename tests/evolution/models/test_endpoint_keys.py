"""Keys and addresses: taken, refused, never shown."""

from __future__ import annotations

import pytest
from tests.evolution.models.asking import KEY, QUESTION, Connect, ask, fault

from cambrian.errors import UsageError
from cambrian.evolution.models.broker import OpenAIModel
from cambrian.evolution.models.refusals import (
    AskRefused,
    Misconfigured,
)
from cambrian.evolution.models.roster.specs import ModelSpec
from cambrian.evolution.runtime.process_worker import worker_environment
from cambrian.testing.endpoint import Reply, endpoint


@pytest.mark.parametrize(
    "given",
    [
        f"{KEY}\r",
        f"{KEY}\r\n",
        f"  {KEY}\t",
        f"\ufeff{KEY}",
        f"{KEY}\u200b",
        f"\u00a0{KEY}",
        f'"{KEY}"',
        f"'{KEY}'\n",
        f"Bearer {KEY}",
        f'"bearer {KEY}"',
    ],
)
def test_what_is_stray_around_a_key_is_taken_off(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    with endpoint(lambda _: Reply.saying("hi")) as server:
        connect(f"{server.url}\r\n")
        monkeypatch.setenv("OPENAI_API_KEY", given)
        OpenAIModel("m").answer(QUESTION)
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    "given",
    [
        "",
        " \r\n",
        '""',
        "Bearer ",
        "not-a-real\rkey-123",
        "not-a-real\nkey-123",
        "not-a-real key-123",
        "not-a-real\tkey-123",
        "not-a-real-k\u00e9y-123",
        "not-a-real-key-\U0001f600",
        "not-a-real\x7fkey-123",
        "not-a-real\udcffkey-123",
        "not-a-real" * 1000,
    ],
)
def test_a_key_that_no_header_can_hold_is_refused_without_being_shown(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    connect("http://127.0.0.1:9/v1")
    monkeypatch.setenv("OPENAI_API_KEY", given)
    with pytest.raises(UsageError, match="OPENAI_API_KEY") as refusal:
        OpenAIModel("m")
    assert "not-a-real" not in str(refusal.value) and "123" not in str(refusal.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://user:pass-word-9@127.0.0.1:abc/v1",
        "user:pass-word-9@127.0.0.1/v1",
        "http://127.0.0.1/ v1?key=pass-word-9",
        "http://127.0.0.1/v1/chat/completions",
        "http://h\u00f6st\x01/v1",
    ],
)
def test_an_address_that_cannot_be_used_is_refused_without_its_secrets(
    connect: Connect, url: str
) -> None:
    connect(url)
    with pytest.raises(UsageError, match="OPENAI_BASE_URL") as refusal:
        OpenAIModel("m")
    assert "pass-word-9" not in str(refusal.value)


@pytest.mark.parametrize("status", [200, 400, 401, 429, 500])
def test_no_text_of_an_endpoint_brings_a_secret_back(connect: Connect, status: int) -> None:
    words = f"{KEY} Bearer {KEY} other-secret-1 other/secret=2 other%2Fsecret%3D2"
    with endpoint(lambda _: fault(status, words)) as server:
        place = server.url.replace("//", "//user-name-1:other-secret-1@")
        connect(f"{place}?token=other%2Fsecret%3D2")
        model = OpenAIModel("m")
        with pytest.raises(AskRefused) as refusal:
            model.answer(QUESTION)
    for secret in (KEY, "other-secret", "secret%3D2", "secret=2", "user-name-1", "token="):
        assert secret not in str(refusal.value) and secret not in model.endpoint
        assert secret not in repr(vars(model))


def test_an_answer_that_echoes_the_key_does_not_carry_it_on(connect: Connect) -> None:
    assert ask(Reply.saying(f"your key is {KEY}!"), connect).text == "your key is [hidden]!"


def test_a_word_that_serves_as_a_key_stays_in_answers(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    with endpoint(lambda _: Reply.saying("import learner")) as server:
        connect(server.url)
        monkeypatch.setenv("OPENAI_API_KEY", "learner")
        assert OpenAIModel("m").answer(QUESTION).text == "import learner"


def test_workers_do_not_get_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", f"x: {KEY}")
    monkeypatch.setenv("GROQ_API_KEY", KEY)
    monkeypatch.setenv("MY_PLACE", KEY)
    hidden = worker_environment(["MY_PLACE"])
    assert not [name for name, text in hidden.items() if KEY in text]
    assert "PATH" in hidden and "MY_PLACE" in worker_environment()
    assert worker_environment()["OMP_NUM_THREADS"] == "1"


def test_what_the_environment_says_for_its_address_goes_to_no_other(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = "X-Tenant: secret-tenant\nauthorization: Bearer secret-other\naccept-encoding: gzip"
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", headers)
    monkeypatch.setenv("OPENAI_ORG_ID", "secret-org")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "secret-project")
    monkeypatch.setenv("OWN_KEY", "own-key-12345")
    with endpoint(lambda _: Reply.saying("hi")) as server:
        connect(server.url)
        OpenAIModel("m").answer(QUESTION)
        for key_env in ("", "OWN_KEY"):
            spec = ModelSpec(base_url=server.url, key_env=key_env)
            OpenAIModel("m", spec=spec).answer(QUESTION)
    usual, *own = [dict(head) for head in server.headers]
    assert usual["x-tenant"] == "secret-tenant" and usual["openai-organization"] == "secret-org"
    for head, key in zip(own, ("none", "own-key-12345"), strict=True):
        assert not [name for name, text in head.items() if "secret" in text]
        assert head["authorization"] == f"Bearer {key}" and head["accept-encoding"] == "identity"
        assert head["content-type"] == "application/json"


def test_a_key_does_not_follow_to_another_address(connect: Connect) -> None:
    with endpoint(lambda _: Reply.saying("stolen")) as other:
        for status in (301, 302, 307, 308):
            moved = Reply(status, b"", headers={"Location": f"{other.url}/chat/completions"})
            assert isinstance(ask(moved, connect), Misconfigured)
    assert not other.requests


def test_a_proxy_that_cannot_be_used_is_refused_at_once(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect("http://127.0.0.1:9/v1")
    monkeypatch.setenv("HTTP_PROXY", "nonsense://user:pass-word-9@127.0.0.1:1")
    with pytest.raises(UsageError, match="HTTP_PROXY") as refusal:
        OpenAIModel("m")
    assert "pass-word-9" not in str(refusal.value)
