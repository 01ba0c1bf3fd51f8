"""The end of a job that is the agent's own fault.

`LearnerFailed` becomes the verdict `failed` and counts against the agent;
`cambrian.errors.SandboxBroken` becomes `broken`, is retried, and never does.
"""

from __future__ import annotations

CAUSES = ("exception", "crash", "timeout", "protocol", "nonfinite", "memory", "output", "limit")


class LearnerFailed(Exception):
    """The untrusted side crashed, hung, answered nonsense or went over a limit.

    Attributes:
        cause: one of `CAUSES`.
        trace: what the learner's process said about it; untrusted text.
    """

    def __init__(self, cause: str, message: str, trace: str = "") -> None:
        super().__init__(message)
        self.cause = cause
        self.trace = trace
