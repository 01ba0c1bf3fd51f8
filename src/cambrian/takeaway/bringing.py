"""A learner of one's own, as an agent: a file or a folder, checked as any variant is."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from cambrian.agents.imports import check_imports
from cambrian.agents.tree import IMPROVER, LEARNER, MAX_BYTES, SourceTree
from cambrian.errors import InvalidAgent, NotFound


def read_own(path: Path) -> SourceTree:
    """The agent in a folder (`learner.py`, perhaps `parts/*.py`, `improver.py`, `NOTES.md`), or in
    one file with a class Learner. One without an improver gets the usual one.

    Raises:
        NotFound: there is nothing at the path.
        InvalidAgent: it is no agent; the message names the file and the line.
    """
    if not path.exists():
        raise NotFound(f"no such file or directory: {path}")
    if path.is_dir():
        files = dict(SourceTree.from_directory(path))
    else:
        content = path.read_bytes()[: MAX_BYTES + 1]
        try:
            files = {LEARNER: content.decode()}
        except UnicodeDecodeError as error:
            raise InvalidAgent(f"{path}: expected UTF-8 text; {error}") from None
    if IMPROVER not in files:
        usual = resources.files("cambrian.agents").joinpath("improvers/default.py")
        files[IMPROVER] = usual.read_text(encoding="utf-8")
    tree = SourceTree(files)
    check_imports(tree, {})
    return tree
