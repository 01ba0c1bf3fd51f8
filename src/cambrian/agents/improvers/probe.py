"""A canned question and answer: does an improver still produce a valid edit?

The admission gate gives a variant's improver this evidence and answers it with this text, which
is in the default format. An improver that brought another format must still make an edit of it.
"""

from __future__ import annotations

from typing import Any

from cambrian.agents.tree import LEARNER, SourceTree

_LEARNER = '''\
"""A learner for a probe."""

from dataclasses import dataclass

from cambrian.agents.contract import Learner as Base


@dataclass
class Knobs:
    lr: float = 0.05


RANGES = {"lr": (0.005, 0.5, "log")}


class Learner(Base):
    def predict(self, x, task=None):
        return x.new_zeros(len(x), self.spec.outputs)
'''

_ANSWER = """\
TITLE: Raise the learning rate
HYPOTHESIS: The loss still falls when the stream ends, so larger steps should learn more of it.
PREDICTED GAIN: 0.05
CONFIDENCE: 0.6

### EDIT learner.py
<<<<<<< SEARCH
    lr: float = 0.05
=======
    lr: float = 0.1
>>>>>>> REPLACE

### FILE NOTES.md
```markdown
The learning rate was doubled.
```
"""


def probe_tree() -> SourceTree:
    """The agent that the evidence is about; the edit must apply to it."""
    return SourceTree({LEARNER: _LEARNER})


def probe_evidence() -> dict[str, Any]:
    """Evidence with every key that an improver may meet."""
    return {
        "code": dict(probe_tree()),
        "scores": {
            "split-mnist": {
                "score": 0.41,
                "interval": [0.36, 0.46],
                "parent": 0.38,
                "champion": 0.83,
            }
        },
        "history": [
            {
                "title": "Halve the learning rate",
                "hypothesis": "Smaller steps forget less.",
                "predicted_gain": 0.02,
                "gain": -0.11,
                "outcome": "rejected",
            }
        ],
        "cards": [{"name": "reservoir", "claim": "Rehearsal prevents forgetting."}],
        "failures": [],
        "rules": "learner.py must define a class Learner.",
        "error": None,
    }


def probe_answer() -> str:
    """What the scripted model says, whatever it is asked."""
    return _ANSWER
