"""kill -9 at random moments over a long run: is the archive in the end that of a run left alone?

    python benchmarks/kills.py [--kills 200] [--sandbox none|docker|bubblewrap] [--json FILE]

With `--sandbox none` (the default) workers and the model are instant, everything else is real, and
a run is a fork that is killed with its whole process group. With a real sandbox the runs are those
of `cambrian run` with real learners on one benchmark, and what they leave running is looked for.

Exit code 0 if every count is exact, the archives are equal and nothing is left; else 1.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import itertools
import json
import os
import random
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from _table import Figure, report

from cambrian.archive import Archive
from cambrian.daemon import socket, supervisor
from cambrian.daemon.service import Options
from cambrian.errors import CambrianError
from cambrian.evolution.settings import Settings
from cambrian.sandbox.backends.owner import PREFIX
from cambrian.testing import forked_runs
from cambrian.testing.instant_run import picture

PER_KILL_S = 0.4
"""How long a run goes on, on the average, before it is killed."""
WORK_S = 0.01
SETTLED_S = 30.0
BREAKS_EVERY = 8
"""The instant sandbox breaks once in one life of so many: broken five times, a variant is parked,
and rightly so, which a run left alone has no cause for."""


def instant(home: Path, settings: Settings, delay_s: float) -> None:
    """A run whose evaluations take `delay_s` each."""
    if forked_runs.finished(home):
        return
    make_worker = functools.partial(forked_runs.InstantImprover, before=lambda _: delay_s)
    options = Options(make_worker=make_worker, model=forked_runs.InstantModel())
    supervisor.run(home, settings, lambda _: None, options=options)


def real(home: Path, settings: Settings) -> None:
    """A run with real learners in real sandboxes."""
    if not forked_runs.finished(home):
        supervisor.run(home, settings, lambda _: None)


def disturb(
    work: Callable[[], None], home: Path, kills: int, chance: random.Random, longest_s: float
) -> tuple[int, int]:
    """Kill it so many times, and let it end; kills done, and the exit code of the end.

    One kill in eight comes at any time of the start; the others come once the process listens,
    after a random while: however busy the machine is, most lives get somewhere.
    """
    done = 0
    while done < kills:
        forked_runs.InstantImprover.broke = done % BREAKS_EVERY != 0
        child = forked_runs.start(work)
        listening = chance.random() < 0.125
        end = time.monotonic() + chance.uniform(0.0, longest_s)
        while not listening or time.monotonic() < end:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return done, os.waitstatus_to_exitcode(status)
            if not listening and _listens(home, child):
                listening, end = True, time.monotonic() + chance.uniform(0.0, longest_s)
            time.sleep(0.005)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        done += 1
    return done, forked_runs.forked(work)


def _listens(home: Path, pid: int) -> bool:
    """Whether the process has got as far as holding the archive and listening."""
    if not home.is_dir():
        return False
    try:
        status = socket.ask(home, "status", patience_s=1.0)["data"]
    except CambrianError:
        return False
    return bool(status["pid"] == pid)


def left_running(sandbox: str, folder: Path) -> list[str]:
    """Containers, worker processes and session folders of runs whose TMPDIR is this folder;
    containers only where the sandbox makes them."""
    found = []
    for one in _containers() if sandbox == "docker" else []:
        places = [Path(str(mount.get("Source"))) for mount in one["Mounts"]]
        if any(place.is_relative_to(folder) for place in places):
            found.append(f"container {one['Id'][:12]}")
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                command = (entry / "cmdline").read_bytes()
                around = (entry / "environ").read_bytes().split(b"\0")
                if (
                    b"cambrian.evaluators.workers.worker" in command
                    and f"TMPDIR={folder}".encode() in around
                ):
                    found.append(f"process {entry.name}")
    return sorted([*found, *(f"folder {path.name}" for path in folder.glob(f"{PREFIX}*"))])


def _containers() -> list[dict[str, Any]]:
    """All of the engine's, as it describes them; some may go while it is asked."""
    ask = functools.partial(subprocess.run, capture_output=True, text=True, timeout=30)
    listed = ask(["docker", "ps", "--all", "--quiet", "--no-trunc"], check=True).stdout.split()
    if not listed:
        return []
    found: list[dict[str, Any]] = json.loads(ask(["docker", "inspect", *listed]).stdout or "[]")
    return found


def settled(sandbox: str, folder: Path) -> list[str]:
    """What is left once nothing ends any more of itself: the engine removes in the background."""
    end = time.monotonic() + SETTLED_S
    while (left := left_running(sandbox, folder)) and time.monotonic() < end:
        time.sleep(1)
    return left


