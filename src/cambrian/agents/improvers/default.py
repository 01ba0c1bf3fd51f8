"""How this agent rewrites itself: show a model the evidence, ask for one change, read the answer.

Runs in a sandbox with the standard library only. It is part of the agent: an edit may change it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

FORMAT = """\
Answer in this format and no other:

TITLE: one line
HYPOTHESIS: why this should raise the score, in a few sentences
PREDICTED GAIN: a number, the expected change of the mean normalised score
CONFIDENCE: a number from 0 to 1, the chance that there is a gain

Then any number of changes. To change part of a file:

### EDIT learner.py
<<<<<<< SEARCH
lines that occur exactly once in the file
=======
lines to put in their place
>>>>>>> REPLACE

To write a whole file (an agent has learner.py, improver.py, parts/<name>.py, NOTES.md):

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

BLOCK = re.compile(
    r"^<{5,9} *SEARCH *\n(?P<search>.*?)^={5,9} *\n(?P<replace>.*?)^>{5,9} *REPLACE", re.S | re.M
)
# A heading, a fenced text or a block, whichever comes first: what is inside one is not looked into.
PIECE = re.compile(
    r"^#{2,4} *(?P<kind>EDIT|FILE|DELETE):? +[`*]*(?P<path>[\w./-]+)"
    r"|^(?P<fence>`{3,}|~{3,})[^\n]*\n(?P<text>.*?)^(?P=fence) *$"
    r"|^<{5,9} *SEARCH *\n.*?^>{5,9} *REPLACE",
    re.S | re.M,
)

MAX_SECTION = 24_000
SECTIONS = ("benchmarks", "scores", "history", "failures", "cards", "rules")


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
            parts.append(
                "## Your last edit did not apply\n"
                f"{shown(evidence['error'])}\nMend it, and give the whole answer again."
            )
        return [
            {"role": "system", "content": f"{TASK}\n{FORMAT}"},
            {"role": "user", "content": "\n\n".join(parts)},
        ]


def shown(value: Any) -> str:
    """Text for the model, cut at a length that leaves room for the rest."""
    text = value if isinstance(value, str) else json.dumps(value, indent=1, default=str)
    return text if len(text) <= MAX_SECTION else text[:MAX_SECTION] + "\n[cut]"


def read_answer(answer: str) -> dict[str, Any]:
    """Read an answer in the format above; forgiving about everything but the changes."""
    answer = answer.replace("\r\n", "\n")
    edit: dict[str, Any] = {"files": {}, "blocks": []}
    kind = path = ""
    start = len(answer)
    for piece in PIECE.finditer(answer):
        if piece["kind"]:
            kind, path = piece["kind"], piece["path"].removeprefix("./")
            start = min(start, piece.start())
            if kind == "DELETE":
                edit["files"][path] = None
        elif kind == "EDIT":
            edit["blocks"] += blocks(path, piece["text"] or piece.group())
        elif kind == "FILE" and piece["text"] is not None:
            edit["files"].setdefault(path, piece["text"])
    said = answer[:start]
    edit["title"] = field(said, "TITLE")[:120] or "Untitled change"
    edit["hypothesis"] = field(said, "HYPOTHESIS")[:2000] or "No hypothesis was given."
    edit["predicted_gain"] = number(field(said, "PREDICTED GAIN"), 0.0, -10.0, 10.0)
    edit["confidence"] = number(field(said, "CONFIDENCE"), 0.5, 0.0, 1.0)
    return edit


def field(answer: str, name: str) -> str:
    """The text after `NAME:`, up to the next field, heading or fence."""
    end = r"(?=\n[ *#]*(?:TITLE|HYPOTHESIS|PREDICTED GAIN|CONFIDENCE)\b|\n#|\n```|\Z)"
    found = re.search(rf"^[ *#]*{name}[ *]*:[ *]*(.*?){end}", answer, re.S | re.M | re.I)
    return found.group(1).strip(" *\n") if found else ""


def number(text: str, default: float, low: float, high: float) -> float:
    """The first number in a text (percentages are divided by 100), within bounds."""
    found = re.search(r"[-+]?\d*\.?\d+", text)
    if not found:
        return default
    value = float(found.group()) / (100.0 if text[found.end() :].lstrip().startswith("%") else 1.0)
    return min(max(value, low), high)


def blocks(path: str, body: str) -> list[dict[str, str]]:
    """The SEARCH/REPLACE blocks of a body."""
    return [
        {"path": path, "search": found["search"], "replace": found["replace"]}
        for found in BLOCK.finditer(body)
    ]
