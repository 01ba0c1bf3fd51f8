"""What was measured: one JSON file a claim, in the package.

A result holds every figure that a test looked at, seed by seed, so that its verdict can be worked
out again, and what it was measured with, so that it can be called stale.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cambrian.claims import code
from cambrian.claims.claim import Claim, Finding, Measured, Verdict
from cambrian.errors import CambrianError
from cambrian.evaluators.statistics import Estimate

FOLDER = Path(__file__).parent / "results"
DIGITS = 6
"""After the point, of a figure that is kept; a verdict is worked out from what is kept."""


def rounded(figures: Measured) -> dict[str, float]:
    """Figures as they are kept, by name in alphabetical order."""
    return {name: round(float(value), DIGITS) for name, value in sorted(figures.items())}


@dataclass(frozen=True)
class Again:
    """One seed of each condition, run again with newer code: every figure was the same to the last
    digit.

    Attributes:
        code, depends, versions, date: as a result's.
    """

    code: str
    depends: Mapping[str, str]
    versions: Mapping[str, str]
    date: str


@dataclass(frozen=True)
class Result:
    """A measured claim.

    Attributes:
        findings: of each test, in the claim's order.
        first_seed, seeds: the seeds are so many from the first one on.
        figures: condition -> figure -> one value per seed; what the tests looked at.
        depends: what it was measured with (`code.hashes`); `code` is one hash of it all.
        versions: of cambrian, numpy, python and torch.
        date: year-month-day, UTC.
        seconds: that the pieces took together.
        again: the newest code that gave the same; None where none was tried.
    """

    claim: str
    verdict: Verdict
    findings: tuple[Finding, ...]
    first_seed: int
    seeds: int
    figures: Mapping[str, Mapping[str, list[float]]]
    code: str
    depends: Mapping[str, str]
    versions: Mapping[str, str]
    date: str
    seconds: float
    again: Again | None = None

    @property
    def known(self) -> Mapping[str, str]:
        """What the newest code was, as `depends` says it, that gave these figures."""
        return self.again.depends if self.again else self.depends

    def pieces(self) -> dict[str, list[dict[str, float]]]:
        """The figures as `Claim.judge` takes them: condition -> one mapping per seed."""
        return {
            condition: [
                {figure: values[seed] for figure, values in given.items()}
                for seed in range(self.seeds)
            ]
            for condition, given in self.figures.items()
        }

    def to_json(self) -> dict[str, Any]:
        """The same as plain JSON."""
        return asdict(self)


def load(name: str, folder: Path = FOLDER) -> Result | None:
    """What was measured of a claim; None where nothing was.

    Raises:
        CambrianError: the file makes no sense.
    """
    path = folder / f"{name}.json"
    if not path.is_file():
        return None
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
        findings = [
            Finding(**{**each, "estimate": Estimate(**each["estimate"])})
            for each in given["findings"]
        ]
        again = given["again"] and Again(**given["again"])
        return Result(**{**given, "findings": tuple(findings), "again": again})
    except (ValueError, TypeError, KeyError) as error:
        raise CambrianError(
            f"{path}: expected the result of a claim; got a file that makes no sense "
            f"({type(error).__name__}: {error}); `cambrian claim run {name}` measures it again"
        ) from error


def save(result: Result, folder: Path = FOLDER) -> Path:
    """Keep a result in place of the one before; the file is whole at every moment.

    Raises:
        OSError: it cannot be written there.
    """
    path = folder / f"{result.claim}.json"
    write(path, json.dumps(result.to_json(), indent=1, ensure_ascii=False) + "\n")
    return path


def stale(claim: Claim, result: Result) -> list[str]:
    """What has changed since a claim was measured, by name; empty where the result is fresh."""
    return code.changes(result.known, code.hashes(claim))


def write(path: Path, text: str) -> None:
    """A whole file or none, whatever happens meanwhile.

    Raises:
        OSError: it cannot be written there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, part = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(part).chmod(0o644)
        Path(part).replace(path)
    except OSError:
        Path(part).unlink(missing_ok=True)
        raise
