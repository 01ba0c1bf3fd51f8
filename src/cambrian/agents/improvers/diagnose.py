"""How this agent rewrites itself: first a diagnosis, then one change that answers it.

As in the Darwin Gödel Machine (Zhang et al. 2025, arXiv 2505.22954, appendix C.2), where a model
first says from the record what holds an agent back, and then writes the change. Runs in a sandbox
with the standard library only. It is part of the agent: an edit may change it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cambrian.agents.answers import FORMAT, read_answer, shown

DIAGNOSE = """\
You study a learning algorithm that is judged on streams of data it has never seen: continual
learning without forgetting, learning a representation, following labels that drift. The score of a
benchmark is 0 at its floor and 1 at its ceiling; the mean counts. Say in at most 200 words, and
without code: on which kind of stream most can be gained; which lines of the code are the cause, by
what the curves and costs show; and the one general change that would remove it. Do not propose what
was tried and failed.
"""

EDIT = """\
You improve a learning algorithm. You are given its code, the rules and a diagnosis. Make the one
change that the diagnosis asks for, completely: code that runs at once counts more than ambition.
Only the standard library, numpy and torch can be imported, every random choice must be drawn from
the seed that is given, and the learner must stay within the memory and compute of its task.
"""

RECORD = (
    *("rules", "benchmarks", "scores", "kinds", "curves", "costs", "contributions", "progress"),
    *("history", "elsewhere", "failures", "cut"),
)


class Improver:
    def improve(
        self, evidence: dict[str, Any], ask: Callable[[list[dict[str, str]]], str]
    ) -> dict[str, Any]:
        """An edit (a JSON object) for the agent that the evidence describes."""
        if evidence.get("error"):  # only what is missing is asked for: the diagnosis was made
            return read_answer(ask(messages(f"{EDIT}\n{FORMAT}", shown(evidence, ("rules",)))))
        diagnosis = ask(messages(DIAGNOSE, shown(evidence, RECORD)))
        text = shown(evidence, ("rules", "cards"))
        return read_answer(
            ask(messages(f"{EDIT}\n{FORMAT}", f"{text}\n\n## Diagnosis\n{diagnosis}"))
        )


def messages(system: str, user: str) -> list[dict[str, str]]:
    """A conversation that begins."""
    return [{"role": "system", "content": system}, {"role": "user", "content": user}]
