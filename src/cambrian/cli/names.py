"""Lists of names, as options take them."""

from __future__ import annotations

from collections.abc import Sequence

from cambrian.errors import UsageError


def chosen_names(text: str, known: Sequence[str], what: str) -> list[str]:
    """The names in a list that is separated by commas; `all` is all of them.

    Raises:
        UsageError: there is no such name.
    """
    if text.strip() == "all":
        return list(known)
    names = list(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        if name not in known:
            raise UsageError(f"no {what} is called {name!r}; there are: {', '.join(known)}")
    return names
