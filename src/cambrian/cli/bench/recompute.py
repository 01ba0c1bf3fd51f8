"""`cambrian bench recompute`: the figures of recorded answers, worked out again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from cambrian.cli.agent.recorded import named, picking
from cambrian.cli.context import Shared, common, examples, json_option
from cambrian.cli.render.output import say, show_json
from cambrian.cli.render.text import line
from cambrian.reports.agent.recorded import Picked

if TYPE_CHECKING:
    from cambrian.archive import Archive
    from cambrian.archive import Evaluation as Recorded

CLAIMED = "claimed_"
"""Begins the names of figures that a learner's process told of itself: no answers give them."""


@click.command(
    epilog=examples(
        "cambrian bench recompute @best",
        "cambrian bench recompute 3fa9c1 --benchmark split-mnist --stage full --seed 2",
    )
)
@picking
@json_option
@common
@click.pass_context
def recompute(ctx: click.Context, /, as_json: bool, **picked: Any) -> None:
    """Recompute every metric from the recorded answers of the agent ID, without running it.

    The answers (one label for each input asked about) are kept with each evaluation; the true
    ones are made again from the benchmark's seed. Says "the same" where raw score and every
    recorded metric come out as recorded, and shows metrics that were not known then. Exit code 0
    if all are the same, else 1.
    """
    shared = ctx.ensure_object(Shared)
    with shared.reading() as archive:
        agent, rows = Picked(**picked).of(archive)
        found = [again(archive, row) for row in rows if row.verdict == "scored"]
    if as_json:
        show_json({"id": agent.id, "items": found, "truncated": False})
    else:
        for one in found:
            _show(one)
    if not all(one["same"] for one in found):
        ctx.exit(1)


def again(archive: Archive, row: Recorded) -> dict[str, Any]:
    """A recorded evaluation's metrics, recorded and worked out now.

    Raises:
        UsageError: its answers were not kept, or are not those of the benchmark as it is now.
    """
    from cambrian.errors import UsageError
    from cambrian.evaluators.benchmarks import benchmark
    from cambrian.evaluators.transcript import recompute as work_out

    bench = benchmark(row.benchmark)
    if bench.version != row.version:
        raise UsageError(
            f"{bench.name} is at version {bench.version}, the answers were given to {row.version}"
        )
    answers = archive.evaluations.predictions(row.id, sealed=row.stage == "sealed")
    outcome = work_out(bench, row.stage, row.seed, answers)
    kept = {n: v for n, v in row.metrics.items() if not n.startswith(CLAIMED)}
    before = {"raw": row.raw, **kept}
    now = {"raw": outcome.raw, **outcome.metrics}
    differs = {
        name: {"recorded": value, "now": now.get(name)}
        for name, value in before.items()
        if now.get(name) != value
    }
    return {
        "benchmark": row.benchmark,
        "stage": row.stage,
        "seed": row.seed,
        "same": not differs,
        "differs": differs,
        "metrics": now,
        "new": sorted(set(now) - set(before)),
    }


def _show(found: Mapping[str, Any]) -> None:
    say(f"{'the same' if found['same'] else 'differs'}: {named(found)}")
    for name, pair in found["differs"].items():
        say(f"    {line(name)}: recorded {pair['recorded']}, now {pair['now']}")
    for name in found["new"]:
        say(f"    {line(name)}: {found['metrics'][name]:.4f} (not recorded)")
