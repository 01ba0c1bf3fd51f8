"""`cambrian-evaluate JOB.json`: run one evaluation job by itself.

The job is a JSON object: `benchmark`, `stage` (smoke, screen, full or sealed), `seed`, `device`
("cpu" or "cuda"), `sandbox` ("auto"), and the agent as `files` ({path: text}) or `directory`. With
`checkpoints`, a folder, a stream of many tasks that was cut goes on from its last finished one. The
result goes to standard output as one JSON object; the exit code is 0 for `scored`, 1 for
`failed` and `broken`, 2 for a job that makes no sense.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from cambrian.errors import CambrianError, NotFound, UsageError
from cambrian.evaluators.benchmarks import STAGES, benchmark
from cambrian.evaluators.checkpoints import Checkpoints, key_of
from cambrian.evaluators.job import evaluate
from cambrian.evaluators.workers.worker import FULL
from cambrian.measurement import Unit
from cambrian.pipes import private_output
from cambrian.sandbox.backends.gpu import on
from cambrian.sandbox.backends.registry import choose
from cambrian.sandbox.session.session import Session

KNOWN = {"benchmark", "stage", "seed", "device", "sandbox", "files", "directory", "checkpoints"}


def read_job(path: str) -> dict[str, Any]:
    """The job in a file (or on standard input for "-").

    Raises:
        NotFound, UsageError: no such file; not a job.
    """
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
        job = json.loads(text)
    except OSError as error:
        raise NotFound(f"cannot read the job {path}: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(f"{path} is not JSON: {error}") from None
    if not isinstance(job, dict) or set(job) - KNOWN:
        raise UsageError(f"a job is an object with the keys {', '.join(sorted(KNOWN))}")
    return job


def unit_of(job: Mapping[str, Any]) -> Unit:
    """Benchmark, stage and seed of a job, checked."""
    name, stage, seed = job.get("benchmark"), job.get("stage", "screen"), job.get("seed", 0)
    if not isinstance(name, str):
        raise UsageError("a job names its benchmark (a text)")
    benchmark(name)
    if not isinstance(stage, str) or stage not in STAGES:
        raise UsageError(f"stage is one of {', '.join(STAGES)}, not {stage!r}")
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise UsageError(f"seed is a whole number from 0, not {seed!r}")
    return Unit(name, stage, seed)


def files_of(job: Mapping[str, Any]) -> dict[str, str]:
    """The agent's source tree: given inside the job, or in a directory."""
    files = job.get("files")
    if isinstance(files, dict) and all(isinstance(text, str) for text in files.values()):
        return {str(path): text for path, text in files.items()}
    folder = Path(str(job.get("directory", "")))
    if files is not None or "directory" not in job or not folder.is_dir():
        raise UsageError("a job holds the agent as `files` ({path: text}) or as a `directory`")
    try:
        found = {
            str(path.relative_to(folder)): path.read_text(encoding="utf-8")
            for path in sorted(folder.rglob("*.py"))
        }
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{folder} holds a file that is no text: {error}") from None
    if "learner.py" not in found:
        raise UsageError(f"{folder} holds no learner.py")
    return found


def checkpoints_of(
    job: Mapping[str, Any], unit: Unit, files: Mapping[str, str]
) -> Checkpoints | None:
    """Where the job's stream is kept between its tasks, if it says so."""
    if job.get("checkpoints") is None:
        return None
    version = benchmark(unit.benchmark).version
    where = (unit.benchmark, version, unit.stage, unit.seed, str(job.get("device", "cpu")))
    return Checkpoints(Path(str(job["checkpoints"])), key_of(files, *where))


def _waiting() -> None:
    click.echo("another agent runs this benchmark with this seed; waiting for it", err=True)


@click.command(help=__doc__)
@click.argument("job", metavar="JOB.json")
def main(job: str) -> None:
    result_to = private_output()  # a benchmark may print
    try:
        given = read_job(job)
        unit, files = unit_of(given), files_of(given)
        backend = choose(
            str(given.get("sandbox", "auto")), announce=lambda text: click.echo(text, err=True)
        )
        device = str(given.get("device", "cpu"))
        with on(device, FULL) as limits, Session(backend, limits) as session:
            session.install(files)
            kept = checkpoints_of(given, unit, files)
            result = evaluate(
                session, unit, device=device, checkpoints=kept, waiting=functools.cache(_waiting)
            )
    except CambrianError as error:
        click.echo(f"cambrian-evaluate: {error}", err=True)
        sys.exit(error.exit_code)
    result_to.write(json.dumps(result.to_json()) + "\n")
    result_to.close()
    sys.exit(0 if result.verdict == "scored" else 1)
