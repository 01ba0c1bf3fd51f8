"""Expert learners: written by hand under the limits of any agent, and seeds of nothing.

No archive starts from them and no search sees them. They were developed on seeds from 100 on of the
families that searches draw from, at stage `full`; no search and no sealed run uses those.
"""

from __future__ import annotations

import re
from importlib import resources

from cambrian.agents.seeds import load_seed
from cambrian.agents.tree import IMPROVER, LEARNER, SourceTree
from cambrian.errors import NotFound

EXPERTS = ("rehearsal", "neighbours", "ridge")

_SHARED = re.compile(r"^from parts\.(\w+) import ", re.MULTILINE)


def load_expert(name: str) -> SourceTree:
    """An expert's files: its learner, and what it shares with the others as `parts/`.

    Raises:
        NotFound: there is none of that name.
    """
    if name not in EXPERTS:
        raise NotFound(f"expected an expert learner of {', '.join(EXPERTS)}; got {name!r}")
    folder = resources.files(__name__)
    files = {LEARNER: folder.joinpath(f"{name}/{LEARNER}").read_text(encoding="utf-8")}
    waiting = [files[LEARNER]]
    while waiting:
        for part in _SHARED.findall(waiting.pop()):
            if f"parts/{part}.py" not in files:
                text = folder.joinpath(f"shared/{part}.py").read_text(encoding="utf-8")
                files[f"parts/{part}.py"] = text
                waiting.append(text)
    return SourceTree({**files, IMPROVER: load_seed("finetune")[IMPROVER]})
