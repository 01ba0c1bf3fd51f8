"""Recombination in a process of its own, limited in time, memory and files.

Threat model: parents may be code made to stall or crash a parser. Covered: endless parsing, memory,
deep recursion, crashes of the interpreter. Not needed: nothing of the parents is ever run.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from cambrian import places
from cambrian.agents.edits import Edit, EditError
from cambrian.agents.recombine import NOTHING, Learned, Proposal
from cambrian.agents.tree import SourceTree

MAX_OUTPUT = 4 << 20


def recombine_in_subprocess(
    parents: Sequence[SourceTree],
    seed: str | int,
    *,
    weights: Mapping[str, float] | None = None,
    learned: Learned = NOTHING,
    timeout_s: float = 20.0,
) -> Proposal:
    """`recombine(parents, None, random.Random(seed), weights, learned)`, in a limited subprocess.

    Raises:
        EditError: as `recombine_in_a_row` does.
    """
    return recombine_in_a_row(
        parents, [seed], weights=weights, learned=learned, timeout_s=timeout_s
    )[0]


def recombine_in_a_row(
    parents: Sequence[SourceTree],
    seeds: Sequence[str | int],
    *,
    weights: Mapping[str, float] | None = None,
    learned: Learned = NOTHING,
    timeout_s: float = 20.0,
    apart: bool = False,
) -> list[Proposal]:
    """Recombinations one after the other, one for each seed, in one limited subprocess: the first
    of the parents, each further one of what came of the one before; `apart`, each of the parents
    (and a seed that gives none is left out).

    Raises:
        EditError: the parents cannot be recombined, or the process failed or took too long.
    """
    trees = [dict(parent) for parent in parents]
    told = {"parents": trees, "seeds": list(seeds), "weights": dict(weights or {})}
    request = json.dumps(told | {"learned": learned.to_json(), "apart": apart})
    process = subprocess.Popen(
        [sys.executable, "-s", "-P", "-m", "cambrian.agents.recombine", str(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PYTHONPATH": _import_root(), "PYTHONHASHSEED": "0"},
        cwd="/",
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(request.encode(), timeout=timeout_s)
    except subprocess.TimeoutExpired:
        raise EditError(f"recombine: expected an answer within {timeout_s} s; got none") from None
    finally:
        _end(process)
    return _read(process.returncode, output, errors)


def _import_root() -> str:
    """The folder that holds this very copy of the package."""
    return str(places.PACKAGE.resolve().parent)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the whole group (nothing of it may outlive the call) and reap it."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    with process:
        pass


def _read(code: int, output: bytes, errors: bytes) -> list[Proposal]:
    answer = _parsed(output)
    if code == 0 and answer is not None and answer.get("made"):
        return [
            Proposal(Edit.from_json(made["edit"]), dict(made["operation"]))
            for made in answer["made"]
        ]
    if answer is not None and "error" in answer:
        raise EditError(str(answer["error"])[:2000])
    last = errors.decode(errors="replace").strip().splitlines()[-1:] or ["nothing on stderr"]
    raise EditError(f"recombine: the process ended with {code}: {last[0][:500]}")


def _parsed(output: bytes) -> dict[str, Any] | None:
    if len(output) > MAX_OUTPUT:
        return None
    try:
        answer = json.loads(output)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None
