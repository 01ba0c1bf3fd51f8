"""Cambrian: an open-ended archive of self-improving learning algorithms.

Imports nothing: the sandbox imports this package, and has little of it. What it gives
(`cambrian.open`, `cambrian.__version__`) is looked up when it is first asked for; `__init__.pyi`
has the types.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {"open": "cambrian.archive.reader", "__version__": "cambrian._version"}


def __getattr__(name: str) -> Any:
    """What is re-exported (PEP 562).

    Raises:
        AttributeError: there is nothing of that name here.
    """
    if name not in _HOMES:
        raise AttributeError(f"module 'cambrian' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
