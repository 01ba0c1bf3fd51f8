"""How this agent rewrites itself: three plans, a critique that picks one, and the edit.

Plan and critique are in words, so that a plan that cannot work costs no code (Madaan et al. 2023,
"Self-Refine: iterative refinement with self-feedback", arXiv 2303.17651). Runs in a sandbox with
the standard library only. It is part of the agent: an edit may change it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cambrian.agents.answers import FORMAT, read_answer, shown

PLAN = """\
You improve a learning algorithm that is judged on streams of data it has never seen: continual
learning without forgetting, learning a representation, following labels that drift. The score of a
benchmark is 0 at its floor and 1 at its ceiling; the mean counts. Write three different plans for
one focused change each, at most 80 words a plan, without code. Each names its mechanism, why it
should raise the score on which streams, what it costs in memory and compute, and what would show
that it is wrong. Do not repeat what has failed.
"""

CRITIQUE = """\
You review plans for changes of a learning algorithm. Say of each in at most 60 words what would go
wrong: a false premise about the data, a shape or a seed that does not fit the rules, more memory or
compute than is allowed, something that was tried before. Then name the one plan that is most likely
to gain, and say how to mend it. No code.
"""

EDIT = """\
You improve a learning algorithm. You are given its code, the rules, plans and a review of them.
Write the plan that the review chose, mended as it says, completely: code that runs at once counts
more than ambition. Only the standard library, numpy and torch can be imported, every random choice
must be drawn from the seed that is given, and the learner must stay within the memory and compute
of its task.
"""

RECORD = (
    *("rules", "benchmarks", "scores", "kinds", "curves", "costs", "contributions", "progress"),
    *("history", "elsewhere", "failures", "cards", "cut"),
)


class Improver:
    def improve(
        self, evidence: dict[str, Any], ask: Callable[[list[dict[str, str]]], str]
    ) -> dict[str, Any]:
        """An edit (a JSON object) for the agent that the evidence describes."""
        if evidence.get("error"):  # only what is missing is asked for: there was a plan
            return read_answer(ask(messages(f"{EDIT}\n{FORMAT}", shown(evidence, ("rules",)))))
        plans = ask(messages(PLAN, shown(evidence, RECORD)))
        text = shown(evidence, ("rules", "costs", "history"))
        review = ask(messages(CRITIQUE, f"{text}\n\n## Plans\n{plans}"))
        text = f"{shown(evidence, ('rules',))}\n\n## Plans\n{plans}\n\n## Review\n{review}"
        return read_answer(ask(messages(f"{EDIT}\n{FORMAT}", text)))


def messages(system: str, user: str) -> list[dict[str, str]]:
    """A conversation that begins."""
    return [{"role": "system", "content": system}, {"role": "user", "content": user}]
