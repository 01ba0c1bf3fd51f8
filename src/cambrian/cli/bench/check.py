"""`cambrian bench check`: is a benchmark of your own fit to be believed?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cambrian.cli.context import common, examples, json_option, sandbox_option
from cambrian.cli.render.output import note, say, show_json

if TYPE_CHECKING:
    from cambrian.evaluators.benchmarks import Benchmark
    from cambrian.evaluators.calibration import Calibration
    from cambrian.evaluators.conformance import Finding
    from cambrian.sandbox.backends.process import Backend

FAILED = 1


@click.command(
    epilog=examples(
        "cambrian bench check wine.py",
        "cambrian bench check wine.py --dry",
        "cambrian bench check split-mnist --dry",
    )
)
@click.argument("what", metavar="FILE|NAME")
@click.option(
    "--seeds",
    type=click.IntRange(min=2),
    default=3,
    show_default=True,
    metavar="N",
    help="On how many seeds floor, ceiling and costs are measured.",
)
@click.option("--dry", is_flag=True, help="Run no learner: check what is shown, measure nothing.")
@sandbox_option
@json_option
@common
@click.pass_context
def check(
    ctx: click.Context, /, what: str, seeds: int, dry: bool, sandbox: str, as_json: bool
) -> None:
    """Check the benchmark in FILE, one Python file with one class, or the one called NAME.

    First without a learner: the same seed gives the same stream, no label is shown before it may
    be, shapes are as announced, the card is whole. Then seed agents run on it in a sandbox, and
    what they score and cost is written beside FILE (NAME-VERSION.json), which makes the benchmark
    ready for `cambrian run --benchmarks FILE`. The file itself is trusted: it runs outside. A NAME
    is that of a benchmark which the settings or an installed package bring, or of one of ours
    (with --dry: those are measured already).
    """
    from cambrian.errors import UsageError
    from cambrian.evaluators import calibration, conformance, plugins
    from cambrian.evaluators.benchmarks import benchmark

    bench = benchmark(plugins.named(what))
    if not dry and not calibration.has_home(bench.name):
        raise UsageError(f"{bench.name} is measured already: only `--dry` is for it")
    found = conformance.check(bench)
    written = None
    if not dry and all(finding.kept for finding in found):
        measured, more = _measure(bench, seeds, sandbox)
        found += more
        if all(finding.kept for finding in more):
            written = calibration.keep(bench, measured)
            _measure_closer(bench, measured, sandbox)
    _show(bench, found, written, as_json=as_json)
    if not all(finding.kept for finding in found):
        ctx.exit(FAILED)


def _show(bench: Benchmark, found: list[Finding], written: Path | None, *, as_json: bool) -> None:
    if as_json:
        rows = [vars(finding) for finding in found]
        show_json({"name": bench.name, "findings": rows, "calibration": written and str(written)})
        return
    for finding in found:
        say(f"{'ok  ' if finding.kept else 'FAIL'} {finding.promise}")
        if finding.said:
            say(f"       {finding.said}")
    if written is not None:
        say(f"floor, ceiling and costs are in {written}")


def _measure(bench: Benchmark, seeds: int, sandbox: str) -> tuple[Calibration, list[Finding]]:
    """Floor, ceiling and costs by the seed agents that the benchmark names."""
    from cambrian.errors import UsageError
    from cambrian.evaluators import calibration, conformance
    from cambrian.sandbox.backends.registry import choose

    wanted = bench.bounds
    if wanted.ceiling in ("joint", "apart"):
        raise UsageError(
            f"{bench.name}: expected bounds with the name of a seed agent as the ceiling: "
            'bounds = Bounds(floor="finetune", ceiling="replay", oracle=...)'
        )
    backend = choose(sandbox, announce=note)
    bottom = "finetune" if wanted.floor == "rates" else wanted.floor
    floor = means(backend, bottom, bench, "full", seeds)
    ceiling = means(backend, wanted.ceiling, wanted.oracle or bench, "full", seeds)
    costs = means(backend, bench.reference, bench, "full", seeds)
    smoke = means(backend, bottom, bench, "smoke", 1)
    on = "the stream without what is hidden" if wanted.oracle else "the same stream"
    measured = calibration.Calibration(
        floor=round(floor.raw, 5),
        ceiling=round(ceiling.raw, 5),
        flops=round(costs.flops),
        state_bytes=round(costs.state_bytes),
        cpu_s=round(costs.cpu_s, 2),
        details={
            "floor": f"the {bottom} seed agent",
            "ceiling": f"the {wanted.ceiling} seed agent on {on}",
            "reference": bench.reference,
            "seeds": seeds,
        },
    )
    return measured, conformance.check_measured(floor, ceiling, smoke)


def _measure_closer(bench: Benchmark, measured: Calibration, sandbox: str) -> None:
    """A stream of tasks can be probed after every batch, too: with the same ends, at a cost that
    one seed tells."""
    from cambrian.evaluators import calibration
    from cambrian.evaluators.protocols.tasks import TaskStream
    from cambrian.sandbox.backends.registry import choose

    if not isinstance(bench, TaskStream):
        return
    closer = bench.each_batch()
    found = means(choose(sandbox, announce=note), bench.reference, closer, "full", 1)
    costs = {"flops": round(found.flops), "state_bytes": round(found.state_bytes)}
    calibration.keep(closer, replace(measured, **costs, cpu_s=round(found.cpu_s, 2)))


def means(backend: Backend, agent: str, bench: Benchmark, stage: str, seeds: int) -> Any:
    """What a seed agent scores and costs on a stage, as means over seeds.

    Raises:
        Refused: it failed. SandboxBroken: the sandbox did.
    """
    import numpy as np

    from cambrian.agents.seeds import load_seed
    from cambrian.errors import Refused
    from cambrian.evaluators.conformance import Measured
    from cambrian.evaluators.job import drive
    from cambrian.measurement import Unit
    from cambrian.sandbox.session.failures import LearnerFailed
    from cambrian.sandbox.session.session import Session

    note(f"{agent} on {bench.name}, stage {stage}, {seeds} seed{'s' * (seeds > 1)}")
    rows = []
    with Session(backend) as session:
        session.install(load_seed(agent))
        for seed in range(seeds):
            stream = replace(bench.stream_of(stage, seed), flops=1 << 60, memory_bytes=1 << 40)
            try:
                with session.job() as channel:
                    outcome, cost = drive(channel, bench, stream, Unit(bench.name, stage, seed))
            except LearnerFailed as failure:
                raise Refused(f"the {agent} seed agent failed on it: {failure}") from None
            cpu_s = session.report.cpu_s if session.report else 0.0
            rows.append((outcome.raw, cost.flops, cost.state_bytes, cpu_s))
    return Measured(*(float(mean) for mean in np.mean(rows, axis=0)))
