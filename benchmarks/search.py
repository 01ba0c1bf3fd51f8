"""How much search a minute holds: judged variants in a fixed time, and what each of them cost.

    python benchmarks/search.py [--minutes 10] [--workers 2] [--sandbox auto] [--suite NAME]
                                [--benchmarks A,B] [--recorded ARCHIVE] [--quick] [--json FILE]

A real search from nothing: the seed agents are judged, `recombine` makes variants, a sandbox runs
them. The clock starts with the run, so that the seed agents (the references, and every search's
first parents) count; the rate after them stands beside it. Processor seconds of a variant are those
of its sandbox as its evaluations have them; what the whole machine did beyond these is overhead
(sessions that are made and thrown away, the trusted side, the loop), so nothing else may run.

Then the decisions: variants that were judged in full, whatever became of them, are judged again by
the rule that lets hopeless ones leave early, from what is recorded of them. `--recorded` names an
archive that was grown without that rule; else one is grown here, for as long.

Exit code 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anyio
from _table import Figure, report

from cambrian.archive import Archive, Proposal
from cambrian.daemon.supervisor import prepare
from cambrian.evaluators.suites import suite_of
from cambrian.evolution.admission.leaving import Leaving
from cambrian.evolution.admission.records import results_of
from cambrian.evolution.admission.rules import near
from cambrian.evolution.admission.thresholds import NEW
from cambrian.evolution.loop import Loop
from cambrian.evolution.rewriting.likeness import REUSED_FROM
from cambrian.evolution.settings import SandboxName, Settings
from cambrian.sandbox.backends.registry import choose

JUDGED_IN_TEN, LOSER_S, WINNER_S = 120.0, 1.5, 12.0
STAGES = ("smoke", "screen", "full", "race")


def busy_s() -> float:
    """Processor seconds that this machine has worked since it was started."""
    words = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:]
    user, nice, system, _, _, irq, soft, *_ = map(int, words)
    return (user + nice + system + irq + soft) / os.sysconf("SC_CLK_TCK")


@dataclass
class Account:
    """What a search did in its time.

    Attributes:
        seconds: from the run's start; `seeds_s` of them until the seed agents were judged.
        busy_s: processor seconds of the machine meanwhile, `own_s` of them of the loop's process.
        ends: proposals by how they ended; `judged` of them in the end.
        stages: processor seconds in sandboxes by stage, of variants; `references_s`: of seeds.
        costs: processor seconds of each judged variant, by "losers" and "winners".
        reused: variants that took over results, or ended as duplicates.
    """

    seconds: float = 0.0
    seeds_s: float = 0.0
    busy_s: float = 0.0
    own_s: float = 0.0
    ends: Counter[str] = field(default_factory=Counter)
    stages: dict[str, float] = field(default_factory=dict)
    references_s: float = 0.0
    costs: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    reused: int = 0

    @property
    def judged(self) -> int:
        return self.ends["admitted"] + self.ends["rejected"]

    @property
    def in_sandboxes_s(self) -> float:
        return sum(self.stages.values()) + self.references_s

    @property
    def in_ten(self) -> float:
        """Judged variants in ten minutes, at the rate of the whole."""
        return self.judged / self.seconds * 600

    @property
    def in_ten_after_seeds(self) -> float:
        return self.judged / max(self.seconds - self.seeds_s, 1e-9) * 600

    def median(self, kind: str) -> float:
        return statistics.median(self.costs[kind]) if self.costs[kind] else float("nan")

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "in_ten": self.in_ten, "in_ten_after_seeds": self.in_ten_after_seeds}


async def _timed(loop: Loop, seconds: float, found: Account) -> None:
    """Run it for so long."""
    began = time.monotonic()

    async def watch() -> None:
        while time.monotonic() - began < seconds:
            if not found.seeds_s and loop.archive.counts()["proposals"]:
                found.seeds_s = time.monotonic() - began
            await anyio.sleep(0.1)
        found.seconds = time.monotonic() - began
        loop.halt("now")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch)
        await loop.run()
        tasks.cancel_scope.cancel()
    found.seconds = found.seconds or time.monotonic() - began


def search(home: Path, settings: Settings, seconds: float) -> Account:
    """Grow an archive for so many seconds, and say where the time went."""
    found = Account()
    choose(settings.sandbox, announce=print)  # which says what is missing
    with Archive.open_or_create(home) as archive, archive.lock():
        prepare(archive, settings.benchmarks)
        archive.suites.open(suite_of(settings.suite, settings.benchmarks))
        run = archive.runs.start(settings.seed, settings.to_json(), 2**31 - 1)
        loop = Loop(archive, run, settings, lambda _: None, home / "logs")
        busy, own = busy_s(), time.process_time()
        anyio.run(_timed, loop, seconds, found)
        found.busy_s, found.own_s = busy_s() - busy, time.process_time() - own
        count(archive, found)
    return found


def count(archive: Archive, found: Account) -> None:
    """What became of each proposal, and what it cost."""
    found.stages = dict.fromkeys(STAGES, 0.0)
    for proposal in archive.proposals.select():
        found.ends[proposal.state] += 1
        cost = _cost(archive, proposal, found)
        if proposal.state == "admitted":
            found.costs["winners"].append(cost)
        elif proposal.state == "rejected":
            found.costs["losers"].append(cost)
    for seed in archive.agents.seeds():
        rows = archive.evaluations.of(seed.id, include_broken=True)
        found.references_s += sum(row.cpu_s or 0.0 for row in rows)


def _cost(archive: Archive, proposal: Proposal, found: Account) -> float:
    if proposal.agent_id is None:
        return 0.0
    rows = archive.evaluations.of(proposal.agent_id, include_broken=True)
    if archive.agents.get(proposal.agent_id).proposal_id != proposal.id:
        return 0.0  # a duplicate: the code is another proposal's
    found.reused += any(REUSED_FROM in row.provenance for row in rows)
    for row in rows:
        found.stages[row.stage] += row.cpu_s or 0.0
    return sum(row.cpu_s or 0.0 for row in rows)


def show(found: Account) -> None:
    """Where the processor seconds went, for each judged variant."""
    judged = max(found.judged, 1)
    rest = found.busy_s - found.in_sandboxes_s - found.own_s
    rows = [(f"sandbox, {stage}", seconds) for stage, seconds in found.stages.items()]
    rows += [("sandbox, references", found.references_s), ("loop", found.own_s)]
    rows += [("sessions, trusted side, improvers, recombination", rest), ("machine", found.busy_s)]
    print(f"\n{'core-seconds':50} {'all':>9} {'per judged':>11} {'share':>7}")
    for name, seconds in rows:
        share = seconds / found.busy_s if found.busy_s else 0.0
        print(f"{name:50} {seconds:9.1f} {seconds / judged:11.2f} {share:7.1%}")
    print(f"\n{found.seconds:.0f} s, the first {found.seeds_s:.0f} s of them the seed agents'")
    print(", ".join(f"{count} {end}" for end, count in sorted(found.ends.items())))


def figures(found: Account) -> list[Figure]:
    losers, winners = len(found.costs["losers"]), len(found.costs["winners"])
    return [
        Figure(
            "judged in 10 minutes",
            found.in_ten,
            "",
            JUDGED_IN_TEN,
            at_least=True,
            note=f"{found.in_ten_after_seeds:.0f} once the seed agents are judged",
        ),
        Figure("losers' median", found.median("losers"), "core-s", LOSER_S, note=f"of {losers}"),
        Figure(
            "winners' median", found.median("winners"), "core-s", WINNER_S, note=f"of {winners}"
        ),
        Figure("duplicates caught", float(found.ends["duplicate"]), note=f"{found.reused} reused"),
    ]


# -- decisions ---------------------------------------------------------------------------


@dataclass
class Replayed:
    """Variants that were judged in full, judged again by the rule that sends some away early.

    Attributes:
        variants: how many; `admitted` of them in full, `lost` of these sent away early.
        spent_s, full_s: processor seconds of the units that were run before each left, and of all.
        left: how many were sent away.
    """

    variants: int = 0
    admitted: int = 0
    lost: int = 0
    left: int = 0
    spent_s: float = 0.0
    full_s: float = 0.0
    losers_spent_s: float = 0.0
    losers_full_s: float = 0.0

    @property
    def same(self) -> float:
        """The share of variants with the same decision."""
        return 1 - self.lost / self.variants if self.variants else float("nan")


def replay(home: Path, settings: Settings) -> Replayed:
    """Judge what is recorded in an archive that was grown without leaving."""
    found = Replayed()
    with Archive.open(home) as archive:
        rule = Leaving(archive, settings.benchmarks, settings.rules, settings.admission)
        for proposal in archive.proposals.select():
            if proposal.state in ("admitted", "rejected") and proposal.agent_id:
                _replay(archive, proposal, rule, settings, found)
    return found


def _replay(
    archive: Archive, proposal: Proposal, rule: Leaving, settings: Settings, found: Replayed
) -> None:
    names = settings.benchmarks
    child, parent = str(proposal.agent_id), proposal.parents[0]
    mine, its = results_of(archive, child), results_of(archive, parent)
    if not set(mine.search) <= set(mine.seeds(names)):
        return  # it failed on the way
    rows = archive.evaluations.of(child)
    cost = {(row.benchmark, row.seed): row.cpu_s or 0.0 for row in rows if row.stage != "smoke"}
    if any(REUSED_FROM in row.provenance for row in rows):
        return  # it cost nothing
    admitted = proposal.state == "admitted"
    if proposal.reason == NEW and near(mine, its, names, settings.rules).verdict == "fail":
        admitted = False  # by a rule of before
    left = rule.leaves_after(proposal, mine, its)
    spent = sum(cost[u.benchmark, u.seed] for u in rule.units(proposal.idx)[:left])
    full = sum(cost.values())
    found.variants += 1
    found.admitted += admitted
    found.left += left is not None
    found.lost += admitted and left is not None
    found.spent_s, found.full_s = found.spent_s + spent, found.full_s + full
    if not admitted:
        found.losers_spent_s += spent
        found.losers_full_s += full


def decided(found: Replayed) -> list[Figure]:
    variants = f"{found.variants} variants, {found.admitted} admitted, {found.lost} of them lost"
    share = found.losers_spent_s / found.losers_full_s if found.losers_full_s else float("nan")
    return [
        Figure("same admissions as in full", 100 * found.same, "%", 95.0, True, note=variants),
        Figure(
            "CPU / always in full",
            found.spent_s / found.full_s if found.full_s else float("nan"),
            "x",
            0.2,
            note=f"of those not admitted: {share:.2f} x",
        ),
    ]


def settings_of(given: argparse.Namespace) -> Settings:
    names: Sequence[str] = given.benchmarks.split(",") if given.benchmarks else ()
    chosen = suite_of("" if names else given.suite, names)
    sandbox: SandboxName = given.sandbox
    return Settings(
        proposals=10**6,
        workers=given.workers,
        seed=given.seed,
        sandbox=sandbox,
        benchmarks=chosen.benchmarks,
        suite=chosen.name,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sandbox", default="auto")
    parser.add_argument("--suite", default="general")
    parser.add_argument("--benchmarks", default="", metavar="A,B", help="in place of a suite")
    parser.add_argument("--recorded", type=Path, metavar="ARCHIVE")
    parser.add_argument("--quick", action="store_true", help="three minutes, suite drift")
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args()
    if given.quick:
        given.minutes, given.suite = min(given.minutes, 3.0), "drift"
    if os.getloadavg()[0] > 0.5:
        print(f"this machine is not quiet (load {os.getloadavg()[0]:.1f})", file=sys.stderr)
    settings = settings_of(given)
    with tempfile.TemporaryDirectory() as scratch:
        found = search(Path(scratch) / "a", settings, given.minutes * 60)
        show(found)
        recorded = given.recorded or Path(scratch) / "full"
        if not given.recorded:
            full = replace(settings, rules=replace(settings.rules, leaving=False))
            search(recorded, full, given.minutes * 60)
        again = replay(recorded, settings)
    rows = [*figures(found), *decided(again)]
    if given.json:
        whole: Mapping[str, Any] = {"benchmarks": settings.benchmarks, "search": found.to_json()}
        whole = {**whole, "replayed": vars(again)}
        given.json.write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")
    return report(f"Search, {given.workers} workers", rows)


if __name__ == "__main__":
    sys.exit(main())
