"""Measuring a claim piece by piece, so that a kill loses one of them.

A piece is one condition with one seed: a file in a work folder, whole or not there. A piece counts
only for the code that it was measured with.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cambrian import places
from cambrian.claims import code
from cambrian.claims.claim import Claim, Figures, Measured, verdict_of
from cambrian.claims.rig import Rig
from cambrian.claims.store import Again, Result, rounded, write
from cambrian.errors import CambrianError, UsageError
from cambrian.evaluators.benchmarks.base import REPORTED

Said = Callable[[str], None]


def work_folder(claim: Claim) -> Path:
    """Where a claim's pieces are while it is measured. Raises UsageError: no home is known."""
    return places.cache() / "claims" / claim.name


@dataclass
class Pieces:
    """The pieces of one claim in a folder."""

    folder: Path
    code: str

    def get(self, condition: int, seed: int) -> dict[str, Any] | None:
        """What was measured; None where nothing was, or with other code."""
        try:
            found: dict[str, Any] = json.loads(self._path(condition, seed).read_text("utf-8"))
        except (OSError, ValueError):
            return None
        return found if found.get("code") == self.code else None

    def put(self, condition: int, seed: int, figures: Measured, seconds: float) -> dict[str, Any]:
        """Keep a piece. Raises OSError: it cannot be written."""
        piece = {
            "code": self.code,
            "figures": rounded(figures),
            "seconds": round(seconds, 2),
        }
        write(self._path(condition, seed), json.dumps(piece) + "\n")
        return piece

    def clear(self) -> None:
        """Remove them all."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, condition: int, seed: int) -> Path:
        return self.folder / f"{condition:02}-{seed}.json"


@dataclass
class Measurement:
    """One claim being measured: which pieces there are, and what they took.

    Attributes:
        seeds: exactly so many; None: as many as the claim says, and more where those do not settle
            it.
        said: told of every piece.
    """

    claim: Claim
    rig: Rig
    pieces: Pieces
    seeds: int | None = None
    said: Said = lambda text: None
    clock: Callable[[], float] = time.monotonic
    seconds: float = 0.0
    done: dict[str, list[Measured]] = field(default_factory=dict)

    def run(self) -> dict[str, list[Measured]]:
        """Measure: condition -> the figures of each seed.

        Raises:
            CambrianError: a condition failed; what was measured before is kept.
        """
        self._up_to(self.seeds or self.claim.seeds)
        if self.seeds is None and self.claim.most > self.claim.seeds:
            findings = self.claim.judge(Figures(self.done))
            open_ = [found.says for found in findings if found.open and not found.control]
            if open_:
                self.said(f"not settled by {self.claim.seeds} seeds: {'; '.join(open_)}")
                self._up_to(self.claim.most)
        return self.done

    def _up_to(self, seeds: int) -> None:
        for number, (name, condition) in enumerate(self.claim.conditions.items()):
            known = self.done.setdefault(name, [])
            for seed in range(REPORTED + len(known), REPORTED + seeds):
                piece = self.pieces.get(number, seed)
                if piece is None:
                    began = self.clock()
                    figures = condition(self.rig, seed)
                    piece = self.pieces.put(number, seed, figures, self.clock() - began)
                    self.said(f"{name}, seed {seed}: {piece['seconds']:.1f} s")
                self.seconds += piece["seconds"]
                known.append(piece["figures"])


def measure(
    claim: Claim,
    *,
    rig: Rig | None = None,
    seeds: int | None = None,
    resume: bool = False,
    keep: bool = False,
    folder: Path | None = None,
    said: Said | None = None,
) -> Result:
    """Measure a claim.

    Args:
        rig: where it runs; None: one of its own, closed in the end.
        seeds: exactly so many; None: as many as the claim says, and more where those do not settle
            it.
        resume: take the pieces that an earlier run with the same code left.
        keep: leave the pieces when all is measured.
        folder: for pieces; None: in the user's cache directory.
        said: told of every piece.

    Raises:
        UsageError: fewer than two seeds, which have no interval.
        CambrianError: a condition failed; what was measured before is kept.
    """
    if seeds is not None and seeds < 2:
        raise UsageError(f"expected two seeds or more, for an interval; got {seeds}")
    depends = code.hashes(claim)
    pieces = Pieces(folder or work_folder(claim), code.code_of(depends))
    if not resume:
        pieces.clear()
    with ExitStack() as stack:
        place = rig or stack.enter_context(Rig())
        measurement = Measurement(claim, place, pieces, seeds, said or _silent)
        done = measurement.run()
    result = _result(claim, done, depends, measurement.seconds)
    if not keep:
        pieces.clear()
    return result


def confirm(
    claim: Claim, result: Result, *, rig: Rig | None = None, said: Said | None = None
) -> Result:
    """Run the first seed of each condition again. Where every figure is the same to the last digit
    that is kept, what was measured holds for today's code as well, and is judged by today's tests.

    Raises:
        CambrianError: a figure has changed, or a condition failed.
        UsageError: a test asks for what was not measured.
    """
    depends = code.hashes(claim)
    differ = []
    with ExitStack() as stack:
        place = rig or stack.enter_context(Rig())
        for name, condition in claim.conditions.items():
            now = rounded(condition(place, result.first_seed))
            then = {figure: values[0] for figure, values in result.figures.get(name, {}).items()}
            differ += [
                f"{name}, {figure}: {value} → {now.get(figure)}"
                for figure, value in then.items()
                if now.get(figure) != value
            ]
            (said or _silent)(f"{name}, seed {result.first_seed}")
    if differ:
        raise CambrianError(
            f"{claim.name}: expected the figures of seed {result.first_seed} as they were; got "
            f"others ({'; '.join(differ)}): `cambrian claim run {claim.name}` measures all again"
        )
    findings = claim.judge(Figures(result.pieces()))
    again = Again(code.code_of(depends), depends, code.versions(), _today())
    return replace(result, findings=findings, verdict=verdict_of(findings), again=again)


def _silent(text: str) -> None:
    """Says nothing."""


def _today() -> str:
    return time.strftime("%Y-%m-%d", time.gmtime())


def _result(
    claim: Claim,
    done: Mapping[str, list[Measured]],
    depends: Mapping[str, str],
    seconds: float,
) -> Result:
    figures = Figures(done)
    findings = claim.judge(figures)
    counts = {len(each) for each in done.values()}
    if len(counts) != 1:
        raise CambrianError(f"{claim.name}: expected as many seeds of each condition; got {counts}")
    return Result(
        claim=claim.name,
        verdict=verdict_of(findings),
        findings=findings,
        first_seed=REPORTED,
        seeds=counts.pop(),
        figures=figures.used(),
        code=code.code_of(depends),
        depends=depends,
        versions=code.versions(),
        date=_today(),
        seconds=round(seconds, 1),
    )
