"""Asking for one of several choices: how an endpoint is told, and how its answer is read.

GBNF is llama.cpp's form of a grammar: https://github.com/ggml-org/llama.cpp (grammars/README.md).
A JSON schema with an `enum` says the same to OpenAI, vLLM, Ollama and LM Studio.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from cambrian.evolution.models.roster.specs import Grammar


def gbnf(choices: Sequence[str]) -> str:
    """A grammar that allows one of the choices and nothing else.

    Raises:
        ValueError: there are none, or one is empty.
    """
    if not choices or not all(choices):
        raise ValueError(f"expected choices that are not empty, got {list(choices)!r}")
    return "root ::= " + " | ".join(_literal(choice) for choice in choices)


def _literal(text: str) -> str:
    r"""A string of GBNF: quotes, backslashes and what is not printable ASCII are escaped."""
    return '"' + "".join(_escaped(char) for char in text) + '"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return f"\\{char}"
    if " " <= char <= "~":
        return char
    code = ord(char)
    if code < 256:
        return f"\\x{code:02X}"
    return f"\\u{code:04X}" if code < 1 << 16 else f"\\U{code:08X}"


def told(choices: Sequence[str], grammar: Grammar) -> dict[str, Any]:
    """The parameters of a request that hold an answer to the choices."""
    if not choices or grammar == "none":
        return {}
    if grammar == "gbnf":
        return {"grammar": gbnf(choices)}
    schema = {
        "type": "object",
        "properties": {"choice": {"type": "string", "enum": list(choices)}},
        "required": ["choice"],
        "additionalProperties": False,
    }
    named = {"name": "choice", "strict": True, "schema": schema}
    return {"response_format": {"type": "json_schema", "json_schema": named}}


def chosen(text: str, choices: Sequence[str]) -> int | None:
    """Which of the choices an answer names, from 0; None where it names none, or several."""
    said = _unwrapped(text)
    if said in choices:
        return list(choices).index(said)
    found = [at for at, choice in enumerate(choices) if choice in said]
    longest = [at for at in found if not any(_inside(choices, at, one) for one in found)]
    return longest[0] if len(longest) == 1 else None


def _inside(choices: Sequence[str], at: int, other: int) -> bool:
    return at != other and choices[at] in choices[other]


def _unwrapped(text: str) -> str:
    """What stands in `{"choice": …}`, or the text itself, without what is around it."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        told = text
    if isinstance(told, dict):
        told = told.get("choice", "")
    return str(told).strip().strip("`'\".").strip()
