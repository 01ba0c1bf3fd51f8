"""The directory of a solution, and how far it has got: what a second call goes on from.

::

    FILE.csv  NAME.py  NAME-1.json    a copy of the table, its benchmark, its costs
    solve.json                        what was asked, and the time that the search has
    archive/                          the search
    baselines.json  solution.json     what the usual choices scored; all of it
    champion/                         the package
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from cambrian.errors import Refused, UsageError
from cambrian.tables.frames import digest_of, raw_of

STATE = "solve.json"


@dataclass(frozen=True)
class Progress:
    """How far a solution has got.

    Attributes:
        question: what was asked: label, order, kind, domain, the archives that
            guests are from, and the table's digest.
        minutes: that it may take in all.
        guests: those of other archives (`guests.Guest`); None until they were asked for.
        search_s: seconds that the search has; None until that is known.
    """

    question: Mapping[str, str]
    minutes: float
    guests: Sequence[Mapping[str, str]] | None = None
    search_s: float | None = None

    def extended(self, minutes: float) -> Progress:
        """The same with another number of minutes: the search has the difference."""
        if self.search_s is None or minutes == self.minutes:
            return replace(self, minutes=minutes)
        left = max(self.search_s + 60 * (minutes - self.minutes), 1.0)
        return replace(self, minutes=minutes, search_s=left)


@dataclass(frozen=True)
class Home:
    """The paths of a solution in `folder`; `table` is the copy of the table in it."""

    folder: Path
    table: Path

    @property
    def benchmark(self) -> Path:
        """The file of the benchmark; its name is made of the table's."""
        stem = re.sub(r"[^a-z0-9]+", "_", self.table.stem.lower()).strip("_")
        return self.folder / f"{stem}_table.py".removeprefix("_")

    @property
    def archive(self) -> Path:
        """The archive of the search."""
        return self.folder / "archive"

    @property
    def baselines(self) -> Path:
        """What the usual choices scored."""
        return self.folder / "baselines.json"

    @property
    def solution(self) -> Path:
        """All that came of it."""
        return self.folder / "solution.json"

    @property
    def package(self) -> Path:
        """The champion's package."""
        return self.folder / "champion"

    def read(self) -> Progress | None:
        """How far it has got; None at the beginning."""
        state = self.folder / STATE
        if not state.is_file():
            return None
        return Progress(**json.loads(state.read_text(encoding="utf-8")))

    def keep(self, progress: Progress) -> None:
        """Write down how far it has got."""
        text = json.dumps(asdict(progress), indent=2) + "\n"
        (self.folder / STATE).write_text(text, encoding="utf-8")


def open_home(folder: Path, table: Path, asked: Mapping[str, str], minutes: float) -> Home:
    """The directory, made or found again, with a copy of the table in it.

    Raises:
        NotFound: no such table. UsageError: the directory holds something else.
        Refused: it holds the solution of another question.
    """
    question = {**asked, "table": digest_of(raw_of(table))}
    home = Home(folder, folder / table.name)
    known = home.read()
    if known is None:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(f"expected {folder} to be new or empty; choose another with -o")
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(table, home.table)
        home.keep(Progress(question, minutes))
        return home
    if known.question != question:
        differs = [name for name in question if known.question.get(name) != question[name]]
        raise Refused(
            f"{folder} holds the solution of another question (another {', '.join(differs)}): "
            "choose another directory with -o"
        )
    home.keep(known.extended(minutes))
    return home


def progress(home: Home) -> Progress:
    """How far an opened home has got.

    Raises:
        UsageError: its state is gone.
    """
    found = home.read()
    if found is None:
        raise UsageError(f"{home.folder / STATE} is gone: choose another directory with -o")
    return found


def keep_solution(home: Home, solution: Mapping[str, Any]) -> None:
    """Write down what came of it."""
    text = json.dumps(solution, indent=2, ensure_ascii=False) + "\n"
    home.solution.write_text(text, encoding="utf-8")
