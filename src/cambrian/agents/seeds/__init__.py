"""The agents that an archive starts from."""

from __future__ import annotations

import re
from importlib import resources

from cambrian.agents.catalogue import mechanism
from cambrian.agents.tree import IMPROVER, LEARNER, SourceTree
from cambrian.errors import NotFound

_PART_IMPORT = re.compile(r"^from parts\.(\w+) import ", re.MULTILINE)


DEFAULT = ("composed", "finetune", "random_features", "replay")
"""The seed agents of every archive; the others are added where a benchmark asks for them."""


def seed_names() -> tuple[str, ...]:
    """The names of the seed agents that every archive starts from, in alphabetical order."""
    return DEFAULT


def all_seed_names() -> tuple[str, ...]:
    """The names of all seed agents, in alphabetical order."""
    folder = resources.files(__name__)
    return tuple(
        sorted(entry.name for entry in folder.iterdir() if entry.joinpath(LEARNER).is_file())
    )


SKELETON = "skeleton"


def skeleton() -> str:
    """The text of `parts/skeleton.py`, which every composed learner has a copy of."""
    return resources.files(__name__).joinpath(f"{SKELETON}.py").read_text(encoding="utf-8")


def load_seed(name: str) -> SourceTree:
    """A seed agent: its learner, the default improver, and copies of the parts it uses.

    Raises:
        NotFound: there is none of that name.
    """
    if name not in all_seed_names():
        raise NotFound(f"expected a seed agent of {', '.join(all_seed_names())}; got {name!r}")
    learner = resources.files(__name__).joinpath(name, LEARNER).read_text(encoding="utf-8")
    improvers = resources.files("cambrian.agents").joinpath("improvers")
    files = {LEARNER: learner, IMPROVER: improvers.joinpath("default.py").read_text("utf-8")}
    for part in _PART_IMPORT.findall(learner):
        files[f"parts/{part}.py"] = skeleton() if part == SKELETON else mechanism(part).source
    return SourceTree(files)
