"""Modes of torch's dispatcher that do not load torch's compiler."""

from __future__ import annotations

from typing import TypeVar

from torch.utils._python_dispatch import TorchDispatchMode

Mode = TypeVar("Mode", bound=type[TorchDispatchMode])


def uncompiled(mode: Mode) -> Mode:
    """A class decorator: the mode as it is.

    torch wraps what a mode does for its compiler, which is imported for that alone when the mode
    is first used: a second of processor time in every job, SymPy and all. Nothing here is ever
    compiled.
    """
    plain = getattr(mode.__torch_dispatch__, "__wrapped__", None)
    if plain is not None:
        plain.__dynamo_disable = plain
    return mode
