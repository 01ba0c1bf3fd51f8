"""Reading the answers of models, in whatever format they come.

Inside a sandbox an improver imports `read_answer` (and, to ask, `FORMAT` and `shown`) from here:
the standard library only. What it reads is untrusted until `cambrian.agents.edits.Edit.from_json`
has looked at it, on the host.
"""

from cambrian.agents.answers.asking import FORMAT, shown
from cambrian.agents.answers.marks import CUT_OFF
from cambrian.agents.answers.reading import read_answer

__all__ = ["CUT_OFF", "FORMAT", "read_answer", "shown"]
