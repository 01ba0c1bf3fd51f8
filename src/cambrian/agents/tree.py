"""A source tree: the code that an agent is, checked and immutable.

What is checked here bounds what everything after it has to expect: few small text files with plain
names, Python that parses, code rather than weights. Nothing is ever imported or run.
"""

from __future__ import annotations

import ast
import hashlib
import os
import re
import stat
import unicodedata
from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from types import MappingProxyType

from cambrian.agents.literals import check_literals
from cambrian.agents.normal_form.form import normal_form
from cambrian.agents.reach import Closure, closure
from cambrian.agents.syntax import fingerprint_of, parsed
from cambrian.errors import InvalidAgent
from cambrian.text import first_hidden

MAX_FILES = 64
MAX_BYTES = 128 * 1024
MAX_NOTES_BYTES = 16 * 1024

LEARNER, IMPROVER, NOTES = "learner.py", "improver.py", "NOTES.md"
_PART = re.compile(r"parts/[a-z][a-z0-9_]{0,62}\.py")
CHECKED = 256
"""How many files that were found to be well are remembered."""
_RESERVED = frozenset({"__init__", "learner", "improver", "cambrian", "parts", "torch", "numpy"})


class SourceTree(Mapping[str, str]):
    """An immutable mapping path -> text: `learner.py`, and perhaps `improver.py`, `parts/*.py`,
    `NOTES.md`.

    Raises:
        InvalidAgent: the files break a rule; the message names the file, the line where there is
            one, what was expected and what came.
    """

    def __init__(self, files: Mapping[str, str]) -> None:
        _check_sizes(files)
        for path, text in files.items():
            _check_path(path)
            _check_text(path, text)
        if LEARNER not in files:
            raise InvalidAgent(f"expected a file {LEARNER}; got {_listed(files)}")
        for path, text in files.items():
            if path != NOTES:
                _check_code(path, text)
        self._files = MappingProxyType(dict(sorted(files.items())))

    def __getitem__(self, path: str) -> str:
        return self._files[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def __hash__(self) -> int:
        return hash(self.identity)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, SourceTree):
            return self.identity == other.identity
        return NotImplemented

    def __repr__(self) -> str:
        return f"SourceTree({self.identity[:12]}, {len(self)} files)"

    @cached_property
    def identity(self) -> str:
        """SHA-256 over every file's path, length and content, in the order of the paths."""
        digest = hashlib.sha256()
        for path, text in self._files.items():
            content = text.encode()
            digest.update(f"{path}\0{len(content)}\0".encode())
            digest.update(content)
        return digest.hexdigest()

    @cached_property
    def fingerprint(self) -> str:
        """A hash of what the agent does, as its syntax says it: equal for trees that differ only in
        comments, docstrings, layout, local names, dead code, imports and knobs that nothing reads,
        notes or files that nothing imports.

        What counts are the learner and what it imports, and the improver and what that imports (see
        `reach.closure`, `normal_form` and, for code that looks at itself, `syntax.fingerprint_of`),
        with the paths.
        """
        return fingerprint(self._files)

    @cached_property
    def learner_fingerprint(self) -> str | None:
        """The same of the learner and what it imports: agents in which it is equal learn in the
        same way. None where the code cannot tell what the learner reaches."""
        return learner_fingerprint(self._files)

    @cached_property
    def improver_hash(self) -> str:
        """SHA-256 of the improver and all that it imports, byte for byte; of `improver.py` alone
        where that imports nothing of the agent."""
        return improver_hash(self._files)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(len(text.encode()) for text in self._files.values())

    def replace(self, changes: Mapping[str, str | None]) -> SourceTree:
        """A tree with files added or replaced, or removed where the text is None.

        Raises:
            InvalidAgent: a file to remove is not there, or the result breaks a rule.
        """
        files = dict(self._files)
        for path, text in changes.items():
            if text is not None:
                files[path] = text
            elif files.pop(path, None) is None:
                raise InvalidAgent(f"{path!r}: to be removed, but there are only {_listed(files)}")
        return SourceTree(files)

    @classmethod
    def from_directory(cls, folder: Path) -> SourceTree:
        """Read a tree from a folder; refuses links, special files and any file it does not know.

        Raises:
            InvalidAgent: what is there is not an agent.
        """
        files: dict[str, str] = {}
        total = 0
        for path in _regular_files(folder):
            name = path.relative_to(folder).as_posix()
            _check_path(name)
            content = _read(path, name)
            total += len(content)
            if len(files) >= MAX_FILES or total > MAX_BYTES:
                raise InvalidAgent(f"{folder}: expected at most {MAX_FILES} files, {MAX_BYTES} B")
            try:
                files[name] = content.decode()
            except UnicodeDecodeError as error:
                raise InvalidAgent(f"{name}: expected UTF-8 text; {error}") from error
        return cls(files)

    def write_to(self, folder: Path) -> None:
        """Write the files below `folder`, which is made if need be; nothing is overwritten.

        Raises:
            FileExistsError: one of the files is there already.
        """
        for path, text in self._files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("x", encoding="utf-8", newline="") as file:
                file.write(text)


