"""The hostile programs and what their headers say.

A header's lines::

    # HOSTILE 75 futex_between_sessions    its number and name
    # EXPECT: scored|crash                 the verdicts that are right
    # EXPECT gvisor: scored                the same for one backend
    # INSIDE gvisor: why                   a breach there is one of that backend's own kernel
    # LAYER:  the wall that should hold
    # TIMES: 3                             so many jobs one after the other (default 1)
    # PAIR: yes                            two sessions at once, on a stream nobody can know
    # REQUEST_S: 10                        host seconds for an answer, where 3 may be too few
    # UNIT: label-drift smoke              for a unit of this benchmark, which other tests run
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).with_name("programs")


@dataclass(frozen=True)
class Program:
    """One hostile learner.

    Attributes:
        source: with `@CANARY@` and `@ABSTRACT@` where a file and a socket of the host are named.
    """

    number: int
    name: str
    source: str

    @classmethod
    def read(cls, path: Path) -> Program:
        """From its file, whose name is its number and what it does."""
        number, _, name = path.stem.partition("_")
        return cls(int(number), name, path.read_text("utf-8"))

    def expected(self, backend: str) -> frozenset[str]:
        """The verdicts that are right: "scored", or causes of a failure."""
        found = self._line(f"EXPECT {backend}") or self._line("EXPECT")
        if not found:
            raise ValueError(f"expected a line EXPECT in the header of {self.number}_{self.name}")
        return frozenset(found.split("|"))

    def inside(self, backend: str) -> bool:
        """Whether a breach would be one of the sandbox's own kernel."""
        return bool(self._line(f"INSIDE {backend}"))

    @property
    def layer(self) -> str:
        """The wall that it tries, as its LAYER line says."""
        return self._line("LAYER")

    @property
    def times(self) -> int:
        """How often it runs in one session (its TIMES line; 1 without)."""
        return int(self._line("TIMES") or 1)

    @property
    def pair(self) -> bool:
        """Whether two run at once, in sessions that must not notice each other."""
        return self._line("PAIR") == "yes"

    @property
    def request_s(self) -> float:
        """Host seconds for an answer; 0: the limits' own."""
        return float(self._line("REQUEST_S") or 0)

    @property
    def unit(self) -> str:
        """The benchmark and stage that it runs in (its UNIT line); empty for a made-up stream."""
        return self._line("UNIT")

    def filled(self, canary: Path, abstract: str) -> str:
        """Its source, told where the canary file and the host's abstract socket are."""
        return self.source.replace("@CANARY@", str(canary)).replace("@ABSTRACT@", abstract)

    def _line(self, key: str) -> str:
        found = re.search(rf"^# {key}: +(.+)$", self.source, re.MULTILINE)
        return found.group(1).strip() if found else ""


def programs() -> list[Program]:
    """All of them, by number."""
    found = [Program.read(path) for path in FOLDER.glob("*.py")]
    return sorted(found, key=lambda program: program.number)
