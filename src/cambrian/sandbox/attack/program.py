"""A hostile program and its headers.

# HOSTILE 66 state_between_jobs
# EXPECT: scored|timeout          which verdicts are right
# EXPECT gvisor: crash            ... on a backend that has its own
# INSIDE gvisor: why              a breach there is one of the backend's own kernel
# LAYER:  what should stop it
# TIMES: 4                        runs in a row, in one session while it is not spent
# PAIR: yes                       two agents at once, on one stream whose labels nobody can know
# REQUEST_S: 8                    seconds for one answer
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from cambrian.errors import UsageError
from cambrian.sandbox.attack import PROGRAMS


@dataclass(frozen=True)
class Program:
    """One hostile learner.

    Attributes:
        times: how often it is run in a row; what one run leaves is for the next to find.
        pair: whether two of it run at the same time, as two agents in two sessions.
        request_s: host seconds for one answer; None: the limits' own.
    """

    number: int
    name: str
    source: str
    layer: str
    times: int = 1
    pair: bool = False
    request_s: float | None = None

    @classmethod
    def read(cls, path: Path) -> Program:
        """From a file whose name is `NUMBER_name.py`.

        Raises:
            UsageError: a header is missing, or says what none can.
        """
        source = path.read_text("utf-8")
        number, _, name = path.stem.partition("_")
        if not number.isdigit() or _header(source, "EXPECT", r"[\w|]+") is None:
            raise UsageError(
                f"expected NUMBER_name.py with a header `# EXPECT: VERDICT`, got {path.name}"
            )
        request = _header(source, "REQUEST_S", r"[\d.]+")
        return cls(
            number=int(number),
            name=name,
            source=source,
            layer=_header(source, "LAYER", r".+") or "",
            times=max(1, int(_header(source, "TIMES", r"\d+") or 1)),
            pair=_header(source, "PAIR", r"\w+") == "yes",
            request_s=None if request is None else float(request),
        )

    def expected(self, backend: str) -> frozenset[str]:
        """The verdicts that are right on a backend."""
        own = _header(self.source, f"EXPECT {backend}", r"[\w|]+")
        return frozenset((own or _header(self.source, "EXPECT", r"[\w|]+") or "").split("|"))

    def inside(self, backend: str) -> bool:
        """Whether a breach would be one of the sandbox's own kernel, which answers for itself."""
        return _header(self.source, f"INSIDE {backend}", r".+") is not None


def _header(source: str, name: str, value: str) -> str | None:
    found = re.search(rf"^# {re.escape(name)}: +({value})$", source, re.MULTILINE)
    return found.group(1) if found else None


def programs(folder: Path = PROGRAMS) -> list[Program]:
    """All of a folder's, by number."""
    found = [Program.read(path) for path in folder.glob("*.py")]
    return sorted(found, key=lambda program: program.number)