def differences(found: Mapping[str, Any], expected: Mapping[str, Any]) -> dict[str, Any]:
    """By table, the first thing that differs: as it is, and as it should be."""
    differs = {}
    for name, right in expected.items():
        if found[name] == right:
            continue
        both = (
            (found[name].items(), right.items())
            if isinstance(right, dict)
            else (found[name], right)
        )
        pairs = itertools.zip_longest(*both)
        differs[name] = next(pair for pair in pairs if pair[0] != pair[1])
    return differs


def counts(home: Path) -> dict[str, int]:
    """What must be exact: results, meters and answers, each once."""
    with Archive.open(home, read_only=True) as archive:
        value = archive.database.value
        run = archive.runs.last()
        meters = archive.steering.meters(run.id if run else 0)
        found = archive.counts()
        made = sum(found[f"evaluations_{verdict}"] for verdict in ("scored", "failed", "broken"))
        return {
            "evaluations": made,
            "evaluations broken": found["evaluations_broken"],
            "evaluations metered": int(meters.get("evaluations", 0)),
            "evaluations twice": value(
                "SELECT count(*) FROM (SELECT 1 FROM evaluations WHERE verdict <> 'broken' "
                "GROUP BY agent_id, benchmark, version, stage, seed HAVING count(*) > 1)"
            ),
            "answers": value("SELECT count(*) FROM answers"),
            "answers paid": value("SELECT count(*) FROM spend WHERE estimated = 0"),
            "leases": archive.jobs.counts()["leased"],
            "cut off": value("SELECT count(*) FROM spend WHERE estimated = 1"),
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--quick", action="store_true", help="20 kills")
    parser.add_argument("--sandbox", default="none", choices=["none", "docker", "bubblewrap"])
    parser.add_argument("--proposals", type=int, help="of the run [default: enough for the kills]")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args()
    kills = 20 if given.quick else given.kills
    chance = random.Random(given.seed)
    if given.sandbox == "none":
        settings = forked_runs.settings(given.proposals or 3 * kills)
        work = functools.partial(instant, settings=settings, delay_s=WORK_S)
        alone = functools.partial(instant, settings=settings, delay_s=0.0)
        longest_s = 2 * PER_KILL_S
    else:
        settings = Settings(
            seed=3,
            proposals=given.proposals or max(kills // 2, 3),
            workers=2,
            benchmarks=("label-drift",),
            sandbox=given.sandbox,
        )
        work = alone = functools.partial(real, settings=settings)
        longest_s = 15.0
    with tempfile.TemporaryDirectory() as scratch:
        here = Path(scratch)
        sessions = here / "tmp"
        sessions.mkdir()
        os.environ["TMPDIR"] = tempfile.tempdir = str(sessions)
        assert forked_runs.forked(functools.partial(alone, here / "alone")) == 0
        began = time.monotonic()
        killed = here / "killed"
        done, code = disturb(functools.partial(work, killed), killed, kills, chance, longest_s)
        took = time.monotonic() - began
        left = settled(given.sandbox, sessions)
        differs = differences(picture(killed), picture(here / "alone"))
        problems = forked_runs.sound(killed)
        exact = counts(killed)
    facts: dict[str, Any] = {
        "sandbox": given.sandbox,
        "proposals": settings.proposals,
        "seconds": took,
        "differs_in": differs,
        "left_running": left,
        "problems": problems,
        **exact,
    }
    print(json.dumps(facts))
    figures = [
        Figure("kills", done, target=kills, at_least=True),
        Figure("exit code of the last start", code, target=0),
        Figure("tables that differ from a run left alone", len(differs), target=0),
        Figure("problems that db check finds", len(problems), target=0),
        Figure("evaluations counted twice", exact["evaluations twice"], target=0),
        Figure(
            "evaluations not metered exactly",
            abs(exact["evaluations"] - exact["evaluations metered"]),
            target=0,
        ),
        Figure(
            "answers paid twice or not at all",
            abs(exact["answers"] - exact["answers paid"]),
            target=0,
        ),
        Figure("leases left", exact["leases"], target=0),
        Figure("containers, processes and folders left", len(left), target=0),
    ]
    if given.json:
        rows = [{**vars(figure), "met": figure.met} for figure in figures]
        given.json.write_text(json.dumps({"figures": rows, **facts}, indent=2) + "\n")
    return report(f"kill -9, sandbox {given.sandbox}", figures)


if __name__ == "__main__":
    raise SystemExit(main())
