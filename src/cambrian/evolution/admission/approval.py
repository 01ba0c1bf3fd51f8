"""Which admissions wait for a person: `none`, `champion`, `every:N` or `all`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cambrian.errors import UsageError

if TYPE_CHECKING:
    from cambrian.archive import Archive

FORMS = "none, champion, every:N or all"


@dataclass(frozen=True)
class Policy:
    """What `--approve` says.

    Attributes:
        champions: ask before a variant becomes the champion.
        every: ask before every so-manieth admission (1: all of them); 0 for none.
    """

    champions: bool = False
    every: int = 0

    @classmethod
    def of(cls, text: str) -> Policy:
        """Raises UsageError if the text is no policy."""
        known = {"none": cls(), "champion": cls(champions=True), "all": cls(every=1)}
        if text in known:
            return known[text]
        kind, _, count = text.partition(":")
        if kind == "every" and count.isdigit() and int(count) >= 1:
            return cls(every=int(count))
        raise UsageError(f"expected approve to be {FORMS}, got {text!r}")

    def why(self, archive: Archive, lower: float) -> str:
        """Why an admission with this lower bound waits for a person; "" if it does not."""
        if self.every == 1:
            return "every admission waits for approval"
        if self.every and (archive.counts()["admitted"] + 1) % self.every == 0:
            return f"every {self.every}th admission waits for approval"
        if self.champions:
            champion = archive.champion()
            if champion is None or champion.lower is None or lower > champion.lower:
                return "it would become the champion"
        return ""
