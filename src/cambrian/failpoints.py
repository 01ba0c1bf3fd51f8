"""Fail points: a name for every step between two durable writes, so that a test can die there.

`reach("job.leased")` does nothing unless the environment says otherwise when this module is
first imported:

- `CAMBRIAN_FAIL_POINT=NAME` (or `NAME:3`): the process kills itself with SIGKILL when the point
  is reached (for the third time), as a machine does that loses its power;
- `CAMBRIAN_FAIL_POINTS_SEEN=FILE`: the names that were reached are appended to the file.

`POINTS` has every name with what is durable at that moment; reaching another name is an error, and
a test fails for each point that a run never reaches or does not survive.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

POINTS: dict[str, str] = {
    "archive.made": "an empty archive; no seed agent yet",
    "seed.added": "some of the seed agents",
    "run.started": "the run, and nothing that it did",
    "run.ended": "everything, and that the run has ended",
    "proposal.opened": "a proposal with its parents, no variant",
    "question.reserved": "what a question to a model may cost at most; it was not asked",
    "answer.received": "the same: the answer was paid for and is not recorded",
    "answer.recorded": "the answer and its price; nothing was made of it",
    "trial.done": "nothing of a trial that was just made",
    "trial.recorded": "what came of a trial; nothing was made of it",
    "variant.made": "nothing of the variant that was made",
    "variant.inside": "nothing: half way through recording a variant",
    "variant.recorded": "the variant and its first job",
    "job.leased": "a lease that is no longer held",
    "evaluation.judged": "nothing of the evaluation that was just made",
    "evaluation.recorded": "one evaluation of several, the job still leased",
    "improver.judged": "nothing of an improver's check",
    "improver.recorded": "the check, the job still leased",
    "job.carried_out": "every result of a job that still counts as leased",
    "job.inside": "nothing: half way through completing a job",
    "job.completed": "the job's end, the next stage's job or the decision, and the next lease",
    "job.released": "that an attempt broke",
    "approval.asked": "that a person is asked; no answer",
    "approval.answered": "the answer; no decision",
    "decision.inside": "nothing: half way through a decision",
    "proposal.decided": "the decision; the lineage is behind",
    "lineage.written": "commits without refs or a map",
    "lineage.pointed": "commits and refs without the map",
    "intent.recorded": "what a person asked for; not carried out",
    "intent.carried_out": "that it was carried out, and its effect",
    "sealing.opened": "what is to be sealed, and nothing of it",
    "sealing.recorded": "some of the sealed results",
    "wall.counted": "the wall time of a stretch",
}

_armed = ""
_left = 0
_seen: Path | None = None
_known: set[str] = set()


def reach(name: str) -> None:
    """Say that this point was reached.

    Raises:
        KeyError: no point has this name.
    """
    if not _armed and _seen is None:
        return
    _reached(name)


def _reached(name: str) -> None:
    global _left
    if name not in POINTS:
        raise KeyError(f"expected a fail point of cambrian.failpoints, got {name!r}")
    if _seen is not None and name not in _known:
        _known.add(name)
        with _seen.open("a", encoding="utf-8") as log:
            log.write(name + "\n")
    if name == _armed:
        _left -= 1
        if _left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def arm(point: str, seen: Path | None = None) -> None:
    """Die at this point (`NAME` or `NAME:COUNT`; "" at none), and note what is reached.

    Raises:
        KeyError: no point has this name.
    """
    global _armed, _left, _seen
    name, _, count = point.partition(":")
    if name and name not in POINTS:
        raise KeyError(f"expected a fail point of cambrian.failpoints, got {name!r}")
    _armed, _left, _seen = name, int(count or 1), seen
    _known.clear()


_file = os.environ.get("CAMBRIAN_FAIL_POINTS_SEEN")
arm(os.environ.get("CAMBRIAN_FAIL_POINT", ""), Path(_file) if _file else None)
