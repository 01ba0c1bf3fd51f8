"""The page of the table that ships: what it holds, how good it is, how to use it and repeat it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cambrian.experiments.simulate import load
from cambrian.experiments.summary import Summary, markdown, summaries
from cambrian.experiments.tabular.table import FAILED, SHIPPED, Table, card_lines, shipped

WANTED = 3000
SEARCHES = SHIPPED.with_name("table-searches.jsonl.gz")
"""Simulated searches on the table that ships."""

_OPENING = """# A table of learning algorithms

Made by `tools/table_docs.py` from the table that ships; a test compares them.

Searches for learning algorithms are slow, so claims about them rest on few repeats. A table of
agents that were measured once makes thousands of repeats possible, as NAS-Bench did for
architectures (Ying et al. 2019, arXiv:1902.09635). This one holds learners for continual streams:
subsets of Cambrian's mechanisms on the composed agent, with levels of the main knobs.

"""

_USE = """
## How to use it

`src/cambrian/experiments/measured/table.npz` is read with numpy alone:
[examples/table_search.py](../examples/table_search.py) searches it without Cambrian.
Its arrays are described in `cambrian.experiments.tabular.table`. With Cambrian:

```console
$ cambrian experiment simulate --landscape table --admission all --budget 100 --out run
$ cambrian experiment simulate --landscape table --admission as-good,stepping-stones --budget 500 \\
    --strategies dgm,greedy,last,random,lexicase,power-law --out longer
```

## How to repeat it

```console
$ mkdir rows   # with what is stored, to go on with it
$ gzip -dc src/cambrian/experiments/measured/table-agents.jsonl.gz > rows/agents.jsonl
$ cambrian experiment table --out rows --resume                # measures what is missing
$ cambrian experiment table --out rows --pack table.npz        # fits the surrogate, writes the file
```

Agents are measured in the order of a scrambled Sobol' sequence, so that a table is spread evenly
over its space however many agents it has. Rows of other code than today's are refused.

## What it does not say

"""

_FOUND = """## What searches find on it

Selection, admission, lag and lengths of edits are those of a run, from four plain agents; every
search spends the same number of proposals. A run that admits by proof judges its losers on fewer
streams, so at equal processor time it has more proposals than these tables give it. Columns are
explained in [does-the-archive-pay.md](does-the-archive-pay.md#figures).
"""


def document(table: Table | None = None) -> str:
    """The page."""
    table = table or shipped()
    card = table.card
    worth = table.values.mean(axis=1)
    measured = worth[table.at]
    lines = [
        _OPENING + "## What is in it\n",
        *(f"- {line}." for line in card_lines(card)),
        f"- A stream on which an agent failed counts as {FAILED:g}.",
        (
            f"- Worth, the mean over families: measured agents {np.median(measured):.3f} in the "
            f"median, at most {measured.max():.3f}; all agents at most {worth.max():.3f}."
        ),
        f"- Contents `{table.digest}`, measured by the code `{', '.join(card['code'])}`.",
        "",
        "| axis | levels |",
        "|---|---|",
        *(f"| {axis} | {', '.join(levels)} |" for axis, levels in card["axes"].items()),
        "",
        "| family | surrogate's mean absolute error | R² | Kendall's τ |",
        "|---|---|---|---|",
        *(
            f"| {family} | {error['mae']:.3f} | {error['r2']:.2f} | {error['kendall']:.2f} |"
            for family, error in zip(card["families"], card["surrogate"]["families"], strict=True)
        ),
        _USE,
    ]
    if card["measured"] < WANTED:
        lines[-1] += (
            f"- It is a beginning: {WANTED:,} measured agents are wanted, {card['measured']:,} are "
            "there. Most values are a surrogate's guess, and figures of searches will change.\n"
        )
    lines[-1] += (
        "- Values of measured agents carry the noise of three seeds, so the best of many looks "
        "better than it is.\n"
        "- A guess is smoother than the truth: searches on it meet fewer traps than real ones.\n"
        "- Streams and knobs are few and cheap. What wins here need not win on a whole suite.\n"
        "- A simulated search draws each agent's noise by itself and has five seeds of every "
        "family; differences are shown over seeds. In the suite `general` a run has two seeds and "
        "shows them over families.\n"
    )
    found = summaries(load(SEARCHES))
    return "\n".join([*lines, _FOUND, _above_random(found), markdown(found)])


def _above_random(found: Sequence[Summary]) -> str:
    """For each rule and budget, which strategies are shown to be better than search without an
    archive."""
    lines = [
        "| rule | proposals | best strategy | shown better than `random` | shown worse |",
        "|---|---|---|---|---|",
    ]
    for place in dict.fromkeys((one.cell.admission, one.cell.budget) for one in found):
        members = [one for one in found if (one.cell.admission, one.cell.budget) == place]
        best = max(members, key=lambda one: one.end.mean)
        held = [
            (one.cell.strategy, one.against["random"]) for one in members if "random" in one.against
        ]
        above = ", ".join(f"`{name}`" for name, d in held if d.lower > 0) or "–"
        below = ", ".join(f"`{name}`" for name, d in held if d.upper < 0) or "–"
        lines.append(
            f"| {place[0]} | {place[1]} | `{best.cell.strategy}`, {best.end.mean:.3f} | {above} | "
            f"{below} |"
        )
    return "\n".join([*lines, ""])
