"""Where a named model is, and how it is asked: a section `[models.NAME]` of cambrian.toml.

A key is never in the file: `key_env` names the variable that holds it, `key_file` the file. The key
of `OPENAI_API_KEY` goes to `OPENAI_BASE_URL` and nowhere else, unless a section asks for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from cambrian.errors import UsageError

Role = Literal["write", "choose"]
Grammar = Literal["gbnf", "schema", "none"]
REPLAY = "replay:"
"""What the name of a recording begins with."""
MOST_AT_ONCE = 256
_KEY_NAMES: set[str] = set()


def key_names() -> frozenset[str]:
    """The variables that hold a key, of every section that this process has read: of those, too,
    whose models the run does not ask."""
    return frozenset(_KEY_NAMES)


@dataclass(frozen=True)
class ModelSpec:
    """How one model is reached and asked.

    Attributes:
        model: its name at the endpoint; "" where that is the section's own name.
        base_url: its address; "" for `OPENAI_BASE_URL`.
        key_env, key_file: where its key is; neither: `OPENAI_API_KEY` for `OPENAI_BASE_URL`, and
            no key at all for an address of its own.
        temperature: from 0 to 2; None: the endpoint's own.
        max_tokens: the most that an answer may have, where --answer-tokens allows more.
        share: the least share of proposals that it is given, whatever it has paid; None: as usual.
        at_once: questions that are under way at the same time at most.
        role: `write`: it writes edits. `choose`: it picks one of several operations that
            recombination has prepared (`sources.choosing`).
        grammar: how an endpoint is told to keep to the choices: GBNF (llama.cpp), a JSON schema
            (the others), or not at all.

    Raises:
        UsageError: one of them cannot be used.
    """

    model: str = ""
    base_url: str = ""
    key_env: str = ""
    key_file: str = ""
    temperature: float | None = None
    max_tokens: int | None = None
    share: float | None = None
    at_once: int = 8
    role: Role = "write"
    grammar: Grammar = "gbnf"

    def __post_init__(self) -> None:
        if self.key_env:
            _KEY_NAMES.add(self.key_env)
        self._check_number("temperature", 0, 2)
        self._check_number("max_tokens", 1, 10**9)
        self._check_number("share", 0, 1)
        self._check_number("at_once", 1, MOST_AT_ONCE)
        for name, words in (("role", get_args(Role)), ("grammar", get_args(Grammar))):
            if getattr(self, name) not in words:
                raise UsageError(
                    f"{name}: expected one of {', '.join(words)}, got {getattr(self, name)!r}"
                )
        if self.key_env and self.key_file:
            raise UsageError("expected key_env or key_file, got both")
        if self.base_url and _has_secrets(self.base_url):
            raise UsageError(
                "base_url: expected an address without a user, a password and a query, for the "
                "archive keeps it; give the key by key_env or key_file"
            )

    def _check_number(self, name: str, least: float, most: float) -> None:
        value = getattr(self, name)
        if value is None:
            return
        if isinstance(value, bool) or not math.isfinite(value) or not least <= value <= most:
            raise UsageError(f"{name}: expected a number from {least} to {most}, got {value!r}")

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> ModelSpec:
        """From JSON, as a run keeps it; what this version does not know is left out."""
        known = {each.name for each in fields(cls)}
        return cls(**{name: value for name, value in told.items() if name in known})


def _has_secrets(url: str) -> bool:
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return False  # it is no address, which is said when it is used
    return bool("@" in parts.netloc or parts.query or parts.fragment)


def names_in(text: str) -> tuple[str, ...]:
    """The models that "A,B" names, in order.

    Raises:
        UsageError: one is named twice, or a recording stands beside another.
    """
    if text.startswith(REPLAY):
        return (text,)
    names = tuple(name for name in (one.strip() for one in text.split(",")) if name)
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"expected each model once, got {name!r} twice")
        if name.startswith(REPLAY):
            raise UsageError(f"a recording stands alone, got {text!r}")
    return names
