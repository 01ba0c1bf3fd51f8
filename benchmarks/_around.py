"""What goes wrong around a run: the engine, the disk, the clock, the endpoint, a person."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from _engine import PrivateEngine

from cambrian.archive import Archive
from cambrian.daemon import socket
from cambrian.errors import CambrianError
from cambrian.sandbox.backends import registry
from cambrian.sandbox.image import image
from cambrian.testing.endpoint import Reply

SIZE_MB = 768
STUCK_S, NOTICED_S = 300.0, 60.0
NONSENSE = 4
"""So many answers of an endpoint's bout are nonsense: ten refusals in a row end a run, rightly."""


class Around:
    """What goes wrong, one thing after the other."""

    def __init__(
        self, home: Path, faults: Path, mounted: bool, seed: int, real: PrivateEngine | None
    ) -> None:
        self.home, self.faults, self.mounted, self.real = home, faults, mounted, real
        self.chance = random.Random(seed)
        self.endpoint = "fine"
        self.happened: dict[str, int] = {}
        self._nonsense = 0
        self._round: list[Callable[[threading.Event], None]] = []
        self.recoveries: list[float] = []
        self._judged = 0

    def answer(self, request: dict[str, Any]) -> Reply:
        kind = self.endpoint
        if kind == "down":
            return Reply.of({"error": {"message": "overloaded"}}, 503)
        if kind == "gone":
            return Reply(hang_up=True)
        if kind == "nonsense" and self._nonsense < NONSENSE:
            self._nonsense += 1
            return Reply(200, b"<html>maintenance</html>")
        if kind == "slow":
            time.sleep(1.0)
        return Reply.saying(f"note {self.chance.getrandbits(64):x}")

    def one(self, over: threading.Event) -> None:
        """One fault, and its end; all of them in each round, in any order."""
        if not self._round:
            self._round = [self.engine, self.disk, self.clock, self.flap, self.person]
            self.chance.shuffle(self._round)
        fault = self._round.pop()
        self.happened[fault.__name__] = self.happened.get(fault.__name__, 0) + 1
        fault(over)

    def recovered(self, over: threading.Event) -> None:
        """Wait until a variant is judged again; on a busy machine a container takes its time, and
        faults that come faster than that would show nothing but each other."""
        began, self._judged = time.monotonic(), max(self._judged, judged_by(self.home))
        while not over.wait(0.5):
            took = time.monotonic() - began
            if judged_by(self.home) > self._judged or took > STUCK_S:
                self.recoveries.append(took)
                return

    def engine(self, over: threading.Event) -> None:
        if self.real is not None:
            self.real.kill()
            over.wait(self.chance.uniform(3, 25))
            self._noticed(over)
            self.real.start()
            return
        down = self.faults / "engine-down"
        down.touch()
        over.wait(self.chance.uniform(3, 25))
        down.unlink()

    def _noticed(self, over: threading.Event) -> None:
        """Wait until the daemon pauses for the engine, which it needs for one variant in four."""
        end = time.monotonic() + NOTICED_S
        while time.monotonic() < end and not over.wait(1.0):
            with contextlib.suppress(CambrianError):
                if "engine" in socket.ask(self.home, "status")["data"]["paused"]:
                    return

    def disk(self, over: threading.Event) -> None:
        if self.mounted:
            ballast = self.home.parent / "ballast"
            with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as sink:
                for size in (1 << 20, 4096):
                    with contextlib.suppress(OSError):
                        while True:
                            sink.write(b"x" * size)
            over.wait(self.chance.uniform(4, 20))
            ballast.unlink()
            return
        (self.faults / "full").touch()
        over.wait(self.chance.uniform(4, 20))
        (self.faults / "full").unlink()

    def clock(self, over: threading.Event) -> None:
        (self.faults / "clock").write_text(str(self.chance.uniform(-86_400, 86_400)))
        over.wait(self.chance.uniform(1, 20))
        if self.chance.random() < 0.5:
            (self.faults / "clock").write_text("0")

    def flap(self, over: threading.Event) -> None:
        for _ in range(self.chance.randrange(1, 6)):
            self._nonsense = 0
            self.endpoint = self.chance.choice(("down", "gone", "slow", "nonsense"))
            over.wait(self.chance.uniform(0.5, 5))
            self.endpoint = "fine"
            over.wait(self.chance.uniform(0.5, 3))

    def person(self, over: threading.Event) -> None:
        now = self.chance.random() < 0.5
        self.say("pause", {"now": True} if now else {})
        over.wait(self.chance.uniform(1, 8))
        self.say("resume", {})
        self.say("set-workers", {"count": self.chance.randrange(1, 5)})
        over.wait(self.chance.uniform(1, 8))
        self.say("set-workers", {"count": 2})  # as before, so that descriptors can be compared

    def say(self, verb: str, arguments: Mapping[str, Any]) -> None:
        for _ in range(60):
            try:
                socket.ask(self.home, verb, arguments)
            except CambrianError:
                time.sleep(0.5)
            else:
                return
        self.happened[f"{verb} without an answer"] = 1


def sample(pid: int) -> dict[str, float]:
    """Resident memory (MB), descriptors and threads of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    rows = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return {
        "rss_mb": int(rows["VmRSS"].split()[0]) / 1024,
        "descriptors": len(os.listdir(f"/proc/{pid}/fd")),
        "threads": int(rows["Threads"]),
    }


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """A small file system at `folder`, if this process may mount one."""
    mounted = (
        os.geteuid() == 0
        and subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", str(folder)],
            capture_output=True,
            check=False,
        ).returncode
        == 0
    )
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=False)


@contextlib.contextmanager
def own_engine(folder: Path, wanted: bool) -> Iterator[tuple[PrivateEngine | None, dict[str, str]]]:
    """An engine with the sandbox image in it, and what a daemon needs to know to use it."""
    if not wanted:
        yield None, {}
        return
    info = image.ensure(lambda text: print(text, file=sys.stderr))
    with PrivateEngine(folder) as engine:
        engine.copy(info.tag)
        yield engine, {"DOCKER_HOST": engine.address, registry.IMAGE: info.tag}


def judged_by(home: Path) -> int:
    try:
        with Archive.open(home, read_only=True) as archive:
            return archive.counts()["judged"]
    except CambrianError:
        return -1
