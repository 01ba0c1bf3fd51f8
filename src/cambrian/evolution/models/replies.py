"""Reading what an endpoint sent: an answer with what it used, or why there is none.

Anything may come: other shapes of the protocol, errors that call themselves a success, half
characters, a stream that was not asked for. What was used is looked for in all of them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cambrian.agents.answers import CUT_OFF
from cambrian.evolution.models.reasoning import answer_of
from cambrian.evolution.models.refusals import AskRefused, Used

MAX_ANSWER_CHARACTERS = 256 << 10
MAX_ANSWER_JSON = 900_000
"""Bytes of JSON: what a frame into a sandbox can hold."""
MAX_TOKENS = 1 << 40
"""More than that no question has used, whatever is stated."""
_CUT = frozenset({"length", "max_tokens", "max_output_tokens", "model_length", "max_length"})
_BROKEN = frozenset(
    {"cut", "error", "abort", "cancelled", "canceled", "timeout", "insufficient_system_resource"}
)
_FILTERED = frozenset({"content_filter", "safety", "recitation", "prohibited_content"})
_TEXTS = ("text", "output_text", "input_text")


@dataclass(frozen=True)
class Answer:
    """An answer and what it used; None where the endpoint does not say.

    Attributes:
        said: bytes of all that the model was seen to say, its reasoning included; of an answer that
            was cut off, the tokens that it was allowed at least.
    """

    text: str
    prompt_tokens: int | None
    completion_tokens: int | None
    said: int = 0


def whole(text: str) -> str:
    """`text` with half characters (lone surrogates) replaced; two halves become one."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def parsed(body: bytes) -> Any:
    """The JSON in a body, or of a stream of events; None where it is neither."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        pass
    try:
        events = list(_events(body))
    except (ValueError, RecursionError):
        return None
    return _joined(events) if events else None


def _events(body: bytes) -> Iterator[dict[str, Any]]:
    """The objects of a body of server-sent events."""
    if not body.lstrip()[:6].startswith((b"data:", b"event:", b"id:", b":")):
        return
    for row in body.splitlines():
        if row.startswith(b"data:") and row[5:].strip() not in (b"", b"[DONE]"):
            event = json.loads(row[5:])
            if isinstance(event, dict):
                yield event


def _joined(events: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A reply as it would have come in one piece; only the first choice is put together."""
    texts: list[str] = []
    thoughts: list[str] = []
    message: dict[str, Any] = {}
    reply: dict[str, Any] = {}
    finish = None
    for event in events:
        reply |= {name: event[name] for name in ("usage", "error") if event.get(name)}
        choice = _first(event.get("choices"))
        delta = choice.get("delta") or choice.get("message") or {}
        if choice.get("index", 0) == 0 and isinstance(delta, Mapping):
            finish = choice.get("finish_reason") or finish
            texts.append(_text(delta.get("content")) or "")
            thoughts.append(_text(delta.get("reasoning_content")) or "")
            message |= {n: delta[n] for n in ("refusal", "tool_calls") if delta.get(n)}
    message |= {"content": "".join(texts), "reasoning_content": "".join(thoughts)}
    return reply | {"choices": [{"message": message, "finish_reason": finish or "cut"}]}


def used(reply: Any) -> Used:
    """What a reply says that it used; None for a number that is missing or cannot be true.

    Where the total is more than its parts (reasoning that is counted apart), the rest is taken to
    be of the answer.
    """
    usage = reply.get("usage") if isinstance(reply, Mapping) else None
    if not isinstance(usage, Mapping):
        return Used()
    prompt = _tokens(usage, "prompt_tokens", "input_tokens")
    completion = _tokens(usage, "completion_tokens", "output_tokens")
    total = _tokens(usage, "total_tokens")
    if total is not None and prompt is not None:
        completion = max(completion or 0, total - prompt) if total > prompt else completion
    if prompt is None and completion is None and total:
        return Used(None, total)  # how it divides is not said: the prompt counts by its bound
    return Used(prompt or None, completion)  # no question has no token at all


def _tokens(usage: Mapping[str, Any], *names: str) -> int | None:
    """What an endpoint says it counted; None where it says nothing that could be true."""
    value = next((usage[name] for name in names if usage.get(name) is not None), None)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        counted = math.ceil(float(value))
    except (ValueError, OverflowError):
        return None
    return counted if 0 <= counted <= MAX_TOKENS else None


