"""`python -m cambrian.agents.recombine`: parents and seeds as JSON in, proposals as JSON out.

Parents are untrusted code. They are only parsed, in this process, which limits itself
first: a parser that runs away is stopped by the kernel, and so is one whose parent has ended.
"""

from __future__ import annotations

import json
import random
import resource
import sys
from typing import Any

from cambrian.agents.edits import EditError, apply
from cambrian.agents.recombine import Learned, recombine
from cambrian.agents.tree import SourceTree
from cambrian.errors import UsageError
from cambrian.pipes import end_with_parent, private_output

CPU_SECONDS = 15
ADDRESS_SPACE = 1 << 30
MAX_INPUT = 4 << 20


def main() -> int:
    """Exit code 0 with {"made": [...]}, 2 with {"error": ...} where the parents are at fault."""
    end_with_parent(int(sys.argv[1]) if sys.argv[1:] else None)
    answer_to = private_output()
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        request = json.loads(sys.stdin.buffer.read(MAX_INPUT))
        parents = [SourceTree(files) for files in request["parents"]]
        make = _apart if request.get("apart") else _in_a_row
        answer: dict[str, object] = {"made": make(parents, request)}
        code = 0
    except (UsageError, RecursionError, MemoryError) as error:
        answer, code = {"error": str(error) or type(error).__name__}, UsageError.exit_code
    with answer_to:
        answer_to.write(json.dumps(answer))
    return code


def _in_a_row(parents: list[SourceTree], request: dict[str, Any]) -> list[dict[str, Any]]:
    made = []
    learned = Learned(**request.get("learned", {}))
    for seed in request["seeds"]:
        chance = random.Random(seed)  # noqa: S311
        proposal = recombine(parents, None, chance, request.get("weights"), learned)
        made.append(proposal.to_json())
        parents = [apply(parents[0], proposal.edit)]
    return made


def _apart(parents: list[SourceTree], request: dict[str, Any]) -> list[dict[str, Any]]:
    """One recombination of the same parents for each seed; a seed that gives none is left out."""
    made, failure = [], ""
    learned = Learned(**request.get("learned", {}))
    for seed in request["seeds"]:
        chance = random.Random(seed)  # noqa: S311
        try:
            proposal = recombine(parents, None, chance, request.get("weights"), learned)
        except EditError as error:
            failure = str(error)
            continue
        made.append(proposal.to_json())
    if not made:
        raise EditError(failure)
    return made


if __name__ == "__main__":
    sys.exit(main())
