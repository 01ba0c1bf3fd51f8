"""Questions to an endpoint whose replies a test decides."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from cambrian.evolution.models.broker import OpenAIModel
from cambrian.evolution.models.refusals import (
    AskRefused,
)
from cambrian.testing.endpoint import Reply, endpoint

QUESTION = [{"role": "system", "content": "rules"}, {"role": "user", "content": "hello"}]
KEY = "not-a-real-key-123"
Connect = Callable[[str], None]


def fault(status: int, message: str, **more: Any) -> Reply:
    return Reply.of({"error": {"message": message, **more}}, status)


def saying(text: Any = "hi", finish: str | None = "stop", **message: Any) -> dict[str, Any]:
    given: dict[str, Any] = json.loads(Reply.saying("").body)
    given["choices"][0] |= {"message": {"content": text, **message}, "finish_reason": finish}
    return given


def ask(reply: Reply, connect: Connect, **options: Any) -> Any:
    """The answer to one question; its refusal where there is none."""
    with endpoint(lambda _: reply) as server:
        connect(server.url)
        try:
            return OpenAIModel("m", **options).answer(QUESTION)
        except AskRefused as refusal:
            return refusal
