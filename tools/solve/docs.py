#!/usr/bin/env python3
"""Write docs/solve.md from the solutions in docs/solve/; with --check, only compare.

tools/solve/docs.py --take FOLDER   first take the solutions over that were made in FOLDER
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from cambrian.cli.render.solution import table
from cambrian.cli.render.text import difference, interval

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE, STORE, EXAMPLES = ROOT / "docs/solve.md", ROOT / "docs/solve", ROOT / "examples/solve"

TABLES = {
    "wine": ("vineyard", "alcohol"),
    "breast_cancer": ("finding", "mean_radius"),
    "bananas": ("banana", ""),
    "phishing": ("phishing", ""),
    "image_segments": ("segment", ""),
}
"""Of each table its label, and the column that it is put in order by."""
MINUTES = 3

HEAD = """# From a table to a learner

One command takes a CSV file to a learner of its own, and says whether that was worth it:

```sh
cambrian solve sales.csv --label bought --order day --minutes 10
```

1. The table becomes a benchmark, as `cambrian bench new` makes it: rows come in their order, a
   few at a time, and each is predicted before its label is told. The last two fifths are sealed.
2. What one would take without a search is judged on the sealed rows: river's Hoeffding tree and
   adaptive random forest, scikit-learn's logistic regression (refitted to all rows told so far),
   SGD with `partial_fit`, gradient boosting (refitted to the last 1000 rows), the commonest
   label so far and the last label. All have the settings that their library comes with (SGD the
   logistic loss, logistic regression up to 1000 steps). A table of numbers (`--kind regression`)
   has the regressors of the same names, and the mean so far.
3. The search begins with the seed agents and, with `--from ARCHIVE`, with that archive's
   champion and its best members that are made of other parts. Every variant runs in a sandbox
   and sees the first three fifths only.
4. When its time is over, the champion and the best agent that it began with go through all rows,
   and are judged on the sealed ones.
5. `champion/` is a package of the champion, as `cambrian agent export` makes it: it needs no
   Cambrian.

All are judged by the same code on the same rows in the same order: the benchmark drives a model
of scikit-learn as it drives a learner in its sandbox. Columns are scaled by the first fifth of
the rows, for all alike. Nobody is told a label before it has answered. What differs: a usual
choice may keep all rows, and nothing bounds its memory or its time on a row; a learner is held
to three times what experience replay needs.

`--minutes` is for everything together; the plan is said before it begins, and on a busy machine
its end may take somewhat longer than planned. A usual choice that is not done in its share of
the time (three tenths) is listed with that reason, and judged by the next call, which has all of
the time for it. Ctrl-C ends it cleanly and shows what there is; the same command goes on from
there, and more `--minutes` make the search longer. While a search goes on no agent is judged on
the sealed rows. Everything is kept in one directory: the benchmark, the archive (`cambrian
--archive DIR/archive tree`), `solution.json` and the package.

## Five tables that nobody tuned for

scikit-learn's wine and breast cancer, and river's Bananas, Phishing and ImageSegments: written
by `python tools/solve/tables.py FOLDER`, then solved in {minutes} minutes each on two processors
that other work shared. No setting was chosen by what came out. The first two are put in the
order of their first column, which is left out of the inputs; the others come in the order that
river gives them. The machine was busy, so that some usual choices were not done in their share of
the time: a second call of the same command judged them.
"""

READING = """
A difference counts where its 95 % interval is on one side of 0 and it is at least one row's
worth; else the verdict is for the usual choice, which needs no search. Intervals are over five
sealed seeds: the order of columns and of classes and the random choices of each method. They do
not say how other rows would come out, and on a table as small as wine that matters more. The
best usual choice is the best of seven on the very rows that are compared, which is in its
favour; the champion was chosen by the search, on other rows.
"""

TAKE_AWAY = """
## To take away

The package that a solution ends with, in a new virtual environment without Cambrian (`pip
install './champion[sklearn,river]'`). With scikit-learn (`examples/solve/with_sklearn.py`):

