"""How this agent rewrites itself: take over what another agent does better, in one question.

A model is shown a second agent with its scores, and asked for a child of both. Crossover by a
language model keeps what belongs together where a cut through the code would not (Meyerson et al.
2023, "Language model crossover: variation through few-shot prompting", arXiv 2302.12170). The
evidence has `other`, a second agent, for improvers whose code names it. Runs in a sandbox with the
standard library only. It is part of the agent: an edit may change it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cambrian.agents.answers import FORMAT, read_answer, shown

CROSS = """\
You improve a learning algorithm that is judged on streams of data it has never seen: continual
learning without forgetting, learning a representation, following labels that drift. The score of a
benchmark is 0 at its floor and 1 at its ceiling; the mean counts. You are shown its code, and below
`other` a second algorithm with its scores. Find what the second one does better, on which streams
and by which mechanism, and bring that mechanism, whole and nothing else, into the first. Do not
repeat what has failed. Where the second has nothing to give, improve the first by one focused
change. Only the standard library, numpy and torch can be imported, every random choice must be
drawn from the seed that is given, and the learner must stay within the memory and compute of its
task.
"""

RECORD = (
    *("other", "rules", "benchmarks", "scores", "kinds", "curves", "costs", "contributions"),
    *("progress", "history", "elsewhere", "failures", "cut"),
)


class Improver:
    def improve(
        self, evidence: dict[str, Any], ask: Callable[[list[dict[str, str]]], str]
    ) -> dict[str, Any]:
        """An edit (a JSON object) for the agent that the evidence describes."""
        user = {"role": "user", "content": shown(evidence, RECORD)}
        return read_answer(ask([{"role": "system", "content": f"{CROSS}\n{FORMAT}"}, user]))
