"""The end of a job that is the agent's own fault.

`LearnerFailed` becomes the verdict `failed` and counts against the agent;
`cambrian.errors.SandboxBroken` becomes `broken`, is retried, and never does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cambrian.text import neutralise

CAUSES = ("exception", "crash", "timeout", "protocol", "nonfinite", "memory", "output", "limit")


class LearnerFailed(Exception):
    """The untrusted side crashed, hung, answered nonsense or went over a limit.

    Message and trace may quote it: they are made safe to store and to show here, once.

    Attributes:
        cause: one of `CAUSES`.
        trace: what the learner's process said about it; untrusted text.
    """

    def __init__(self, cause: str, message: str, trace: str = "") -> None:
        super().__init__(neutralise(message))
        self.cause = cause
        self.trace = neutralise(trace)


CONTENT = (
    *(ValueError, TypeError, ArithmeticError, LookupError, AttributeError),
    *(RecursionError, MemoryError),
)
"""What reading, checking and converting raises where what was sent is not what it should be."""


@contextmanager
def untrusted(what: str) -> Iterator[None]:
    """What goes wrong in the block comes of what an untrusted process sent, so it is its failure.

    Only for blocks that read, check and convert such content: a mistake of our own belongs
    elsewhere, where nobody else is blamed for it.

    Raises:
        LearnerFailed: in place of any of `CONTENT`.
    """
    try:
        yield
    except CONTENT as error:
        kind = type(error).__name__
        raise LearnerFailed("protocol", f"{what} could not be read: {kind}") from error