def fingerprint(files: Mapping[str, str]) -> str:
    """`SourceTree.fingerprint` of files that were checked before, without checking them again.

    Raises:
        InvalidAgent: one does not parse.
    """
    both = [_fingerprint(files, closure(files, (root,))) for root in (LEARNER, IMPROVER)]
    return hashlib.sha256("\0".join(both).encode()).hexdigest()


def learner_fingerprint(files: Mapping[str, str]) -> str | None:
    """`SourceTree.learner_fingerprint`, in the same way."""
    reached = closure(files, (LEARNER,))
    return None if reached.opaque else _fingerprint(files, reached)


def improver_hash(files: Mapping[str, str]) -> str:
    """`SourceTree.improver_hash`, in the same way; that of no text where there is no improver."""
    reached = closure(files, [IMPROVER])
    paths = tuple(files) if reached.opaque else reached.paths
    if set(paths) <= {IMPROVER}:
        return hashlib.sha256(files.get(IMPROVER, "").encode()).hexdigest()
    digest = hashlib.sha256()
    for path in paths:
        content = files[path].encode()
        digest.update(f"{path}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _fingerprint(files: Mapping[str, str], reached: Closure) -> str:
    code = {path: files[path] for path in reached.paths}
    if reached.opaque or reached.documented:  # it may look at itself
        return fingerprint_of(code, documented=reached.documented)
    return normal_form(code)


def _listed(files: Mapping[str, str]) -> str:
    names = sorted(map(str, files))
    return ", ".join(name[:80] for name in names[:8]) + (", ..." if len(names) > 8 else "")


def _check_sizes(files: Mapping[str, str]) -> None:
    if len(files) > MAX_FILES:
        raise InvalidAgent(f"expected at most {MAX_FILES} files; got {len(files)}")
    for path, text in files.items():
        if not isinstance(path, str) or not isinstance(text, str):
            raise InvalidAgent(f"{str(path)[:80]!r}: expected text; got {type(text).__name__}")
    total = sum(len(text.encode(errors="replace")) for text in files.values())
    if total > MAX_BYTES:
        raise InvalidAgent(f"expected at most {MAX_BYTES} bytes in all files; got {total}")


def _check_path(path: str) -> None:
    shown = ascii(path[:120])
    if unicodedata.normalize("NFC", path) != path:
        raise InvalidAgent(f"{shown}: expected a path in normal form C")
    if path in (LEARNER, IMPROVER, NOTES):
        return
    if _PART.fullmatch(path) is None:
        raise InvalidAgent(
            f"{shown}: expected {LEARNER}, {IMPROVER}, {NOTES} or parts/<name>.py, the name in "
            "lower-case letters, digits and underscores"
        )
    if path.removeprefix("parts/").removesuffix(".py") in _RESERVED:
        raise InvalidAgent(f"{shown}: expected a name that is not taken already for a part")


@lru_cache(maxsize=CHECKED)
def _check_text(path: str, text: str) -> None:
    """Most of a variant's files are its parent's: what was found to be well is remembered."""
    try:
        content = text.encode()
    except UnicodeEncodeError as error:
        raise InvalidAgent(f"{path}: expected text that UTF-8 can hold; {error}") from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise InvalidAgent(f"{path}:{line}: expected text; got a NUL character")
    for number, row in enumerate(text.split("\n"), start=1):
        hidden = first_hidden(row.replace("\r", "").replace("\f", ""))
        if hidden:
            raise InvalidAgent(
                f"{path}:{number}: expected code that shows what it is; got the hidden character "
                f"{hidden} (write it as an escape)"
            )
    if path == NOTES and len(content) > MAX_NOTES_BYTES:
        raise InvalidAgent(
            f"{path}: expected notes of at most {MAX_NOTES_BYTES} bytes; got {len(content)}"
        )


@lru_cache(maxsize=CHECKED)
def _check_code(path: str, text: str) -> None:
    """What can be said of one file of code alone; remembered as well."""
    code = parsed(path, text)
    check_literals(path, text, code)
    if path == LEARNER:
        _check_learner(code.module)


def _check_learner(module: ast.Module) -> None:
    for node in module.body:
        if isinstance(node, ast.ClassDef) and node.name == "Learner":
            return
    classes = [node.name for node in module.body if isinstance(node, ast.ClassDef)]
    found = ", ".join(classes[:8]) or "none"
    raise InvalidAgent(f"{LEARNER}: expected a top-level class Learner; got {found}")


def _regular_files(folder: Path) -> Iterator[Path]:
    """Files of the folder and of `parts/`; anything else there is an error."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise InvalidAgent(f"{folder}: expected a readable directory; {error}") from error
    for entry in entries:
        mode = entry.stat(follow_symlinks=False).st_mode
        if stat.S_ISREG(mode):
            yield folder / entry.name
        elif stat.S_ISDIR(mode) and entry.name == "parts":
            yield from _regular_files(folder / entry.name)
        elif not (stat.S_ISDIR(mode) and entry.name == "__pycache__"):
            kind = "a link" if stat.S_ISLNK(mode) else "something else"
            raise InvalidAgent(f"{entry.name!r}: expected plain files and parts/; got {kind}")


def _read(path: Path, name: str) -> bytes:
    """Read without following a link that was put there in the meantime, and not past the limit."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise InvalidAgent(f"{name}: expected a readable file; {error}") from error
    with os.fdopen(descriptor, "rb") as file:
        return file.read(MAX_BYTES + 1)
