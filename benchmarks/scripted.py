"""A whole run by a scripted researcher against `recombine`, at as many evaluations, paired.

    python benchmarks/scripted.py [--proposals 15] [--seed 0] [--benchmarks A,B] [--quick]
                                  [--sandbox auto] [--keep FOLDER] [--json FILE]

One archive is grown by `cambrian.testing.rewrites.Researcher`, who answers over HTTP as a model
does: learners that recombination cannot express, mediocre and bad ones among them, and the mistakes
of a model. Another is grown by `recombine`, from the same seed agents, with as many evaluations.
Both champions are then run on the same sealed streams, and their scores are held against each other
stream by stream. Everything is real: sandboxes, broker, improvers, gates. The researcher's ideas
were written by people who know what kinds of streams there are, so this says that the way from an
answer to a champion works, not how good a model would be.

What a run must never show (the key, the place of the archive, a marker in the environment) is
planted, and looked for in every prompt, row and log. Exit code 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from _table import Figure, report

from cambrian.archive import Archive
from cambrian.daemon import supervisor
from cambrian.evaluators.statistics.intervals import Estimate, paired_difference
from cambrian.evolution import sealing
from cambrian.evolution.runtime.process_worker import ProcessWorker
from cambrian.evolution.settings import Settings
from cambrian.reports.agent.yields import improver_yields
from cambrian.testing.endpoint import Endpoint, endpoint
from cambrian.testing.rewrites import CAREFUL, Researcher

BENCHMARKS = "classes-in-turn,sessions-in-turn,renamed-classes"
QUICK = "renamed-classes"
CANARY = "CANARY-7f3a"
KEY = f"sk-{CANARY}-key-000000000000"


def grow(home: Path, given: argparse.Namespace, **changes: Any) -> None:
    """Grow an archive to its end, then run its champion on sealed data."""
    settings = Settings(
        seed=given.seed,
        benchmarks=tuple(given.benchmarks.split(",")),
        sandbox=given.sandbox,
        workers=2,
        **changes,
    )
    ending = supervisor.run(home, settings, tell)
    assert ending.state == "finished", ending
    with Archive.open(home) as archive, archive.lock():
        champion = archive.champion()
        assert champion is not None
        make_worker = functools.partial(ProcessWorker, archive.runs.get(1).settings["sandbox"])
        sealing.seal(archive, [champion.id], settings.benchmarks, make_worker, tell)


def tell(text: str) -> None:
    """What a run says."""
    print(f"  {text}", flush=True)


def sealed(archive: Archive, agent_id: str) -> dict[tuple[str, int], float]:
    """An agent's sealed scores by stream; of one that failed there, 0."""
    rows = archive.evaluations.of(agent_id, sealed=True)
    return {(row.benchmark, row.seed): row.score or 0.0 for row in rows}


def told(home: Path) -> dict[str, Any]:
    """What came of an archive."""
    with Archive.open(home, read_only=True) as archive:
        champion = archive.champion()
        assert champion is not None
        proposals = archive.proposals.select()
        improvers = {
            agent.id: CAREFUL in archive.agents.files(agent.id).get("improver.py", "")
            for agent in archive.agents.select()
        }
        return {
            "champion": champion.title,
            "score": champion.score,
            "evaluations": archive.steering.meters(1)["evaluations"],
            "states": Counter(one.state for one in proposals),
            "mended": sum(
                bool(trials and trials[0].problem and not trials[-1].problem)
                for trials in (archive.trials.of(one.id) for one in proposals)
            ),
            "by_rewritten": sum(improvers.get(one.parents[0], False) for one in proposals),
            "tokens": sum(
                getattr(archive.ledger.total(), name)
                for name in ("prompt_tokens", "completion_tokens")
            ),
            "improvers": improver_yields(archive),
            "sealed": sealed(archive, champion.id),
        }


def canaries(home: Path, server: Endpoint) -> int:
    """How often what was planted is in a prompt, a row or a log. Names of the archive itself are in
    no file of it."""
    places = [json.dumps(request).encode() for request in server.requests]
    places += [path.read_bytes() for path in sorted(home.rglob("*")) if path.is_file()]
    with Archive.open(home, read_only=True) as archive:
        for proposal in archive.proposals.select():
            asked = archive.questions.of(proposal.id)
            places += [json.dumps([list(one.messages) for one in asked]).encode()]
        for agent in archive.agents.select():
            places += [text.encode() for text in archive.agents.files(agent.id).values()]
    return sum(CANARY.encode() in place for place in places)


