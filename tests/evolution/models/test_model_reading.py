"""What an endpoint states and refuses, read as it is meant."""

from __future__ import annotations

import json

import pytest

from cambrian.errors import UsageError
from cambrian.evolution.models.credentials import Credentials
from cambrian.evolution.models.faults import Place, by_status
from cambrian.evolution.models.refusals import EndpointDown, Misconfigured, TooLong, Used
from cambrian.evolution.models.replies import used

KEY = "sk-a-key-that-nobody-may-see"
PLACE = Place(Credentials.of({"OPENAI_API_KEY": KEY}), "m")


@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        ({"prompt_tokens": "900", "completion_tokens": "70000"}, Used(900, 70000)),
        ({"prompt_tokens": 900, "completion_tokens": 700.5}, Used(900, 701)),
        ({"total_tokens": 50000}, Used(None, 50000)),
        ({"prompt_tokens": 10**30, "completion_tokens": 5}, Used(None, 5)),
        ({"prompt_tokens": "many", "completion_tokens": float("nan")}, Used()),
        ({"prompt_tokens": True, "completion_tokens": -3}, Used()),
    ],
)
def test_usage_is_read_in_every_shape_that_could_be_true(
    usage: dict[str, object], counted: Used
) -> None:
    assert used({"usage": usage}) == counted


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (400, "API key not valid. Please pass a valid API key.", Misconfigured),
        (400, "Incorrect API key provided", Misconfigured),
        (429, "Request too large for m: Limit 30000, Requested 40000", TooLong),
        (500, "This model's maximum context length is 4096 tokens", TooLong),
        (429, "Rate limit reached, try again in 20 s", EndpointDown),
        (500, "Internal error", EndpointDown),
    ],
)
def test_an_error_is_what_it_says_and_not_what_its_number_says(
    status: int, message: str, kind: type[Exception]
) -> None:
    reply = {"error": {"message": message}}
    assert type(by_status(status, {}, json.dumps(reply).encode(), reply, PLACE)) is kind


@pytest.mark.parametrize(
    "address", [KEY, f"127.0.0.1/{KEY}/v1", f"http://h/{KEY}/v 1", "sk-another-secret"]
)
def test_a_key_in_the_place_of_an_address_is_not_shown(address: str) -> None:
    with pytest.raises(UsageError, match="OPENAI_BASE_URL is no address") as caught:
        Credentials.of({"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": address})
    assert KEY not in str(caught.value) and "another" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OPENAI_ORG_ID", "\u00e9"),
        ("OPENAI_PROJECT_ID", "pr\u00f8j"),
        ("OPENAI_CUSTOM_HEADERS", "X: \u00e9"),
        ("OPENAI_CUSTOM_HEADERS", "nothing"),
    ],
)
def test_a_header_that_cannot_be_sent_is_named_before_anything_is_put_aside(
    name: str, value: str
) -> None:
    with pytest.raises(UsageError, match=name):
        Credentials.of({"OPENAI_API_KEY": KEY, name: value})