def error_of(reply: Any) -> Any:
    """The error of a reply that came as a success; None where there is none."""
    if not isinstance(reply, Mapping):
        return None
    error = reply.get("error") or _first(reply.get("choices")).get("error")
    if not error and reply.get("object") == "error":
        return reply
    return error or None


def read(reply: Any, most: int, endpoint: str) -> Answer:
    """The answer in a reply.

    Args:
        most: tokens that the answer was allowed. endpoint: its name, for messages.

    Raises:
        AskRefused: there is none that could be used; says why, and what was used.
    """
    spent = used(reply)
    choice, text = _choice(reply)
    message = choice.get("message")
    message = message if isinstance(message, Mapping) else {}
    finish = str(choice.get("finish_reason") or choice.get("stop_reason") or "").lower()

    def refused(why: str) -> AskRefused:
        return AskRefused(f"the endpoint {endpoint} {why}", spent)

    full = spent.completion_tokens is not None and spent.completion_tokens >= most
    cut = finish in _CUT or (finish in ("", "cut") and full)
    answer = answer_of(whole(text)) if text else ""
    if cut and not answer.strip():
        raise refused(
            f"cut the answer at its limit of {most} tokens (finish_reason {finish or 'none'}), "
            "before it came to anything. A model that reasons at length needs more: "
            "--answer-tokens"
        )
    if not cut and finish in _BROKEN:
        raise refused("sent an answer that breaks off: nothing of it was used")
    if finish in _FILTERED:
        raise refused(f"filtered the answer (finish_reason {finish}): nothing of it was used")
    if not text:
        raise refused(_why_nothing(message))
    if not answer.strip():
        raise refused("sent an answer without text: there is only reasoning, and no end of it")
    if len(text) > MAX_ANSWER_CHARACTERS or len(json.dumps(answer)) > MAX_ANSWER_JSON:
        raise refused(f"sent {len(text)} characters, more than an answer may have")
    completion = spent.completion_tokens or None
    said = _said(message, text or "")
    if cut:  # its whole changes count: who reads it is told
        answer, said = f"{answer.rstrip()}\n{CUT_OFF}", max(said, most)
    return Answer(answer, spent.prompt_tokens, completion, said)


def _why_nothing(message: Mapping[str, Any]) -> str:
    refusal = message.get("refusal")
    if isinstance(refusal, str) and refusal.strip():
        return f"says that the model will not answer: {' '.join(whole(refusal).split())[:200]}"
    if message.get("tool_calls") or message.get("function_call"):
        return "sent an answer without text: it called a tool, and there are none"
    if any(message.get(name) for name in ("reasoning_content", "reasoning", "thinking")):
        return "sent an answer without text: there is only reasoning"
    return "sent an answer without text"


def _choice(reply: Any) -> tuple[Mapping[str, Any], str | None]:
    """The first choice that has text, with it; else the first one."""
    choices = reply.get("choices") if isinstance(reply, Mapping) else None
    choices = choices if isinstance(choices, list) else []
    found = [one for one in choices if isinstance(one, Mapping)]
    for choice in found[:16]:
        message = choice.get("message")
        text = _text(message.get("content")) if isinstance(message, Mapping) else None
        text = text or _text(choice.get("text"))
        if text and text.strip():
            return choice, text
    return (found[0] if found else {}), None


def _first(choices: Any) -> Mapping[str, Any]:
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, Mapping) else {}


def _text(content: Any) -> str | None:
    """Content as text: as it is, or the text parts of a list joined; None where there is none."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return None
    parts = []
    for part in content:
        if isinstance(part, str):
            parts.append(part)
        elif isinstance(part, Mapping) and part.get("type", "text") in _TEXTS:
            text = part.get("text")
            text = text.get("value") if isinstance(text, Mapping) else text
            parts.append(text if isinstance(text, str) else "")
    return "".join(parts) if parts else None


def _said(message: Mapping[str, Any], text: str) -> int:
    """Bytes of what the model was seen to say."""
    thoughts = [message.get(name) for name in ("reasoning_content", "reasoning", "thinking")]
    said = [text, *(one for one in thoughts if isinstance(one, str))]
    return sum(len(one.encode(errors="replace")) for one in said)