def measure(folder: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Both archives, and what came of them."""
    researcher = Researcher(given.seed)
    ours, theirs = folder / CANARY / "scripted", folder / CANARY / "recombine"
    began = time.monotonic()
    with endpoint(researcher) as server:
        os.environ |= {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": KEY, "MARK": CANARY}
        changes = {"rewriter": "model", "model": "scripted", "selection": given.selection}
        grow(ours, given, proposals=given.proposals, **changes)
        found: dict[str, Any] = {"scripted": told(ours), "canaries": canaries(ours, server)}
    found["scripted"]["minutes"] = (time.monotonic() - began) / 60
    found["answers"] = Counter(researcher.kinds)
    began = time.monotonic()
    grow(theirs, given, evaluations=int(found["scripted"]["evaluations"]))
    found["recombine"] = told(theirs)
    found["recombine"]["minutes"] = (time.monotonic() - began) / 60
    return found


def difference(found: dict[str, Any]) -> Estimate:
    """Of the champions' sealed scores over the same streams, seed by seed."""
    ours, theirs = found["scripted"]["sealed"], found["recombine"]["sealed"]
    shared = sorted(set(ours) & set(theirs))
    seeds = sorted({seed for _, seed in shared})

    def means(scores: dict[tuple[str, int], float]) -> list[float]:
        return [
            sum(scores[one] for one in shared if one[1] == seed)
            / sum(one[1] == seed for one in shared)
            for seed in seeds
        ]

    return paired_difference(means(ours), means(theirs))


def show(found: dict[str, Any]) -> None:
    """What came of each, in words."""
    for name in ("scripted", "recombine"):
        one = found[name]
        mean = sum(one["sealed"].values()) / len(one["sealed"])
        print(
            f"\n{name}: champion {one['champion']!r}, search {one['score']:.3f}, sealed {mean:.3f} "
            f"over {len(one['sealed'])} streams; {one['evaluations']:.0f} evaluations, "
            f"{dict(one['states'])}, {one['tokens']} tokens, {one['minutes']:.1f} min"
        )
    print(f"\nanswers: {dict(found['answers'])}")
    for row in found["scripted"]["improvers"]:
        print(
            f"improver {row['name'] or row['hash'][:10]}: {row['proposals']} proposals, "
            f"{row['admitted']} admitted, gain per proposal {row['gain']:.4f} "
            f"[{row['lower']}, {row['upper']}]"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--proposals", type=int, default=15, metavar="N")
    parser.add_argument("--seed", type=int, default=0, metavar="S")
    parser.add_argument("--benchmarks", default=BENCHMARKS, metavar="A,B")
    parser.add_argument("--selection", default="metaproductive")
    parser.add_argument("--sandbox", default="auto")
    parser.add_argument("--quick", action="store_true", help="six proposals on one benchmark")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep both archives there")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    given = parser.parse_args()
    if given.quick:
        given.proposals, given.benchmarks = 6, QUICK
    with tempfile.TemporaryDirectory() as folder:
        found = measure(given.keep or Path(folder), given)
    show(found)
    gap = difference(found)
    if given.json:
        plain = {**found, "difference": vars(gap)}
        for name in ("scripted", "recombine"):
            scores = plain[name].pop("sealed")
            plain[name]["sealed"] = [[*stream, score] for stream, score in scores.items()]
        given.json.write_text(json.dumps(plain, indent=1) + "\n")
    ours = found["scripted"]
    return report(
        f"A scripted researcher and recombine: {given.proposals} proposals, seed {given.seed}",
        [
            Figure("sealed difference of champions, lower bound", gap.lower, "", 0.0, True),
            Figure("sealed difference of champions", gap.mean, note=f"upper {gap.upper:.3f}"),
            Figure("what was planted, found", found["canaries"], target=0),
            Figure("variants that were mended after a crash", ours["mended"]),
            Figure("proposals by a rewritten improver", ours["by_rewritten"], "", 1, True),
            Figure("evaluations of both", ours["evaluations"]),
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
