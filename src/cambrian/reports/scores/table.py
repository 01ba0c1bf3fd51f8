"""An agent's scores as a suite has them: by benchmark and seed, at the suite's own versions.

What another version of a benchmark scored is left out, whatever the present one is: scores of two
epochs are never compared. Sealed scores are read for people only; nothing here decides anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cambrian.archive import Archive
from cambrian.evaluators.stages import STAGES
from cambrian.suite import Entry, Suite

COUNTED = ("screen", "full")
"""What a score is made of; the seeds of a race tell a pair apart only."""
SEARCH = (*STAGES["screen"], *STAGES["full"])
SEALED = STAGES["sealed"]


@dataclass(frozen=True)
class Scores:
    """Scores of one agent on some benchmarks, in the search or on sealed data.

    Attributes:
        table: by benchmark, in the order of the suite, then by seed.
        failures: "benchmark, seed N: reason" of each failed run; untrusted text.
        failed: the benchmarks of these.
    """

    table: Mapping[str, Mapping[int, float]]
    failures: tuple[str, ...]
    failed: tuple[str, ...]

    def seeds(self, benchmarks: Iterable[str]) -> list[int]:
        """The seeds with a score on every one of the benchmarks, in order."""
        found = [set(self.table.get(name, ())) for name in benchmarks]
        return sorted(set.intersection(*found)) if found else []

    def means(self, weights: Mapping[str, float], seeds: Iterable[int]) -> list[float]:
        """For each seed, the weighted mean over the benchmarks of `weights`.

        Raises:
            KeyError: one of them was not run.
        """
        total = sum(weights.values())
        return [
            sum(weight * self.table[name][seed] for name, weight in weights.items()) / total
            for seed in seeds
        ]


def searched(archive: Archive, agent_id: str, suite: Suite) -> Scores:
    """An agent's scores in the search, on the benchmarks and the seeds of a suite."""
    return _read(archive, agent_id, suite.entries, seeds_of(suite), sealed=False)


def sealed(archive: Archive, agent_id: str, entries: Sequence[Entry]) -> Scores:
    """An agent's scores on sealed data, as far as that was used for it."""
    return _read(archive, agent_id, entries, SEALED, sealed=True)


def seeds_of(suite: Suite) -> tuple[int, ...]:
    """The seeds with which a suite runs its benchmarks."""
    return SEARCH[: suite.seeds]


def _read(
    archive: Archive,
    agent_id: str,
    entries: Sequence[Entry],
    seeds: Sequence[int],
    *,
    sealed: bool,
) -> Scores:
    wanted = {(entry.benchmark, entry.version) for entry in entries}
    table: dict[str, dict[int, float]] = {entry.benchmark: {} for entry in entries}
    failures, failed = [], set()
    for row in archive.evaluations.of(agent_id, sealed=sealed):
        if (row.benchmark, row.version) not in wanted or row.seed not in seeds:
            continue
        if not (sealed or row.stage in COUNTED):
            continue
        if row.verdict == "failed":
            failures.append(f"{row.benchmark}, seed {row.seed}: {row.reason}")
            failed.add(row.benchmark)
        elif row.score is not None:
            table[row.benchmark][row.seed] = row.score
    return Scores(table, tuple(failures), tuple(sorted(failed)))


def unseen_of(suite: Suite) -> tuple[Entry, ...]:
    """The streams that go with a suite and that no search of it sees, at their present versions:
    the sealed families of a named suite, else all that a sealed run on its benchmarks uses."""
    from cambrian.evaluators.benchmarks import benchmark, sealed_names
    from cambrian.evaluators.suites import sealed_part, suite_names

    known = suite.name in suite_names()
    names = sealed_part(suite.name) if known else sealed_names(suite.benchmarks)
    unseen = (name for name in names if name not in suite.benchmarks)
    return tuple(Entry(name, benchmark(name).version) for name in unseen)
