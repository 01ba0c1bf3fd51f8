"""docs/does-the-archive-pay.md, made of the results that ship."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from cambrian.experiments.analytic import LANDSCAPES
from cambrian.experiments.expectations import Finding, findings
from cambrian.experiments.simulate import load
from cambrian.experiments.summary import Summary, markdown, summaries

MEASURED = Path(__file__).parent / "measured" / "landscapes.jsonl.gz"
WANTED = 200
"""Repeats that a finished measurement has of every cell."""

_OPENING = """# Does the archive pay

Made by `tools/payoff_docs.py` from what was measured; a test compares them.

An archive of many agents costs proposals that a search from the best alone would spend on
climbing. Whether it pays depends on the ground. Here the ground is known: landscapes whose best
value is known, searched by the selection strategies ([selection.md](selection.md)) and the rules
of admission that a run has. Only what is slow in a run, the agents and their evaluation, is
drawn.

## How a search is simulated

- Selection is `evolution.selection.strategies`, admission the gates of
  `evolution.admission.rules`, with the thresholds of a run. Proposal k sees the members as
  decided through k − 6. Edits are one to three steps, those of `random` chains of one to five
  from seed agents.
- An agent's score is its value on each of four families, plus an effect of the seed that all
  agents share, plus noise of its own, on the five seeds of a search.
- Comparisons are paired: on repeat r every strategy and rule has the same world, the same seed
  agents, the same chances for the edit of proposal k and the same noise on its child.
- What is reported of a champion (the member with the best lower bound) is its true value, without
  noise.

```
mkdir run   # with what is stored, to go on with it
gzip -dc src/cambrian/experiments/measured/landscapes.jsonl.gz > run/results.jsonl
cambrian experiment simulate --landscape stones,deceptive --out run --resume \\
    --admission stepping-stones,keep-all --budget 500
cambrian experiment simulate --landscape noisy,neutral,rugged,smooth --out run --resume \\
    --budget 100
cambrian experiment show run
tools/payoff_docs.py --store run
```

One search of 500 proposals takes about a sixth of a second on one core: eleven strategies by four
rules by 200 repeats on one landscape are about 25 minutes, in pieces, with `--resume`.

## The landscapes

| name | what it is | bits | noise | to reach |
|---|---|---|---|---|
"""

_COLUMNS = """## Figures

The value after so many proposals is the mean true value of the champion (the optimum is 1). −
random and − greedy are differences at the end, with 95 % intervals, paired by repeat. *area*: the
mean value over all proposals. *reached*: the share of repeats that came to the threshold, *in*
the median of the proposals that these took. *diversity*: the mean share of bits in which two
members differ. *stones*: ancestors of the champion that were truly not better than their parent.
The intervals of one table are not corrected for their number; one of no width means that every
repeat ended alike for both.
"""

_LIMITS = """## What this does not say

- Bits are not code: whether real edits make valleys, plateaus or traps is not known from here.
  Measured agents are to come to the same simulation as another landscape
  (`experiments.landscape.Landscape`).
- Every strategy has the knobs that it has in a run; none was tuned to a landscape, and neither
  was any landscape to a strategy after figures were seen.
- In a simulated proposal a known genotype is tried again up to five times, then the proposal is
  spent.
"""


def document(stored: Path = MEASURED) -> str:
    """The page.

    Raises:
        NotFound: nothing is stored. CambrianError: a line of it makes no sense.
    """
    blocks = load(stored)
    measured = summaries(blocks)
    rows = [
        f"| `{one.name}` | {one.summary} | {one.length} | {one.noise:g} | {one.threshold:.0%} |"
        for one in LANDSCAPES.values()
    ]
    versions = sorted({block.code for block in blocks})
    searches = sum(one.repeats for one in measured)
    seconds = sum(block.seconds for block in blocks)
    told = (
        f"\nMeasured: {searches:,} searches in {seconds / 60:.1f} minutes of one core, by the code "
        f"`{', '.join(versions)}`. {_completeness(measured)}\n"
    )
    parts = [
        _OPENING + "\n".join(rows) + "\n",
        _found(findings(measured)) + told,
        _against_greedy(measured),
        _COLUMNS,
        markdown(measured),
        _LIMITS,
    ]
    return "\n".join(parts)


def _completeness(measured: Sequence[Summary]) -> str:
    least = min(one.repeats for one in measured)
    if least >= WANTED:
        return f"Every cell has {least} repeats or more."
    return (
        f"This is a beginning: {WANTED} repeats of every cell are wanted, and the smallest has "
        f"{least}; the rules and budgets that have no table are not measured yet."
    )


def _found(found: Sequence[Finding]) -> str:
    """Each expectation and its verdict, with the count of verdicts in front."""
    counts = Counter(one.verdict for one in found)
    told = (
        f"Of {len(found)} expectations (a strategy is better than a baseline on the landscape made "
        f"for it, under one rule), {counts['as expected']} went as expected, "
        f"{counts['the other way round']} the other way round, and in "
        f"{counts['no difference shown']} no difference was shown."
    )
    lines = [
        "## What was found",
        "",
        told,
        "",
        "| landscape | rule | budget | expected | because | difference | verdict |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in found:
        apart, expected = one.difference, one.expected
        lines.append(
            f"| {expected.landscape} | {one.admission} | {one.budget} | `{expected.strategy}` > "
            f"`{expected.baseline}` | {expected.says} | {apart.mean:+.3f} [{apart.lower:+.3f}, "
            f"{apart.upper:+.3f}] | {one.verdict} |"
        )
    return "\n".join(lines) + "\n"


def _against_greedy(measured: Sequence[Summary]) -> str:
    """For each landscape, rule and budget, who is shown to be better or worse than greedy."""
    places = dict.fromkeys((m.cell.landscape, m.cell.admission, m.cell.budget) for m in measured)
    heads = "better than `greedy`", "worse than `greedy`", "not shown better than `random`"
    lines = [
        "## Against greedy, and against no archive",
        "",
        "Strategies whose 95 % interval of the paired difference at the end leaves out 0.",
        "",
        f"| landscape | rule | budget | {' | '.join(heads)} |",
        "|---|---|---|---|---|---|",
    ]
    for place in places:
        ground, rule, budget = place
        here = [
            one
            for one in measured
            if (one.cell.landscape, one.cell.admission, one.cell.budget) == place
        ]
        pairs = [(one, one.against["greedy"]) for one in here if "greedy" in one.against]
        alike = [
            one for one in here if "random" in one.against and one.against["random"].lower <= 0
        ]
        cells = [
            _names([one for one, apart in pairs if apart.lower > 0]),
            _names([one for one, apart in pairs if apart.upper < 0]),
            _names(alike),
        ]
        lines.append(f"| {ground} | {rule} | {budget} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _names(found: Sequence[Summary]) -> str:
    ordered = sorted(found, key=lambda one: -one.end.mean)
    return ", ".join(f"`{one.cell.strategy}`" for one in ordered) or "–"
