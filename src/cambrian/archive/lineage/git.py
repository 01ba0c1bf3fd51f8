"""Git, through GitPython, cut off from the user's configuration and environment.

A hook, an alias, a signing key, a template, `GIT_DIR` or a missing identity of whoever runs
Cambrian must not change what is written. So every command gets an environment of its own.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import IO, Any, cast

from cambrian.archive.lineage.fastimport import IMPORT_REF
from cambrian.archive.sqlite import storage_errors
from cambrian.errors import CambrianError

_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    # What `refs` writes; newer versions may have other defaults.
    "GIT_DEFAULT_REF_FORMAT": "files",
    "GIT_DEFAULT_HASH": "sha1",
    "HOME": os.devnull,
    "LC_ALL": "C",
}


PACKS = 24
"""So many packs are put together."""
LOCKED_S = 5.0
"""Git holds its lock for milliseconds: whoever has held one for so long was killed."""

_PLAIN = ("-c", "repack.writeBitmaps=false", "-c", "pack.threads=1")


class GitError(CambrianError):
    """A git command failed; for a projection that means: rebuild it."""


class Git:
    """The commands that the lineage needs, on one bare repository."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def init(cls, path: Path, *, branch: str) -> Git:
        """Make a bare repository whose HEAD is `branch`, with no hooks and no template."""
        path.mkdir(parents=True)
        git = cls(path)
        git.run("init", "--quiet", "--bare", "--template=", f"--initial-branch={branch}")
        return git

    def run(self, *arguments: str, stdin: IO[bytes] | None = None) -> str:
        """Run a git command on the repository; its standard output.

        Raises:
            GitError: it ended with an error.
            StorageTrouble: the disk is full, or may not be written.
            CambrianError: there is no git.
        """
        git = _gitpython()
        environment = {**_ENVIRONMENT, "PATH": os.environ.get("PATH", os.defpath)}
        settings = [f"{name}={value}" for name, value in environment.items()]
        # `env -i`: GitPython only adds to the inherited environment, and an inherited GIT_DIR,
        # GIT_OBJECT_DIRECTORY or GIT_WORK_TREE would lead elsewhere.
        command = ["env", "-i", *settings, "git", f"--git-dir={self.path.absolute()}", *arguments]
        try:
            output = git.Git(self.path).execute(command, istream=cast(Any, stdin))
        except git.GitCommandNotFound as error:
            raise CambrianError("the lineage needs `env` and `git`; install git") from error
        except git.GitCommandError as error:
            if error.status == 127:
                raise CambrianError("the lineage needs git; install it") from error
            # fsck tells what is wrong on standard output.
            words = " ".join(f"{error.stderr} {error.stdout}".split())
            if (reason := storage_errors.said(words)) is not None:
                raise storage_errors.of(reason, f"git {arguments[0]}") from error
            raise GitError(f"git {arguments[0]} failed: {words}") from error
        return str(output)

    def refs(self) -> dict[str, str]:
        """Every ref and the object that it names."""
        listed = self.run("for-each-ref", "--format=%(refname) %(objectname)")
        return dict(line.split(" ", 1) for line in listed.splitlines())

    def has(self, commit: str) -> bool:
        """Whether the commit is there."""
        try:
            self.run("cat-file", "-e", f"{commit}^{{commit}}")
        except GitError:
            return False
        return True

    def fast_import(self, stream: IO[bytes]) -> dict[int, str]:
        """Import a stream; the commit of each mark."""
        marks = self.path.absolute() / "cambrian-marks"
        options = ("--quiet", "--force", "--date-format=raw", f"--export-marks={marks}")
        # A pack for each batch, never loose objects: `tidy` puts small packs together.
        try:
            self.run("-c", "fastimport.unpackLimit=1", "fast-import", *options, stdin=stream)
        finally:  # it names what was written for git alone; a disk that fills up may leave it
            (self.path / IMPORT_REF).unlink(missing_ok=True)
        pairs = [line.split() for line in marks.read_text().splitlines()]
        marks.unlink()
        return {int(mark.removeprefix(":")): commit for mark, commit in pairs}

    def tidy(self, packs: int = PACKS) -> None:
        """Put small packs together once there are so many.

        Geometrically, so that each is at least twice as big as all smaller ones: an object is
        copied O(log n) times in all, while `gc --auto` would copy everything again and again.
        """
        if len(list((self.path / "objects" / "pack").glob("*.pack"))) >= packs:
            self.run(*_PLAIN, "repack", "--geometric=2", "-d", "-n", "--quiet")

    def compact(self) -> None:
        """Everything into one pack, refs into one file, and a graph of the commits."""
        self.run("pack-refs", "--all", "--prune")
        self.run(*_PLAIN, "repack", "-a", "-d", "-n", "--quiet")
        self.run("commit-graph", "write", "--reachable", "--no-progress")


def _gitpython() -> ModuleType:
    try:
        # Imported late: it looks for the git program, and costs a tenth of a second.
        import git
    except ImportError as error:
        raise CambrianError("the lineage needs git; install it") from error
    return git


def take_lock(lock: Path) -> None:
    """Take git's lock: a file that is there, to be renamed to what it guards."""
    began = time.monotonic()
    while True:
        try:
            lock.touch(exist_ok=False)
            return
        except FileExistsError:
            with suppress(FileNotFoundError):
                if abs(time.time() - lock.stat().st_mtime) > LOCKED_S:
                    lock.unlink()
        if time.monotonic() - began > 2 * LOCKED_S:
            raise storage_errors.of("locked", f"git's lock {lock.name}")
        time.sleep(0.02)
