"""What learners are judged by and made of: benchmarks and mechanisms."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cambrian.errors import CambrianError
from cambrian.web.pages.tallies import Told, tally

if TYPE_CHECKING:
    from cambrian.archive import Archive

BEST = 500
"""Who leads on a benchmark is looked for among so many of the best agents."""

_PARTS = """
SELECT path, count(*) AS champions FROM agent_files WHERE agent_id IN ({which}) GROUP BY path
"""


def benchmarks(archive: Archive, _: Mapping[str, str]) -> dict[str, Any]:
    """Every benchmark of the current suite with its card, floor, ceiling, and who leads."""
    kept = archive.suites.current()
    run = archive.runs.last()
    if kept is not None:
        names = [entry.benchmark for entry in kept.suite.entries]
    else:
        names = list(run.settings.get("benchmarks", ())) if run else []
    leaders, champion = _leaders(archive)
    return {
        "suite": kept
        and {"name": kept.suite.name, "hash": kept.suite.hash, "seeds": kept.suite.seeds},
        "champion": champion,
        "among": BEST,
        "items": [{**_described(name), "leader": leaders.get(name)} for name in names],
    }


def _described(name: str) -> dict[str, Any]:
    from cambrian.reports.benchmarks import describe_benchmark

    try:
        found = describe_benchmark(name)
    except CambrianError as error:
        return {"name": name, "error": str(error), "card": {}, "floor": None, "ceiling": None}
    names = ("name", "version", "card", "floor", "ceiling", "flops_allowed", "state_bytes_allowed")
    more = ("cpu_s", "reference")
    return {**{key: found[key] for key in (*names, *more)}, "error": None}


def _leaders(archive: Archive) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The best agent on each benchmark by its mean, and the champion with its own means."""
    kept = archive.suites.current()
    if kept is None:
        return {}, None
    rows = archive.database.rows(
        "SELECT a.id, a.number, a.title, c.vector FROM (SELECT * FROM leaderboard LIMIT ?) a "
        "JOIN scores c ON c.suite_id = ? AND c.number = a.number ORDER BY a.lower DESC, a.number",
        (BEST, kept.id),
    )
    leaders: dict[str, Any] = {}
    for row in rows:
        for name, score in json.loads(row["vector"]).items():
            if score is not None and score > leaders.get(name, {"score": -1e9})["score"]:
                names = ("id", "number", "title")
                leaders[name] = {**{key: row[key] for key in names}, "score": score}
    champion = rows[0] if rows else None
    return leaders, champion and {**champion, "vector": json.loads(champion["vector"])}


def mechanisms(archive: Archive, _: Mapping[str, str]) -> dict[str, Any]:
    """Every mechanism with its card, how often it was proposed and admitted, in how many champions
    it was, and the mean paired gain to the parent of what it was put into."""
    from cambrian.agents.catalogue import catalogue

    found_so_far = tally(archive)
    champions = list(found_so_far.champions)
    inside = _inside(archive, champions)
    items = []
    for found in catalogue().values():
        card = found.to_json()
        told = found_so_far.mechanisms.get(found.name, Told())
        keys = ("name", "title", "paper", "role", "family", "claim", "measured")
        plain = {key: card.get(key) for key in keys}
        counts = {key: getattr(told, key) for key in ("proposed", "admitted", "gains")}
        more = {"gain": told.gain(), "champions": inside.get(found.name, 0)}
        items.append({**plain, **counts, **more})
    items.sort(key=lambda item: (-item["champions"], -item["proposed"], item["name"]))
    return {"items": items, "champions": len(champions)}


def _inside(archive: Archive, champions: list[str]) -> dict[str, int]:
    """In how many of the champions each part is, by its file."""
    which = ", ".join("?" * len(champions))
    rows = archive.database.rows(_PARTS.format(which=which), tuple(champions))
    return {
        row["path"].removeprefix("parts/").removesuffix(".py"): row["champions"] for row in rows
    }
