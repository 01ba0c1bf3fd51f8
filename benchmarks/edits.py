"""How many answers of models become the edit that was meant, over formats and faults.

    python benchmarks/edits.py [--quick] [--json FILE]

The corpus (`_answers.py`) is every format with every fault. An answer counts if the agent that
comes of it is the one that was meant, up to blanks at line ends: of the answer alone (`at once`),
or of it and one more answer in which a model gives what it is asked for (`with one repair`; one
that was cut off is cut at the same length again). Beside it: the reader that older agents carry
(`before`), and a regular expression for SEARCH/REPLACE blocks, as other systems of this kind have.
`wrong` counts agents that were made and are not what was meant. `--quick`: four of the faults.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anyio
from _answers import CHANGES, CUT, FAULTS, FORMATS, PARENT, Case, changed, corpus, written
from _table import Figure, report
from before.matching import find_once
from before.reading import read_answer as read_before

from cambrian.agents.answers import read_answer
from cambrian.agents.tree import SourceTree
from cambrian.errors import InvalidAgent
from cambrian.evolution.models.reasoning import answer_of
from cambrian.evolution.rewriting.mending import begin
from cambrian.evolution.rewriting.rewriting import NoVariant, by_model

QUICK = ("none", CUT, "CRLF", "smart quotes")
REGEX = re.compile(r"<{7} SEARCH\n(.*?)={7}\n(.*?)>{7} REPLACE", re.S)
TREE = SourceTree(PARENT)
Files = Mapping[str, str]
Reader = Callable[[str], Files | None]


def at_once(text: str) -> Files | None:
    """The agent of an answer alone, as of now."""
    return begin(TREE, read_answer(answer_of(text))).tree


def before(text: str) -> Files | None:
    """The same by the reader of before."""
    edit = read_before(answer_of(text))
    files: dict[str, str] = dict(PARENT)
    if edit.get("problem") or not (edit["files"] or edit["blocks"]):
        return None
    files |= edit["files"]
    try:
        for block in edit["blocks"]:
            start, end = find_once(files[block["path"]], block["search"], "", ValueError)
            old = files[block["path"]]
            files[block["path"]] = old[:start] + block["replace"] + old[end:]
        return SourceTree(files)
    except (InvalidAgent, KeyError, ValueError):
        return None


def by_regex(text: str) -> Files | None:
    """SEARCH/REPLACE blocks by a regular expression, made in whichever file has them."""
    files = dict(PARENT)
    for old, new in REGEX.findall(text):
        path = next((path for path, text in files.items() if old in text), None)
        if path is None:
            return None
        files[path] = files[path].replace(old, new, 1)
    try:
        return None if files == PARENT else SourceTree(files)
    except InvalidAgent:
        return None


def repaired(case: Case) -> Files | None:
    """The agent of an answer and one more, by a model that gives what is still missing."""
    most = len(case.text) if case.fault == CUT else sys.maxsize
    answers = iter([case.text])

    async def improve(evidence: Mapping[str, Any]) -> dict[str, Any]:
        text = next(answers, None)
        if text is None:
            code, whole = evidence["code"], changed()
            rest = tuple(one for one in CHANGES if one[2] not in code.get(one[0], ""))
            text = written(case.format, "none", rest or CHANGES)[:most]
            assert any(code.get(path) != whole[path] for path in whole)
        return read_answer(answer_of(text))

    async def both() -> Files:
        return (await by_model(TREE, {"code": dict(TREE)}, improve)).tree

    try:
        return anyio.run(both)
    except NoVariant:
        return None


def is_meant(case: Case, files: Files | None) -> bool:
    """Whether it is the agent that was meant, up to blanks at line ends."""

    def bare(tree: Files) -> dict[str, list[str]]:
        return {path: [row.rstrip() for row in text.split("\n")] for path, text in tree.items()}

    return files is not None and bare(files) == bare(case.meant)


def measure(cases: list[Case]) -> dict[str, Any]:
    """Of each reader how many answers came right, in all and by fault, and how many wrong."""
    readers: dict[str, Callable[[Case], Files | None]] = {
        "at once": lambda case: at_once(case.text),
        "with one repair": repaired,
        "before": lambda case: before(case.text),
        "regular expression": lambda case: by_regex(case.text),
    }
    found: dict[str, Any] = {"answers": len(cases)}
    for name, reader in readers.items():
        began = time.perf_counter()
        trees = [reader(case) for case in cases]
        right = [is_meant(case, tree) for case, tree in zip(cases, trees, strict=True)]
        found[name] = {
            "right": sum(right),
            "wrong": sum(t is not None for t in trees) - sum(right),
            "ms": 1e3 * (time.perf_counter() - began) / len(cases),
            **{
                kind: {
                    key: sum(
                        one
                        for case, one in zip(cases, right, strict=True)
                        if getattr(case, kind) == key
                    )
                    for key in keys
                }
                for kind, keys in (("fault", FAULTS), ("format", FORMATS))
            },
        }
    return found


def show(found: Mapping[str, Any], cases: list[Case]) -> None:
    """The table of faults, and that of formats."""
    readers = ("at once", "with one repair", "before", "regular expression")
    for kind in ("fault", "format"):
        print(f"\n{kind:32}{'answers':>9}" + "".join(f"{name:>20}" for name in readers))
        for key in dict.fromkeys(getattr(case, kind) for case in cases):
            count = sum(getattr(case, kind) == key for case in cases)
            row = "".join(f"{found[name][kind][key]:20}" for name in readers)
            print(f"{key:32}{count:9}{row}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="four faults of them")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    given = parser.parse_args()
    cases = [case for case in corpus() if not given.quick or case.fault in QUICK]
    found = measure(cases)
    show(found, cases)
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")
    cut = sum(case.fault == CUT for case in cases)
    share = {name: found[name]["right"] / len(cases) for name in found if name != "answers"}
    return report(
        f"Edits: {len(cases)} answers",
        [
            Figure("right at once", share["at once"], target=0.9, at_least=True),
            Figure("right with one repair", share["with one repair"], target=0.98, at_least=True),
            Figure("agents that were not meant", found["at once"]["wrong"], target=0),
            Figure("the same, with one repair", found["with one repair"]["wrong"], target=0),
            Figure("cut off, mended", found["with one repair"]["fault"][CUT] / cut, "", 0.9, True),
            Figure("right before", share["before"]),
            Figure("agents that were not meant before", found["before"]["wrong"]),
            Figure("right by a regular expression", share["regular expression"]),
            Figure("time of an answer", found["at once"]["ms"], "ms", 20.0),
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
