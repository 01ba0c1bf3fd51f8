"""The fifty-two papers by row: what of each is in, and what is missing (`literature.toml`)."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType
from typing import Literal, get_args

from cambrian.errors import NotFound, UsageError

ROWS = 52
Kind = Literal["mechanism", "seed", "benchmark", "metric", "loop"]


@dataclass(frozen=True)
class Part:
    """Something of ours that comes of a paper.

    Attributes:
        kind: mechanism, seed (agent), benchmark, metric or (part of the) loop.
        name: of the mechanism, the agent or the benchmark; a metric's function; a module of
            `cambrian`.
    """

    kind: Kind
    name: str

    @classmethod
    def of(cls, text: str) -> Part:
        """From "kind:name". Raises UsageError: another kind, or no name."""
        kind, _, name = text.partition(":")
        for known in get_args(Kind):
            if kind == known and name:
                return cls(known, name)
        raise UsageError(
            f"expected a part as kind:name, of {', '.join(get_args(Kind))}; got {text}"
        )


@dataclass(frozen=True)
class Paper:
    """A row.

    Attributes:
        row: from 1, in the order of the project's list.
        roles: what the paper is to become: mechanism, architecture, benchmark, metric, probe,
            loop, proposer.
        arxiv: its number there; "" where we have not looked it up.
        parts: what is in.
        missing: what is not, where some of it is.
    """

    row: int
    title: str
    roles: tuple[str, ...]
    arxiv: str = ""
    parts: tuple[Part, ...] = ()
    missing: str = ""


@functools.cache
def papers() -> Mapping[int, Paper]:
    """All rows, by number.

    Raises:
        UsageError: a row is missing or makes no sense.
    """
    text = resources.files("cambrian.claims").joinpath("literature.toml").read_text("utf-8")
    found = {}
    for given in tomllib.loads(text)["papers"]:
        lists = {
            "roles": tuple(given["roles"]),
            "parts": tuple(map(Part.of, given.get("parts", ()))),
        }
        found[given["row"]] = Paper(**{**given, **lists})
    if list(found) != list(range(1, ROWS + 1)):
        raise UsageError(f"literature.toml: expected rows 1 to {ROWS} in order; got {list(found)}")
    return MappingProxyType(found)


def paper(row: int) -> Paper:
    """The paper of a row. Raises NotFound: there is none."""
    known = papers()
    if row not in known:
        raise NotFound(f"expected a row from 1 to {ROWS}; got {row}")
    return known[row]
