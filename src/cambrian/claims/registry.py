"""The claims, by name: each file of `cambrian.claims.papers` has one."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType

from cambrian.claims import papers
from cambrian.claims.claim import Claim
from cambrian.errors import NotFound, UsageError


@functools.cache
def claims() -> Mapping[str, Claim]:
    """All claims, in alphabetical order.

    Raises:
        UsageError: a file has no `CLAIM`, or one of another name.
    """
    found = {}
    for module in sorted(pkgutil.iter_modules(papers.__path__), key=lambda each: each.name):
        path = f"{papers.__name__}.{module.name}"
        made = getattr(importlib.import_module(path), "CLAIM", None)
        if not isinstance(made, Claim) or made.name != module.name:
            raise UsageError(
                f"{path}: expected a CLAIM that is called {module.name!r}; "
                f"got {getattr(made, 'name', made)!r}"
            )
        found[module.name] = made
    return MappingProxyType(found)


def claim(name: str) -> Claim:
    """The claim of that name.

    Raises:
        NotFound: there is none.
    """
    known = claims()
    if name not in known:
        raise NotFound(f"expected a claim of {', '.join(known)}; got {name!r}")
    return known[name]


def module_of(found: Claim) -> str:
    """The name of a claim's module."""
    return f"{papers.__name__}.{found.name}"
