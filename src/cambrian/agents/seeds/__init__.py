"""The agents that an archive starts from."""

from __future__ import annotations

import re
from importlib import resources

from cambrian.agents.catalogue import mechanism
from cambrian.agents.improvers import load_improver
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
OTHER_SKELETONS = {
    "composed_control": "composed/control.py",
    "composed_meta": "composed/meta.py",
}
"""No benchmark of today has them on its page: they are not seeds of an archive unless asked for."""


def skeleton() -> str:
    """The text of `parts/skeleton.py`, which every composed learner has a copy of."""
    return resources.files(__name__).joinpath("composed/skeleton.py").read_text(encoding="utf-8")


def load_seed(name: str, improver: str = "one-shot") -> SourceTree:
    """A seed agent: its learner, an improver (`agents.improvers`), and copies of the parts it uses.

    Beside those of `all_seed_names`, the two other skeletons: composed_meta, composed_control.

    Raises:
        NotFound: there is none of that name. UsageError: no such improver.
    """
    known = (*all_seed_names(), *OTHER_SKELETONS)
    if name not in known:
        raise NotFound(f"expected a seed agent of {', '.join(known)}; got {name!r}")
    file = OTHER_SKELETONS.get(name, f"{name}/{LEARNER}")
    learner = resources.files(__name__).joinpath(file).read_text(encoding="utf-8")
    files = {LEARNER: learner, IMPROVER: load_improver(improver)}
    for part in _PART_IMPORT.findall(learner):
        files[f"parts/{part}.py"] = skeleton() if part == SKELETON else mechanism(part).source
    return SourceTree(files)
