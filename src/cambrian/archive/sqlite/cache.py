"""A read cache, valid while this process is the sole writer.

The lock holder is the only writer, so its cached rows stay valid until it writes. While it holds
the lock (and only then) the verbs keep the records that they return here, and each verb that
changes a row changes or drops its record at once. Everything is dropped when a transaction is
rolled back, when the connection is replaced, and when a transaction begins after a program that
ignores the lock has written. So a cache says at any time what a query would;
`tests/archive/test_cache.py` compares the two.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Generic, Protocol, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Owner(Protocol):
    """What a cache asks of the database that it belongs to.

    Attributes:
        lock: serialises all that is done with the database.
        sole_writer: whether this process is the only writer.
    """

    @property
    def lock(self) -> AbstractContextManager[Any]: ...

    @property
    def sole_writer(self) -> bool: ...

    def register(self, cache: RowCache[Any, Any]) -> None:
        """Have a cache cleared whenever what was read may no longer be true."""


class RowCache(Generic[Key, Value]):
    """Records by key, the `size` that were used last. Values are shared: not to be changed."""

    def __init__(self, database: Owner, size: int) -> None:
        self._database = database
        self._size = size
        self._kept: dict[Key, Value] = {}
        database.register(self)

    def get(self, key: Key, read: Callable[[], Value]) -> Value:
        """What is kept, or what `read` finds (which is kept then)."""
        with self._database.lock:
            if key in self._kept:
                value = self._kept[key] = self._kept.pop(key)
                return value
            value = read()
            self.keep(key, value)
            return value

    def known(self, key: Key) -> Value | None:
        """What is kept; None if nothing is."""
        return self._kept.get(key)

    def keep(self, key: Key, value: Value) -> None:
        """What a query would find now."""
        if not self._database.sole_writer:
            return
        self._kept.pop(key, None)
        self._kept[key] = value
        if len(self._kept) > self._size:
            del self._kept[next(iter(self._kept))]

    def drop(self, key: Key) -> None:
        """The rows behind it were changed."""
        self._kept.pop(key, None)

    def clear(self) -> None:
        """Nothing is certain any more."""
        self._kept.clear()

    def items(self) -> list[tuple[Key, Value]]:
        """Everything that is kept."""
        return list(self._kept.items())
