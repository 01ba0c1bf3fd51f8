"""The lineage: what each step from a seed to an agent gained, and what does not add up."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cambrian.reports.run import champions_path, path_from_seed

if TYPE_CHECKING:
    from cambrian.archive import Archive

MOST = 400


def read(archive: Archive, ask: Mapping[str, str]) -> dict[str, Any]:
    """The steps to the champion, or to `agent`, the seed first.

    `gained` adds the steps' paired gains up; `rest` is what the last score lacks of the seed's and
    these: a gain was measured against the parent as it was then, with that moment's seeds.

    Raises:
        NotFound, UsageError: there is no such agent, or several.
    """
    given = ask.get("agent")
    path = path_from_seed(archive, archive.resolve(given)) if given else champions_path(archive)
    steps = [step.to_json() for step in path]
    for before, after in itertools.pairwise(steps):
        both = before["score"] is not None and after["score"] is not None
        after["parent"] = before["id"]
        after["change"] = after["score"] - before["score"] if both else None
    first = {"parent": None, "change": None}
    steps[:1] = [{**steps[0], **first}] if steps else []
    gains = [step["gain"]["mean"] for step in steps[1:] if step["gain"]]
    known = [gain for gain in gains if gain is not None]
    whole = None
    if steps and steps[0]["score"] is not None and steps[-1]["score"] is not None:
        whole = steps[-1]["score"] - steps[0]["score"]
    return {
        "agent": steps[-1] if steps else None,
        "steps": steps[-MOST:],
        "left_out": max(0, len(steps) - MOST),
        "unmeasured": max(0, len(steps) - 1 - len(known)),
        "whole": whole,
        "gained": sum(known) if known else None,
        "rest": whole - sum(known) if whole is not None and known else None,
    }
