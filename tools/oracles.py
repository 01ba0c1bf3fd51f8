#!/usr/bin/env python3
"""Ask our peers' own code for figures that our tests are held against.

    tools/oracles.py [avalanche] [rliable] [--l2metrics CHECKOUT]

Makes an environment of its own for each peer (in the user's cache; minutes and about a gigabyte
for Avalanche), runs a program of benchmarks/peers/ there, and writes tests/evaluators/oracles/
NAME.json, which says where its figures come from. The ordinary tests read those files alone.
Without arguments: avalanche and rliable. Exit codes: 0 all written, 1 a peer could not be asked.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HERE / "benchmarks"))

from peers.environment import NoEnvironment, run  # noqa: E402

TARGET = HERE / "tests/evaluators/oracles"
PROGRAMS = {"avalanche": "avalanche_metrics.py", "rliable": "rliable_figures.py"}


def write(name: str, text: str) -> None:
    path = TARGET / f"{name}.json"
    path.write_text(json.dumps(json.loads(text)) + "\n", encoding="utf-8")
    print(f"{path.relative_to(HERE)}: {json.loads(text)['source']}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peers", nargs="*", choices=[*PROGRAMS, []], metavar="PEER")
    parser.add_argument("--l2metrics", type=Path, metavar="CHECKOUT")
    given = parser.parse_args()
    failed = False
    peers = given.peers or ([] if given.l2metrics else list(PROGRAMS))
    asked: list[tuple[str, str, str, list[str]]] = [
        (peer, peer, PROGRAMS[peer], []) for peer in peers
    ]
    if given.l2metrics:  # it needs pandas, which rliable's environment has
        asked.append(
            ("l2metrics", "rliable", "l2metrics_example.py", [str(given.l2metrics.resolve())])
        )
    for name, peer, program, arguments in asked:
        try:
            write(name, run(peer, program, arguments))
        except NoEnvironment as error:
            print(f"{name}: {error}", file=sys.stderr)
            failed = True
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
