"""A claim about nothing, for tests: its conditions write down that they ran. As a program: it is
killed while it measures its third piece."""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from cambrian.claims import code
from cambrian.claims.claim import Claim, Gain
from cambrian.claims.rig import Rig
from cambrian.claims.running import measure
from cambrian.claims.store import Result


@dataclasses.dataclass(frozen=True)
class Coin:
    """A condition whose figure is its value, a little different with each seed."""

    value: float
    ran: Path
    spread: float = 0.0

    def __call__(self, rig: Rig, seed: int) -> dict[str, float]:
        with self.ran.open("a", encoding="utf-8") as file:
            file.write(f"{self.value} {seed}\n")
        return {"accuracy": self.value + self.spread * (-1) ** seed}


def coin(folder: Path, spread: float = 0.0) -> Claim:
    """0.6 against 0.5, with so much between one seed and the next."""
    ran = folder / "ran"
    return Claim(
        name="coin",
        citation="nobody",
        says="heads win",
        experiment="none",
        controls="none",
        conditions={"heads": Coin(0.6, ran, spread), "tails": Coin(0.5, ran)},
        tests=(Gain("heads win", "heads", "tails"),),
    )


def fresh(known: Claim, folder: Path) -> Result:
    """A result of another claim, as if it had just been measured: the coin's figures."""
    depends = code.hashes(known)
    return dataclasses.replace(
        measure(coin(folder), folder=folder / "work"),
        claim=known.name,
        depends=depends,
        code=code.code_of(depends),
    )


def ran(folder: Path) -> list[str]:
    """What ran, in order."""
    return (folder / "ran").read_text(encoding="utf-8").splitlines()


def killed_at(number: int) -> Callable[[str], None]:
    """Told of each piece, it ends this process at the one of that number, before the next."""
    heard: list[str] = []

    def said(text: str) -> None:
        heard.append(text)
        if len(heard) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    return said


if __name__ == "__main__":
    here = Path(sys.argv[1])
    measure(coin(here), folder=here / "work", said=killed_at(3))
