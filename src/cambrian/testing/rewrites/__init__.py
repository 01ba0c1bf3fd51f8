"""A scripted researcher: what a model might answer, good, mediocre and bad, as real code.

The learners beside this file are ideas that no recombination of the shipped parts expresses, each
written against the learner contract as a researcher would. `Researcher` answers questions with them
over the protocol of a model, and makes the mistakes of one: code that crashes until it sees its own
error, a block that fits nowhere, prose, an answer that is cut off. It knows nothing of the streams
but what its ideas were written for, and is no model: it tests the way from an answer to a champion.
"""

from __future__ import annotations

import json
import random
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal

from cambrian.testing.endpoint import Reply

Quality = Literal["good", "mediocre", "bad"]


@dataclass(frozen=True)
class Idea:
    """One rewrite of a learner.

    Attributes:
        name: of its file.
        quality: as a person would expect before it is measured.
    """

    name: str
    title: str
    why: str
    quality: Quality

    @property
    def code(self) -> str:
        """The text of its learner.py."""
        return resources.files(__name__).joinpath(f"{self.name}.py").read_text(encoding="utf-8")

    def answer(self, code: str | None = None) -> str:
        """What a model would say that had it."""
        return (
            f"TITLE: {self.title}\nHYPOTHESIS: {self.why}\nPREDICTED GAIN: 0.05\n"
            f"CONFIDENCE: 0.5\n\n### FILE learner.py\n```python\n{code or self.code}```\n"
        )


IDEAS = (
    Idea(
        "faded_discriminants",
        "Discriminants on whitened features at several rates of forgetting",
        "Sums forget nothing, and sums that fade follow what changes: trust decides which speaks.",
        "good",
    ),
    Idea(
        "shrunken_means",
        "Class means under one shrunken covariance, from running sums",
        "Means and scatter do not depend on the order of the rows, so nothing is forgotten.",
        "good",
    ),
    Idea(
        "adaptive_rls",
        "Recursive least squares with a forgetting factor that follows the error",
        "Where the rule changes the error rises, and the past should go; elsewhere it should stay.",
        "good",
    ),
    Idea(
        "balanced_rehearsal",
        "Rehearse as many rows of each class, in standardised inputs",
        "A uniform sample has few rows of rare classes, which are forgotten first.",
        "good",
    ),
    Idea(
        "kernel_reservoir",
        "Kernel regression on a uniform sample of the stream",
        "What is not trained cannot be overwritten.",
        "good",
    ),
    Idea(
        "fading_ridge",
        "Ridge regression on random features whose sums fade",
        "What was seen a few hundred rows ago says little where streams drift.",
        "mediocre",
    ),
    Idea(
        "context_heads",
        "A set of class means for each context, found by a test for change",
        "Concepts return: what was learned of one should be taken up again, not overwritten.",
        "mediocre",
    ),
    Idea(
        "named_groups",
        "Groups of inputs, and a fading table of what they are called",
        "When labels are permuted the inputs stay: only the names have to be learned again.",
        "mediocre",
    ),
    Idea(
        "two_rates",
        "Class means at three rates of forgetting, mixed by trust",
        "Slow sums keep and fast ones follow; which is right can be seen on the stream.",
        "mediocre",
    ),
    Idea(
        "prototypes",
        "Several prototypes a class, added where a row is misread",
        "A class may be in several places, and a place nobody visits is not overwritten.",
        "mediocre",
    ),
    Idea(
        "newest_neighbours",
        "Nearest neighbours in a window of the newest rows",
        "Under drift the newest rows are the only ones that are right.",
        "mediocre",
    ),
    Idea(
        "naive_moments",
        "A normal distribution for each class and input",
        "Running moments are cheap and do not interfere.",
        "mediocre",
    ),
    Idea("last_label", "Predict the label that came last", "Labels come in runs.", "bad"),
)
"""Every idea, the best first as a person would guess."""

SLIP = ("F.one_hot(y, self.spec.outputs)", "F.one_hot(y, self.spec.outputs + 1)")
"""A line, and what a hasty hand makes of it."""
CAREFUL = "Say first on which streams most can be gained, then use one whole method for them."
_ANCHOR = "clear hypothesis. Prefer mechanisms over constants. Do not repeat what has failed. The"
BETTER_IMPROVER = f"""\
TITLE: Ask for one whole method
HYPOTHESIS: Questions that ask where most can be gained are answered with better ideas.
PREDICTED GAIN: 0.0
CONFIDENCE: 0.5

### EDIT improver.py
<<<<<<< SEARCH
{_ANCHOR} code may use
=======
{_ANCHOR} code may use
>>>>>>> REPLACE
""".replace("=======\n" + _ANCHOR, f"=======\n{_ANCHOR.removesuffix(' The')}\n{CAREFUL} The")
WAYS = ("slip", "prose", "nowhere", "cut")
"""How an answer goes wrong."""
PROSE = "I would start by looking at the curves, and then think about replay. Shall I go on?"
_REPAIR = re.compile(r"^## Your last answer$", re.MULTILINE)
_NUMBER = re.compile(r"^    [a-z_, ]+ = \(?([\d.]+)", re.MULTILINE)


