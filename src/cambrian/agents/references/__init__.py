"""Reference agents: shortcuts that a search on families has to beat.

No archive starts from them.
"""

from __future__ import annotations

from importlib import resources

from cambrian.agents.seeds import load_seed
from cambrian.agents.tree import IMPROVER, LEARNER, SourceTree
from cambrian.errors import NotFound

OWN = ("store", "rehearsal", "prior")
SEEDS = ("random_features", "replay", "finetune", "composed", "protonet")
REFERENCES = (*OWN, *SEEDS)
"""A store with nearest neighbours, one that is rehearsed from, a table of labels, and seed agents.
The best constant rate is no row of its own: it is the floor, and scores 0."""

SHORTCUTS = ("store", "rehearsal", "prior", "random_features")
"""Those that a suite is not to be won by."""


def load_reference(name: str) -> SourceTree:
    """A reference agent's files.

    Raises:
        NotFound: there is none of that name.
    """
    if name in SEEDS:
        return load_seed(name)
    if name not in OWN:
        raise NotFound(f"expected a reference agent of {', '.join(REFERENCES)}; got {name!r}")
    learner = resources.files(__name__).joinpath(f"{name}/{LEARNER}").read_text(encoding="utf-8")
    return SourceTree({LEARNER: learner, IMPROVER: load_seed("finetune")[IMPROVER]})
