"""The seed agents' way to a score, on their own: one that cannot be judged delays nothing.

A seed that fails on one of the benchmarks has *failed* for good: its failed evaluation says why, it
gets no score, so that it is never drawn as a parent, and the run goes on with the others. One that
was too slow (`timeout`) has not: a busy host may be to blame. That evaluation is kept as `broken`,
and tried again after a while; after `TRIES` it is *set aside* until the next start.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from cambrian.agents.improvers import improver_in_turn
from cambrian.agents.seeds import all_seed_names, load_seed, seed_names
from cambrian.agents.tree import SourceTree
from cambrian.archive import Agent, Archive, Evaluation
from cambrian.backoff import Backoff
from cambrian.errors import CambrianError, Refused, UsageError
from cambrian.evaluators.benchmarks import benchmark
from cambrian.evolution.admission.records import missing, results_of, units
from cambrian.evolution.rewriting.likeness import fingerprints
from cambrian.failpoints import reach
from cambrian.measurement import Measurement

STAGES_OF_SEEDS = ("screen", "full")
TRIES = 3
"""How often a stage of a seed may be too slow before it is set aside until the next start."""

SeedState = Literal["waiting", "scored", "failed", "set aside"]


def add_seeds(archive: Archive, benchmarks: Sequence[str] = (), improver: str = "one-shot") -> None:
    """Add the seed agents that are not there yet: those of every archive, and those that some
    benchmarks ask for. One that a newer Cambrian has other code for stays as the archive has it: a
    second one of its name would be judged, drawn and counted beside it.

    Args:
        improver: how they ask a model; "all": each in another way, in turn.
    """
    asked = {name for bench in benchmarks for name in benchmark(bench).seed_agents}
    there = {seed.title for seed in archive.agents.seeds()}
    names = (*seed_names(), *sorted(asked.difference(seed_names())))
    for place, name in enumerate(names):
        if name in there:
            continue
        tree = load_seed(name, improver_in_turn(improver, place))
        archive.agents.add_seed(tree.identity, tree, name)
        reach("seed.added")


def add_own(archive: Archive, tree: SourceTree, title: str) -> Agent:
    """Add a learner of one's own as a seed agent: the next run judges it as it does the others.

    Raises:
        UsageError: a seed agent has that title.
        Refused: its code does what that of a known agent does.
    """
    if title in (*all_seed_names(), *(seed.title for seed in archive.agents.seeds())):
        raise UsageError(f"expected a title that no seed agent has; got {title!r}: give --title")
    known = archive.agents.find(tree.identity) or archive.agents.twin(fingerprints(tree)[0])
    if known is not None:
        raise Refused(
            f"the archive has this code as {known.id[:10]} ({known.title}); nothing was added"
        )
    return archive.agents.add_seed(tree.identity, tree, title)


class Seeding:
    """Where the seed agents of an archive stand, on some benchmarks; `backoff` is how long one that
    was too slow is left alone."""

    def __init__(self, archive: Archive, benchmarks: Sequence[str], backoff: Backoff) -> None:
        self._archive = archive
        self._backoff = backoff
        self._benchmarks = tuple(benchmarks)

    def advance(self, agent_id: str, run_id: int) -> SeedState:
        """Queue what a seed agent still lacks, or score it if nothing."""
        seed = self._archive.agents.get(agent_id)
        if self.failure(seed) is not None:
            return "failed"
        for stage in STAGES_OF_SEEDS:
            if missing(self._archive, agent_id, units(self._archive, stage, self._benchmarks)):
                return self._queue(agent_id, stage, run_id)
        results = results_of(self._archive, agent_id)
        estimate = results.estimate(self._benchmarks, results.search)
        self._archive.agents.set_score(
            agent_id,
            score=estimate.mean,
            lower=estimate.lower,
            upper=estimate.upper,
            vector=results.vector(self._benchmarks, results.search),
        )
        return "scored"

    def _queue(self, agent_id: str, stage: str, run_id: int) -> SeedState:
        jobs = self._archive.jobs
        job = jobs.queue("evaluate", run_id=run_id, agent_id=agent_id, stage=stage, priority=-1)
        suite = self._archive.suites.current()
        if suite is not None and (job.finished_at or suite.opened_at) < suite.opened_at:
            job = jobs.renew(job.id)
        if job.state == "done":  # and something is missing all the same: it was too slow
            error = self._too_slow(agent_id)
            delay_s = self._backoff.after(job.attempts)
            job = jobs.repeat(job.id, error, park_after=TRIES, delay_s=delay_s)
        return "set aside" if job.state == "parked" else "waiting"

    def record(self, agent_id: str, measured: Measurement) -> bool:
        """Record what was measured of an agent, as no verdict if it is of a seed that was too slow.

        Returns:
            False if there was a result that counts already.
        """
        slow = measured.verdict == "failed" and measured.cause == "timeout"
        slow = slow and measured.stage in STAGES_OF_SEEDS  # elsewhere it ends a race
        if slow and self._archive.agents.get(agent_id).status == "seed":
            measured = replace(measured, verdict="broken")
        return self._archive.evaluations.record(agent_id, measured)

    def failure(self, seed: Agent) -> Evaluation | None:
        """On what a seed agent has failed; None if it has not."""
        if seed.score is not None:
            return None
        failed = [row for row in self._archive.evaluations.known(seed.id) if self._counts(row)]
        return failed[0] if failed else None

    def _counts(self, row: Evaluation) -> bool:
        """Whether it is a failure on one of the benchmarks as they are now."""
        if row.verdict != "failed" or row.benchmark not in self._benchmarks:
            return False
        return row.version == benchmark(row.benchmark).version

    def standing(self, seed: Agent) -> SeedState:
        """Where one stands; asked for those without a score it looks at their jobs."""
        if seed.score is not None:
            return "scored"
        if self.failure(seed) is not None:
            return "failed"
        jobs = self._archive.jobs.of(agent_id=seed.id)
        return "set aside" if any(job.state == "parked" for job in jobs) else "waiting"

    def settled(self) -> bool:
        """Whether nothing more will come of the seeds for now.

        Raises:
            CambrianError: none of them works, so that there is no parent to draw.
        """
        seeds = self._archive.agents.seeds()
        if any(self.standing(seed) == "waiting" for seed in seeds):
            return False
        if all(seed.score is None for seed in seeds):
            told = "; ".join(self.why(seed) for seed in seeds)
            raise CambrianError(
                f"no seed agent works on {', '.join(self._benchmarks)}, so there is nothing to "
                f"evolve from: {told or 'there is none'}"
            )
        return True

    def why(self, seed: Agent) -> str:
        """Why a seed agent has no score, in one line."""
        row = self.failure(seed)
        if row is None:
            return f"{seed.title} was set aside until the next start ({self._too_slow(seed.id)})"
        return f"{seed.title} failed on {row.benchmark}: {first_line(row.reason)}"

    def _too_slow(self, agent_id: str) -> str:
        rows = self._archive.evaluations.of(agent_id, include_broken=True)
        slow = [row for row in rows if row.verdict == "broken" and row.reason]
        return f"{slow[-1].benchmark}: {first_line(slow[-1].reason)}" if slow else "too slow"


def first_line(text: str) -> str:
    """The first line of a reason, which goes on with a traceback."""
    lines = text.strip().splitlines()
    return lines[0][:300] if lines else "no reason given"
