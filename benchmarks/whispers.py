"""What two sessions that run at the same time can still tell each other, in bits per second.

    python benchmarks/whispers.py [--quick] [--json FILE]

One session sends bits that were drawn by chance, the other listens; both have the time from the
machine's clock, so they need no other signal. For each way and each backend several lengths of a
bit are tried. The first bits are known to who listens, to find the threshold; of the rest the error
rate e gives the capacity of a binary symmetric channel, (1 - H(e)) / length. The best is reported.
A way that is no way has an error rate of a half, and a capacity of 0 within a few tenths.

It measures ways that cannot be closed without taking from learners what they need, on a machine
that should have nothing else to do: read the figures as upper bounds for a busy one.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from _table import Figure, report

from cambrian.errors import CambrianError
from cambrian.sandbox.backends.bubblewrap import BubblewrapBackend
from cambrian.sandbox.backends.docker import DockerBackend
from cambrian.sandbox.backends.process import Backend
from cambrian.sandbox.session.limits import Limits
from cambrian.sandbox.session.session import Session

LIMITS = Limits(request_s=120, job_s=180)
BACKENDS: dict[str, Callable[[], Backend]] = {
    "docker": DockerBackend,
    "bubblewrap": BubblewrapBackend,
}
KNOWN = 24
LEAD_S = 0.5
WAYS = {
    "inode numbers of pipes": "pipes",
    "how many processes /proc has": "processes",
    "processor time": "burn",
    "pages of a library, read or not": "pages",
    "nobody sends": "silence",
}
LENGTHS_S = (0.004, 0.01, 0.03, 0.1)

# Runs in the sandbox, as an improver. A slot is one bit; `send` does something in it or sleeps,
# `listen` gives a number for it.
WHISPER = '''
import mmap, os, random, signal, time

def until(moment):
    time.sleep(max(0.0, moment - time.monotonic()))

class Pipes:
    def send(self, end):
        while time.monotonic() < end:
            for descriptor in os.pipe(): os.close(descriptor)

    def listen(self, end):
        first, made, last = None, 0, 0
        while time.monotonic() < end or made < 2:
            one, other = os.pipe()
            last = os.fstat(one).st_ino
            first = last if first is None else first
            made += 1
            os.close(one); os.close(other)
        return last - first - made

class Processes:
    def send(self, end):
        child = os.fork()
        if child == 0:
            time.sleep(60)
        until(end - 0.001)
        os.kill(child, signal.SIGKILL); os.waitpid(child, 0)

    def listen(self, end):
        seen = []
        while time.monotonic() < end or not seen:
            seen.append(os.stat("/proc").st_nlink)
            time.sleep(0.0002)
        return sorted(seen)[len(seen) // 2]

class Burn:
    def send(self, end):
        while time.monotonic() < end: pass

    def listen(self, end):
        turns = 0
        while time.monotonic() < end: turns += 1
        return -turns

class Pages:
    """Each bit has a page of its own, far from the next; a page that was read stays read."""
    def __init__(self, sends):
        import torch
        path = os.path.join(os.path.dirname(torch.__file__), "lib", "libtorch_cpu.so")
        self.file = os.open(path, os.O_RDONLY)
        self.size, self.number = os.fstat(self.file).st_size, 0

    def place(self):
        self.number += 1
        return (self.number * 1_048_576) % self.size & ~4095

    def send(self, end):
        os.pread(self.file, 1, self.place())

    def skip(self):
        self.place()

    def listen(self, end):
        until(end - 0.001)  # after who sends
        began = time.perf_counter()
        os.pread(self.file, 1, self.place())
        return began - time.perf_counter()

class Silence(Burn):
    def send(self, end): pass

WAYS = {"pipes": Pipes, "processes": Processes, "burn": Burn, "pages": Pages, "silence": Silence}

class Improver:
    def improve(self, evidence, ask):
        kind = WAYS[evidence["way"]]
        way = kind(True) if kind is Pages else kind()
        began, length, heard = evidence["began"], evidence["length"], []
        for number, bit in enumerate(evidence["bits"]):
            until(began + number * length)
            end = began + (number + 1) * length
            if evidence["role"] == "listen": heard.append(way.listen(end))
            elif bit: way.send(end)
            elif hasattr(way, "skip"): way.skip()
        return {"heard": heard}
'''


@dataclass(frozen=True)
class Whisper:
    """One way at one length of a bit: its error rate e, and what could be told."""

    backend: str
    way: str
    length_s: float
    errors: float
    bits: int
    bits_per_s: float


def whisper(backend: Backend, way: str, length_s: float, count: int, seed: int) -> Whisper:
    """Send `KNOWN + count` bits from one session to another."""
    draw = random.Random(seed)
    bits = [number % 2 for number in range(KNOWN)] + [draw.getrandbits(1) for _ in range(count)]
    with Session(backend, LIMITS) as one, Session(backend, LIMITS) as two:
        for session in (one, two):
            session.install({"improver.py": WHISPER})
        given: dict[str, Any] = {"way": WAYS[way], "length": length_s, "bits": bits}
        given["began"] = time.monotonic() + LEAD_S
        with ThreadPoolExecutor(2) as together:
            sent = together.submit(_run, one, given | {"role": "send"})
            heard = together.submit(_run, two, given | {"role": "listen"}).result()
            sent.result()
    errors = _errors(heard, bits)
    rate = (1 - _entropy(errors)) / length_s
    return Whisper(backend.name, way, length_s, errors, count, rate)


def _run(session: Session, evidence: dict[str, Any]) -> list[float]:
    with session.job("improver") as channel:
        edit: dict[str, Any] = channel.improve(evidence, lambda _: "")
    return [float(value) for value in edit["heard"]]


def _errors(heard: Sequence[float], bits: Sequence[int]) -> float:
    """The share of unknown bits that a threshold gets wrong that is best for the known ones. Who
    is told by more of something, or by less, is decided by the known ones, too."""
    known = list(zip(heard[:KNOWN], bits[:KNOWN], strict=True))

    def wrong(pairs: Sequence[tuple[float, int]], threshold: float, flip: bool) -> float:
        return sum(((value > threshold) != flip) != bool(bit) for value, bit in pairs) / len(pairs)

    levels = sorted(set(heard[:KNOWN]))
    marks = [(low + high) / 2 for low, high in pairwise(levels)] or levels
    best = min(((t, f) for t in marks for f in (False, True)), key=lambda c: wrong(known, *c))
    rest = list(zip(heard[KNOWN:], bits[KNOWN:], strict=True))
    return min(0.5, wrong(rest, *best))


def _entropy(p: float) -> float:
    return 0.0 if p in (0.0, 1.0) else -p * math.log2(p) - (1 - p) * math.log2(1 - p)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer bits and lengths")
    parser.add_argument("--json", type=Path, help="write every measurement here")
    args = parser.parse_args()
    count, lengths = (64, LENGTHS_S[1:3]) if args.quick else (256, LENGTHS_S)
    found: list[Whisper] = []
    for name, make in BACKENDS.items():
        try:
            backend = make()
        except CambrianError as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
            continue
        for number, way in enumerate(WAYS):
            found += [whisper(backend, way, length, count, number) for length in lengths]
    best = [
        max((w for w in found if (w.backend, w.way) == key), key=lambda w: w.bits_per_s)
        for key in dict.fromkeys((w.backend, w.way) for w in found)
    ]
    if args.json:
        args.json.write_text(json.dumps([asdict(each) for each in found], indent=1) + "\n", "utf-8")
    figures = [
        Figure(
            f"{each.backend}: {each.way}",
            each.bits_per_s,
            "bit/s",
            note=f"errors {each.errors:.1%} of {each.bits} bits of {1000 * each.length_s:g} ms",
        )
        for each in best
    ]
    if not figures:
        return 1
    return report("what two sessions at once can still tell each other", figures)


if __name__ == "__main__":
    sys.exit(main())
