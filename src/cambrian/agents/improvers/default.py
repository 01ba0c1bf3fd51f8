"""How this agent rewrites itself: show a model the evidence, ask for one change, read the answer.

Runs in a sandbox with the standard library only. It is part of the agent: an edit may change it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from cambrian.agents.answers import read_answer

FORMAT = """\
Answer in this format and no other:

TITLE: one line
HYPOTHESIS: why this should raise the score, in a few sentences
PREDICTED GAIN: a number, the expected change of the mean normalised score
CONFIDENCE: a number from 0 to 1, the chance that there is a gain

Then any number of changes. To change part of a file:

### EDIT learner.py
<<<<<<< SEARCH
lines that occur exactly once in the file, copied without a change
=======
lines to put in their place
>>>>>>> REPLACE

Keep each block small (under 1,000 characters): several small ones under one heading are better than
a large one. To write a whole file, if it is new or short (an agent has learner.py, improver.py,
parts/<name>.py, NOTES.md):

### FILE parts/example.py
```python
the whole file
```

If the file itself has a line of three backticks, fence it with four.

To remove a file: ### DELETE parts/example.py
"""

TASK = """\
You improve a learning algorithm that is judged on streams of data it has never seen: continual
learning without forgetting, learning a representation, following labels that drift. The score of a
benchmark is 0 at its floor and 1 at its ceiling; the mean counts. Make one focused change with one
clear hypothesis. Prefer mechanisms over constants. Do not repeat what has failed. The code may use
only the standard library, numpy and torch, must draw every random choice from the seed it is given,
and must stay within the memory and compute of the task.
"""

MAX_SECTION = 24_000
SECTIONS = (
    *("rules", "benchmarks", "scores", "kinds", "curves", "costs", "contributions", "progress"),
    *("history", "elsewhere", "failures", "cards", "cut"),
)


class Improver:
    def improve(
        self, evidence: dict[str, Any], ask: Callable[[list[dict[str, str]]], str]
    ) -> dict[str, Any]:
        """An edit (a JSON object) for the agent that the evidence describes."""
        return read_answer(ask(self.messages(evidence)))

    def messages(self, evidence: dict[str, Any]) -> list[dict[str, str]]:
        """The conversation that is sent to the model."""
        parts = [f"### FILE {path}\n```\n{text}\n```" for path, text in evidence["code"].items()]
        for name in SECTIONS:
            if evidence.get(name):
                parts.append(f"## {name}\n{shown(evidence[name])}")
        if evidence.get("error"):
            parts.append(f"## Your last answer\n{shown(evidence['error'])}")
        return [
            {"role": "system", "content": f"{TASK}\n{FORMAT}"},
            {"role": "user", "content": "\n\n".join(parts)},
        ]


def shown(value: Any) -> str:
    """Text for the model, cut at a length that leaves room for the rest."""
    text = value if isinstance(value, str) else json.dumps(value, indent=1, default=str)
    return text if len(text) <= MAX_SECTION else text[:MAX_SECTION] + "\n[cut]"
