"""What agents are judged by, suite by suite, and the best in each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cambrian.reports.times import when

if TYPE_CHECKING:
    from cambrian.archive import Archive
    from cambrian.archive.suites import KeptSuite


def suites(archive: Archive) -> list[dict[str, Any]]:
    """Every suite of an archive, the first one first, with the best agent in it."""
    return [_suite(archive, kept) for kept in archive.suites.all()]


def _suite(archive: Archive, kept: KeptSuite) -> dict[str, Any]:
    best = archive.suites.leaderboard(kept.id, 1)
    return {
        "hash": kept.suite.hash,
        "name": kept.suite.name,
        "benchmarks": [vars(entry) for entry in kept.suite.entries],
        "seeds": kept.suite.seeds,
        "current": kept.current,
        "created_at": when(kept.created_at),
        "opened_at": when(kept.opened_at),
        "scored": archive.suites.scored(kept.id),
        "champion": best[0] if best else None,
    }


def find(archive: Archive, reference: str | None) -> KeptSuite:
    """The suite of a name or the first digits of a hash; the current one where none is named.

    Raises:
        NotFound: there is none. UsageError: the name may be several.
    """
    from cambrian.errors import NotFound

    kept = archive.suites.current() if reference is None else archive.suites.resolve(reference)
    if kept is None:
        raise NotFound("no suite was opened here yet: `cambrian run` opens one")
    return kept


def leaderboard(
    archive: Archive, reference: str | None, limit: int | None = None
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A suite, and its members, the best lower bound first.

    Raises:
        NotFound, UsageError: as `find` does.
    """
    kept = find(archive, reference)
    return _suite(archive, kept), archive.suites.leaderboard(kept.id, limit)


def aggregates(archive: Archive, reference: str | None) -> dict[str, Any] | None:
    """What the scores of a suite's best agent come to, whichever way they are put together: the
    weighted mean, the interquartile mean with its interval, the worst benchmarks
    (`statistics.suite.suite_score`); None without one.

    Raises:
        NotFound, UsageError: as `find` does.
    """
    kept = find(archive, reference)
    best = archive.suites.leaderboard(kept.id, 1)
    if not best:
        return None
    # Imported late: the intervals need SciPy, which takes more than a second to import.
    from cambrian.evaluators.statistics.suite import suite_score
    from cambrian.reports.run import estimate_json
    from cambrian.reports.scores.table import searched

    table = searched(archive, str(best[0]["id"]), kept.suite).table
    scores = {name: [row[seed] for seed in sorted(row)] for name, row in table.items()}
    found = suite_score(scores, kept.suite.weights)
    return {
        "agent": best[0]["id"],
        "mean": found.mean,
        "interquartile_mean": estimate_json(found.middle),
        "worst": dict(found.worst),
        "failed": list(found.failed),
    }


def gaps(archive: Archive, reference: str | None) -> dict[str, Any] | None:
    """Search minus sealed by the members of a suite (`reports.scores.gaps`); None where sealed data
    was not used.

    Raises:
        NotFound, UsageError: as `find` does.
    """
    kept = find(archive, reference)
    if not archive.evaluations.sealed_agents():
        return None
    # Imported late: the intervals need SciPy, which takes more than a second to import.
    from cambrian.reports.scores.gaps import gap_report

    found = gap_report(archive, kept)
    return None if found is None else found.to_json()
