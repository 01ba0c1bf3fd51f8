"""A canned question and answer: does an improver still produce a valid edit?

The admission gate gives a variant's improver this evidence and answers it with this text, which
is in the default format. An improver that brought another format must still make an edit of it.
"""

from __future__ import annotations

from typing import Any

from cambrian.agents.catalogue import mechanism
from cambrian.agents.tree import LEARNER, SourceTree

VERSION = 5
"""Of the question: what an improver did with another one says nothing."""

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
    """Evidence of the shape that every improver is given (`evolution.evidence`), key for key."""
    return {
        "code": dict(probe_tree()),
        "scores": {
            "parent": {"split-mnist": _scored(0.41)},
            "champion": {"split-mnist": _scored(0.83)},
            "grandparent": {"split-mnist": _scored(0.38)},
        },
        "benchmarks": {
            "split-mnist": {
                "task": "Ten digits in five tasks of two classes, one after the other.",
                "floor": 0.19,
                "ceiling": 0.95,
                "flops_allowed": 1.5e12,
                "state_bytes_allowed": 6.0e6,
            }
        },
        "failures": [
            {"title": "Rehearsal of both", "reason": "exception: RuntimeError: shapes do not match"}
        ],
        "history": [
            {
                "what": "Halve the learning rate",
                "why": "Smaller steps forget less.",
                "gain": -0.02,
                "lower": -0.04,
                "upper": 0.01,
                "outcome": "rejected",
            }
        ],
        "kinds": {who: {"classification": _mean(0.41)} for who in ("parent", "champion")}
        | {"grandparent": {"classification": _mean(0.38)}},
        "curves": {"split-mnist": "probe_accuracy: 20 41"},
        "costs": {"split-mnist": {"flops": 0.31, "state": 0.08}},
        "contributions": {},
        "elsewhere": [
            {
                "what": "Keep a reservoir of examples",
                "why": "What is seen again is not forgotten.",
                "gain": 0.11,
                "lower": 0.08,
                "upper": 0.15,
                "outcome": "improvement",
            }
        ],
        "cut": [],
        "cards": [mechanism("reservoir").to_json()],
        "other": {},
        "progress": "rising",
        "rules": "learner.py must define a class Learner.",
    }


def _mean(score: float) -> dict[str, float]:
    return {"score": score, "lower": score - 0.05, "upper": score + 0.05}


def _scored(score: float) -> dict[str, Any]:
    metrics = {"min_accuracy": 0.2, "forgetting": 0.4}
    return {"score": score, "lower": score - 0.05, "upper": score + 0.05, "metrics": metrics}


def probe_answer() -> str:
    """What the scripted model says, whatever it is asked."""
    return _ANSWER
