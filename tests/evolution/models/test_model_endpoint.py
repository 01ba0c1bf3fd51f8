"""Endpoints as there are: what each answers becomes text, or one line that says what to change."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.evolution.models.asking import QUESTION, Connect, ask, fault, saying

from cambrian.agents.answers import CUT_OFF
from cambrian.evolution.models.broker import OpenAIModel
from cambrian.evolution.models.refusals import (
    AskRefused,
    EndpointDown,
    Misconfigured,
    TooLong,
    Used,
)
from cambrian.testing.endpoint import Reply, endpoint

Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("Good \ud83d", "Good \ufffd"),
        ("Good \ud83d\ude00 \udc00", "Good \U0001f600 \ufffd"),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "ab"),
        ([{"type": "thinking", "thinking": "x"}, {"type": "output_text", "text": "b"}], "b"),
        ([{"type": "text", "text": {"value": "c"}}, "d"], "cd"),
        ("<think>draft</think>real", "real"),
        ("real<|im_end|>", "real\n"),
    ],
)
def test_text_is_read_in_whatever_form_it_comes(connect: Connect, content: Any, text: str) -> None:
    assert ask(Reply.of(saying(content)), connect).text == text


def test_the_first_of_several_choices_that_has_text_is_read(connect: Connect) -> None:
    reply = saying("")
    reply["choices"] += saying("second")["choices"]
    assert ask(Reply.of(reply), connect).text == "second"
    completion = {"choices": [{"text": "of the older protocol", "finish_reason": "stop"}]}
    assert ask(Reply.of(completion), connect).text == "of the older protocol"


def events(*payloads: Any) -> bytes:
    rows = [f"data: {json.dumps(one)}\n\n" for one in payloads]
    return "".join([": ping\n\n", *rows, "data: [DONE]\n\n"]).encode()


def test_a_stream_that_nobody_asked_for_is_put_together(connect: Connect) -> None:
    parts = [
        {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "he"}}]},
        {"choices": [{"index": 0, "delta": {"content": "llo"}, "finish_reason": "stop"}]},
        {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 6}},
    ]
    stream = {"Content-Type": "text/event-stream"}
    answer = ask(Reply(200, events(*parts), headers=stream), connect)
    assert (answer.text, answer.prompt_tokens, answer.completion_tokens) == ("hello", 5, 6)
    broken = ask(Reply(200, events(parts[0]), headers=stream), connect)
    assert "breaks off" in str(broken) and broken.used == Used()


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (saying("<think>half a thou", "length"), "cut the answer at its limit of 8192 tokens"),
        (saying(None, "length", reasoning_content="hm"), "--answer-tokens"),
        (saying("half", "content_filter"), "filtered the answer"),
        (saying("half", "error"), "breaks off"),
        (saying(None, refusal="I will not."), "will not answer: I will not."),
        (saying(None, "tool_calls", tool_calls=[{"id": "1"}]), "called a tool"),
        (saying(None, reasoning_content="hm"), "only reasoning"),
        (saying("<think>never ends"), "only reasoning"),
        (saying(" \n"), "without text"),
        (saying("x" * 300_000), "300000 characters"),
        (saying("\U0001f600" * 200_000), "200000 characters"),
    ],
)
def test_an_answer_that_cannot_be_used_says_why_and_what_it_used(
    connect: Connect, reply: dict[str, Any], said: str
) -> None:
    refusal = ask(Reply.of(reply), connect)
    assert isinstance(refusal, AskRefused) and said in str(refusal)
    assert refusal.used == Used(11, 7)


def test_an_answer_as_long_as_it_may_be_is_cut_where_nothing_says_that_it_ended(
    connect: Connect,
) -> None:
    reply = saying("half", None)
    reply["usage"]["completion_tokens"] = 8192
    assert ask(Reply.of(reply), connect).text == f"half\n{CUT_OFF}"
    whole = ask(Reply.of(saying("half an ans", "length")), connect)
    assert whole.text == f"half an ans\n{CUT_OFF}" and whole.completion_tokens == 7
    reply["usage"]["completion_tokens"] = 8191
    assert ask(Reply.of(reply), connect).text == "half"


@pytest.mark.parametrize(
    ("usage", "used"),
    [
        ({"prompt_tokens": 5, "completion_tokens": 6}, (5, 6)),
        ({"prompt_tokens": 5.0, "completion_tokens": 6}, (5, 6)),
        ({"input_tokens": 5, "output_tokens": 6}, (5, 6)),
        ({"prompt_tokens": 5, "completion_tokens": 6, "total_tokens": 900}, (5, 895)),
        ({"prompt_tokens": 5, "completion_tokens": 6, "total_tokens": 2}, (5, 6)),
        ({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, (None, None)),
        ({"prompt_tokens": -5, "completion_tokens": True}, (None, None)),
        ({"prompt_tokens": "5", "completion_tokens": None}, (5, None)),
        ([1], (None, None)),
        (None, (None, None)),
    ],
)
def test_what_was_used_is_believed_only_if_it_can_be_true(
    connect: Connect, usage: Any, used: tuple[int | None, int | None]
) -> None:
    answer = ask(Reply.of(saying() | {"usage": usage}), connect)
    assert (answer.prompt_tokens, answer.completion_tokens) == used


HTML = {"Content-Type": "text/html"}


@pytest.mark.parametrize(
    ("reply", "kind", "said"),
    [
        (fault(401, "Incorrect API key"), Misconfigured, "see OPENAI_API_KEY"),
        (fault(402, "Payment required"), Misconfigured, "no credit or quota left"),
        (fault(429, "quota", code="insufficient_quota"), Misconfigured, "no credit or quota left"),
        (fault(429, "Rate limit; see your account/billing"), EndpointDown, "said 429"),
        (fault(429, "You exceeded your current quota"), Misconfigured, "no credit or quota left"),
        (
            fault(429, "You exceeded your current quota. Please retry in 20.5s."),
            EndpointDown,
            "said 429",
        ),
        (fault(400, "Your credit balance is too low"), Misconfigured, "no credit or quota left"),
        (fault(403, "no access"), Misconfigured, "may not use m"),
        (Reply(403, b"<html>Blocked</html>", headers=HTML), Misconfigured, "NO_PROXY"),
        (fault(407, "who are you"), Misconfigured, "HTTPS_PROXY"),
        (fault(404, "model 'm' not found, try pulling it"), Misconfigured, "see --model"),
        (fault(404, "x", code="model_not_found"), Misconfigured, "has no model 'm'"),
        (fault(400, "Invalid model name passed in model=m"), Misconfigured, "see --model"),
        (Reply(404, b"404 page not found"), Misconfigured, "OPENAI_BASE_URL is http"),
        (Reply(405, b"Method Not Allowed", headers=HTML), Misconfigured, "OPENAI_BASE_URL is"),
        (fault(503, "loading"), EndpointDown, "said 503: loading"),
        (fault(400, "maximum context length is 4096 tokens"), TooLong, "longer context"),
        (Reply(413, b"too large"), TooLong, "longer context"),
        (Reply(400, b"The plain HTTP request was sent to HTTPS port"), Misconfigured, "https://"),
        (fault(400, "something else"), AskRefused, "said 400: something else"),
        (Reply(302, b"", headers={"Location": "https://b.example/v1?k=1"}), Misconfigured, "moved"),
    ],
)
def test_an_error_names_what_to_change_and_costs_nothing(
    connect: Connect, reply: Reply, kind: type[AskRefused], said: str
) -> None:
    refusal = ask(reply, connect)
    assert type(refusal) is kind and said in str(refusal)
    assert refusal.used is None and "\n" not in str(refusal)


@pytest.mark.parametrize(
    ("reply", "kind", "said"),
    [
        (Reply.of({"error": {"message": "busy", "code": 429}}), EndpointDown, "as a success: busy"),
        (Reply.of({"error": {"message": "key", "code": 401}}), Misconfigured, "OPENAI_API_KEY"),
        (Reply.of({"error": "plain text"}), AskRefused, "plain text"),
        (Reply.of({"object": "error", "message": "so"}), AskRefused, "so"),
        (Reply(200, b"<!DOCTYPE html><html>", headers=HTML), Misconfigured, "a web page"),
        (Reply(200, b""), AskRefused, "an empty body"),
        (Reply(200, b"{"), AskRefused, "nonsense: {"),
        (Reply(200, b"[" * 100_000), AskRefused, "nonsense"),
        (Reply(200, b'{"choices": ' + b"9" * 5000 + b"}"), AskRefused, "nonsense"),
        (Reply(200, b"\xff\xfe\x00"), AskRefused, "nonsense"),
        (Reply(200, b"null"), AskRefused, "nonsense"),
        (Reply.of({"choices": None}), AskRefused, "without text"),
        (fault(504, "gateway"), EndpointDown, "said 504"),
        (Reply(hang_up=True), EndpointDown, "does not answer"),
    ],
)
def test_what_may_have_been_paid_is_to_be_booked_as_it_was_put_aside(
    connect: Connect, reply: Reply, kind: type[AskRefused], said: str
) -> None:
    refusal = ask(reply, connect)
    assert type(refusal) is kind and said in str(refusal)
    assert refusal.used == Used()


def test_an_error_that_states_what_it_used_is_to_be_booked(connect: Connect) -> None:
    reply = {"error": {"message": "no"}, "usage": {"prompt_tokens": 9, "completion_tokens": 1}}
    assert ask(Reply.of(reply, 400), connect).used == Used(9, 1)
    assert ask(Reply.of(reply), connect).used == Used(9, 1)


def test_an_endpoint_says_how_long_to_wait(connect: Connect) -> None:
    for header, wait_s in (("7", 7.0), ("1e9", 3600.0), ("nan", 0.0), ("-1", 0.0), ("Mon", 0.0)):
        refusal = ask(Reply(429, b"{}", headers={"Retry-After": header}), connect)
        assert refusal.wait_s == wait_s


def unsupported(name: str, status: int = 400) -> Reply:
    return fault(status, f"Unsupported parameter: '{name}'.", param=name)


@pytest.mark.parametrize(
    ("refuses", "asked"),
    [
        (
            lambda r: "max_tokens" in r and unsupported("max_tokens"),
            {"max_completion_tokens"},
        ),
        (
            lambda r: "max_completion_tokens" in r and unsupported("max_completion_tokens", 422),
            {"max_tokens"},
        ),
        (
            lambda r: (
                len({"max_tokens", "max_completion_tokens"} & set(r)) == 2
                and fault(400, "max_tokens and max_completion_tokens cannot both be set")
            ),
            {"max_completion_tokens"},
        ),
        (
            lambda r: (
                "max_tokens" in r
                and fault(400, "'max_tokens' is deprecated: the maximum is max_completion_tokens")
            ),
            {"max_completion_tokens"},
        ),
        (
            lambda r: "max_completion_tokens" in r and Reply(422, b'{"detail": "Extra inputs"}'),
            {"max_tokens"},
        ),
        (
            lambda r: (
                any(m["role"] == "system" for m in r["messages"])
                and fault(400, "'messages[0].role' does not support 'system' with this model")
            ),
            {"max_tokens", "max_completion_tokens"},
        ),
        (
            lambda r: (
                r.get("max_tokens", 0) > 2048
                and fault(400, "maximum context length is 4096 tokens: 8192 in the completion")
            ),
            {"max_tokens", "max_completion_tokens"},
        ),
        (
            lambda r: (
                r["max_completion_tokens"] > 4096
                and fault(400, "`max_tokens` must be less than or equal to `4096`")
            ),
            {"max_tokens", "max_completion_tokens"},
        ),
        (
            lambda r: not r.get("stream") and fault(400, "This model only supports stream mode"),
            {"max_tokens", "max_completion_tokens", "stream", "stream_options"},
        ),
    ],
    ids=["new", "old", "both", "deprecated", "unnamed", "system", "context", "limit", "stream"],
)
def test_an_endpoint_is_asked_in_the_manner_that_it_wants_and_that_is_remembered(
    connect: Connect, refuses: Callable[[dict[str, Any]], Any], asked: set[str]
) -> None:
    with endpoint(lambda r: refuses(r) or Reply.saying("hi")) as server:
        connect(server.url)
        model = OpenAIModel("m")
        assert model.answer(QUESTION).text == "hi"
        before = len(server.requests)
        assert model.answer(QUESTION).text == "hi"
    assert 2 <= before <= 3 and len(server.requests) == before + 1
    last = server.requests[-1]
    assert set(last) - {"model", "messages"} == asked
    assert "rules" in str(last["messages"]) and "hello" in last["messages"][-1]["content"]


def test_a_shorter_question_has_all_the_room_for_its_answer_again(connect: Connect) -> None:
    def small(request: dict[str, Any]) -> Reply:
        length = len(str(request["messages"])) + request["max_tokens"]
        return fault(400, "context_length_exceeded") if length > 9000 else Reply.saying("hi")

    with endpoint(small) as server:
        connect(server.url)
        model = OpenAIModel("m")
        with pytest.raises(TooLong):
            model.answer([{"role": "user", "content": "x" * 20_000}])
        model.answer(QUESTION)
    assert server.requests[-1]["max_tokens"] == 8192


def test_a_body_without_end_is_read_up_to_a_bound(connect: Connect) -> None:
    bound = {"max_body": 1 << 20}
    packed = {"Content-Encoding": "gzip"}
    bomb = Reply(200, gzip.compress(b" " * (4 << 20)), headers=packed)
    for reply in (bomb, Reply(200, b" " * (2 << 20)), Reply(500, b" " * (2 << 20))):
        refusal = ask(reply, connect, **bound)
        assert "more than 1 MiB" in str(refusal) and refusal.used == Used()
    fine = Reply(200, gzip.compress(Reply.saying("hi").body), headers=packed)
    assert ask(fine, connect, **bound).text
    strange = ask(Reply(200, b"x", headers={"Content-Encoding": "br"}), connect)
    assert "packed as" in str(strange)


@pytest.mark.parametrize("status", [200, 500])
def test_an_answer_in_drips_takes_no_longer_than_the_time_for_all_of_it(
    connect: Connect, status: int
) -> None:
    began = time.monotonic()
    refusal = ask(Reply(status, b" " * 400, drip_s=0.5), connect, timeout_s=0.5)
    assert time.monotonic() - began < 100
    assert isinstance(refusal, EndpointDown) and "within 0.5 s" in str(refusal)
    assert refusal.used == Used()


def test_what_was_never_sent_costs_nothing(connect: Connect) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        connect(f"http://127.0.0.1:{taken.getsockname()[1]}/v1")
    with pytest.raises(EndpointDown, match="See OPENAI_BASE_URL") as refusal:
        OpenAIModel("m").answer(QUESTION)
    assert refusal.value.used is None


def test_an_address_that_speaks_no_tls_is_named(connect: Connect) -> None:
    with endpoint(lambda _: Reply.saying("hi")) as server:
        connect(server.url.replace("http:", "https:"))
        with pytest.raises(Misconfigured, match="http:// in OPENAI_BASE_URL"):
            OpenAIModel("m").answer(QUESTION)


def test_a_port_that_speaks_no_http_is_named(connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        connect(f"http://127.0.0.1:{server.getsockname()[1]}/v1")

        def greet() -> None:
            with server.accept()[0] as other:
                other.recv(1 << 16)
                other.sendall(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")

        greeting = threading.Thread(target=greet)
        greeting.start()
        with pytest.raises(Misconfigured, match="speaks no HTTP there: see OPENAI_BASE_URL"):
            OpenAIModel("m").answer(QUESTION)
        greeting.join()
