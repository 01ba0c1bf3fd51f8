"""How an answer is asked for, for improvers that do not say it in words of their own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
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

MAX_SECTION = 24_000
"""Characters of one section."""


def shown(evidence: Mapping[str, Any], sections: Sequence[str]) -> str:
    """Evidence as text for a model: the agent's files, then those sections that say anything, then
    what was wrong with the last answer."""
    parts = [f"### FILE {path}\n```\n{text}\n```" for path, text in evidence["code"].items()]
    parts += [f"## {name}\n{_text(evidence[name])}" for name in sections if evidence.get(name)]
    if evidence.get("error"):
        parts.append(f"## Your last answer\n{_text(evidence['error'])}")
    return "\n\n".join(parts)


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, indent=1, default=str)
    return text if len(text) <= MAX_SECTION else text[:MAX_SECTION] + "\n[cut]"