```python
{sklearn}```

With river (`examples/solve/with_river.py`):

```python
{river}```

With the champion of breast cancer these print `{said_sklearn}` and `{said_river}`: they show
that it works, and are no sealed figures. Both are run by the tests in a fresh environment, with
the package of a seed agent. The package was written by a program: read `champion/src` before you
rely on it. Its faces of scikit-learn and river classify; of a regression take
`champion.Stream(inputs, 1, kind="regression")`.
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--take", type=Path, metavar="FOLDER")
    asked = parser.parse_args()
    if asked.take is not None:
        STORE.mkdir(exist_ok=True)
        for name in TABLES:
            shutil.copyfile(asked.take / f"{name}-solved/solution.json", STORE / f"{name}.json")
    if asked.check:
        if PAGE.read_text(encoding="utf-8") == document():
            return 0
        print("docs/solve.md is not what the solutions say: tools/solve/docs.py")
        return 1
    PAGE.write_text(document(), encoding="utf-8")
    return 0


def document() -> str:
    """The page."""
    found = {name: json.loads((STORE / f"{name}.json").read_text("utf-8")) for name in TABLES}
    said = json.loads((STORE / "take_away.json").read_text("utf-8"))
    code = {
        library: (EXAMPLES / f"with_{library}.py").read_text("utf-8").split("\n\n", 1)[1].lstrip()
        for library in ("sklearn", "river")
    }
    parts = [HEAD.format(minutes=MINUTES), _overview(found), READING]
    parts += [_one(name, solution) for name, solution in found.items()]
    parts.append(TAKE_AWAY.format(**code, said_sklearn=said["sklearn"], said_river=said["river"]))
    return "\n".join(parts)


def _overview(found: dict[str, Any]) -> str:
    heads = [
        *("table", "sealed rows", "champion", "best agent it began with", "best usual choice"),
        *("champion less it", "better"),
    ]
    rows = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    words = {"champion": "the champion", "baseline": "the usual choice", "level": "neither"}
    for name, one in found.items():
        best = next(b for b in one["baselines"] if b["name"] == one["verdict"]["baseline"])
        agents, gap = one["agents"], one["verdict"]["difference"]
        cells = [
            name,
            str(one["table"]["judged"]),
            _score(agents["champion"]),
            _score(agents["seed"]) if "seed" in agents else "the same",
            f"{best['title']} {_score(best)}",
            difference(gap["mean"], gap["lower"], gap["upper"]),
            words[one["verdict"]["winner"]],
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _score(one: dict[str, Any]) -> str:
    return interval(one["mean"], one["lower"], one["upper"])


def _one(name: str, found: dict[str, Any]) -> str:
    label, order = TABLES[name]
    about, search = found["table"], found["search"]
    command = f"cambrian solve {name}.csv --label {label}"
    command += f" --order {order}" if order else ""
    judged = f"the search judged {search['judged']} variants and admitted {search['admitted']}"
    size = f"{about['inputs']} inputs, {about['classes']} classes, {about['batch']} rows at a time"
    rows = [
        f"### {name}",
        "",
        f"```sh\n{command} --minutes {MINUTES}\n```",
        "",
        f"{size}; {judged}. The champion: {_made(found)}.",
        "",
        f"| who | from | {about['measure']} | a seed takes |",
        "|---|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in table(found)),
        "",
        found["verdict"]["text"],
        "",
    ]
    return "\n".join(rows)


def _made(found: dict[str, Any]) -> str:
    """How the champion came about, in the words of its edit; titles come from programs."""
    plain = "".join(c if c.isprintable() and c not in "`<>[]|#*\\" else " " for c in _title(found))
    return " ".join(plain.split())[:200]


def _title(found: dict[str, Any]) -> str:
    return str(found["agents"]["champion"]["made"])


if __name__ == "__main__":
    sys.exit(main())