class Researcher:
    """Answers one question after another; safe to be asked by several threads.

    With a question that has `CAREFUL` in it, the ideas that are left are given best first; else in
    an order by chance. When all were given, it changes a number of the code it is shown.

    Args:
        seed: of its chance.
        mistakes: whether it makes any.
        rewrites_improver: each how many answers it rewrites the improver that asks, if that was not
            rewritten yet; None: never.
    """

    def __init__(
        self, seed: int = 0, *, mistakes: bool = True, rewrites_improver: int | None = 3
    ) -> None:
        self._chance = random.Random(seed)
        self._left = list(IDEAS)
        self._chance.shuffle(self._left)
        self._mistakes = mistakes
        self._rewrites_each = rewrites_improver
        self._answers = self._wrong = 0
        self._offset = seed % 2
        self._pending: list[Idea] = []
        self._lock = threading.Lock()
        self.kinds: list[str] = []

    def __call__(self, request: dict[str, Any]) -> Reply:
        """The reply to a request of the chat-completions protocol."""
        messages: Sequence[dict[str, str]] = request["messages"]
        asked = "\n".join(str(one["content"]) for one in messages)
        with self._lock:
            kind, text, finish = self._answer(asked)
            self.kinds.append(kind)
        return _reply(text, len(asked) // 4, finish)

    def _answer(self, asked: str) -> tuple[str, str, str]:
        """What kind of answer it is, its text, and why it ends."""
        if "tried for a moment" in asked and SLIP[1] in asked:
            line = next(row for row in asked.split("\n") if SLIP[1] in row)
            return "mended", _block("learner.py", line, line.replace(SLIP[1], SLIP[0])), "stop"
        if _REPAIR.search(asked):
            idea = self._pending.pop() if self._pending else self._next(asked)
            return "again", idea.answer() if idea else _tuned(asked, self._chance), "stop"
        self._answers += 1
        due = self._rewrites_each is not None and self._answers % self._rewrites_each == 0
        if due and CAREFUL not in asked and _ANCHOR in asked:
            return "improver", BETTER_IMPROVER, "stop"
        idea = self._next(asked)
        if idea is None:
            return "tuned", _tuned(asked, self._chance), "stop"
        return self._given(idea)

    def _next(self, asked: str) -> Idea | None:
        if not self._left:
            return None
        best = min(self._left, key=IDEAS.index) if CAREFUL in asked else self._left[0]
        self._left.remove(best)
        return best

    def _given(self, idea: Idea) -> tuple[str, str, str]:
        """An idea's answer; every other one goes wrong, in one of four ways in turn."""
        if not self._mistakes or (self._answers + self._offset) % 2:
            return idea.quality, idea.answer(), "stop"
        way = WAYS[self._wrong % len(WAYS)]
        if way == "slip" and SLIP[0] not in idea.code:
            return idea.quality, idea.answer(), "stop"
        self._wrong += 1
        if way == "slip":
            return way, idea.answer(idea.code.replace(*SLIP, 1)), "stop"
        self._pending.append(idea)
        if way == "prose":
            return way, PROSE, "stop"
        if way == "nowhere":
            return way, _block("learner.py", "no such line at all", "x = 1"), "stop"
        whole = idea.answer()
        return way, whole[: len(whole) // 2], "length"


def _block(path: str, search: str, replace: str) -> str:
    return (
        "TITLE: A line that was wrong\nHYPOTHESIS: The shapes fit then.\n\n"
        f"### EDIT {path}\n<<<<<<< SEARCH\n{search}\n=======\n{replace}\n>>>>>>> REPLACE\n"
    )


def _tuned(asked: str, chance: random.Random) -> str:
    """A number of the shown learner, halved or doubled, as a block of its whole line."""
    code = asked.partition("### FILE learner.py\n```\n")[2].partition("\n```")[0]
    found = list(_NUMBER.finditer(code))
    if not found:
        return PROSE
    one = chance.choice(found)
    start = code.rindex("\n", 0, one.start(1)) + 1
    line = code[start : code.index("\n", start)]
    value = float(one[1]) * chance.choice((0.5, 2.0))
    new = str(round(value)) if "." not in one[1] else f"{value:g}"
    return (
        "TITLE: Another constant\nHYPOTHESIS: It was a guess.\n\n### EDIT learner.py\n"
        f"<<<<<<< SEARCH\n{line}\n=======\n{line.replace(one[1], new, 1)}\n>>>>>>> REPLACE\n"
    )


def _reply(text: str, prompt_tokens: int, finish: str) -> Reply:
    completion = max(1, len(text) // 4)
    return Reply.of(
        {
            "id": "1",
            "object": "chat.completion",
            "created": 0,
            "model": "scripted",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": text},
                    "finish_reason": finish,
                }
            ],
            "usage": {
                "prompt_tokens": prompt_tokens,
                "completion_tokens": completion,
                "total_tokens": prompt_tokens + completion,
            },
        }
    )


def text_of(reply: Reply) -> str:
    """The text in a reply."""
    return str(json.loads(reply.body)["choices"][0]["message"]["content"])


__all__ = ["BETTER_IMPROVER", "CAREFUL", "IDEAS", "Idea", "Researcher", "text_of"]
