"""A bundle: a whole archive as one portable file that may come from anyone.

Gzipped JSON lines, in this order::

    head        format, version, what was evaluated by which benchmarks
    suite       every suite, the current one marked (from version 2 on)
    run         every run
    source      every distinct file of an agent, by sha256, before the first agent that has it
    seed        every seed agent, by number
    proposal    every decided proposal in order, with its gates, and the agent it made
    score       of those agents, one for each suite that they have one in (from version 2 on)
    evaluation  of those agents: scored and failed, sealed ones marked; with series and answers
    spend       every model call
    improver    every check of an improver
    tail        how many lines came before, and the sha256 of their bytes

No line names a file or a folder but the paths inside agents, and there are no links to follow.
`lines` reads them and checks what can be checked of any line; `merging` checks what they say.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator
from pathlib import Path

from cambrian._version import __version__
from cambrian.archive.sqlite import storage_errors
from cambrian.archive.sqlite.database import Database, Row, decode
from cambrian.archive.store import Archive
from cambrian.archive.transfer.lines import FORMAT, VERSION
from cambrian.errors import UsageError
from cambrian.measurement import COLUMNS

_SERIES = ("series", "predictions")
_AGENT = (
    *("id", "status", "kind", "title", "hypothesis", "score", "lower", "upper"),
    *("created_at", "decided_at"),
)
_PROPOSAL = (
    *("idx", "run_id", "seen_through", "rewriter", "state", "agent_id", "title", "hypothesis"),
    *("predicted_gain", "confidence", "reason", "created_at", "decided_at"),
)
_EVALUATION = ("agent_id", *COLUMNS)
_SPEND = (
    *("run_id", "phase", "model", "prompt_tokens", "completion_tokens", "dollars", "at"),
    "estimated",
)


def export(archive: Archive, target: Path) -> int:
    """Write a bundle of everything that was decided; a run may continue meanwhile.

    Returns:
        How many agents are in it.

    Raises:
        UsageError: the file is there already.
    """
    if target.exists():
        raise UsageError(f"expected a new file, but {target} is there already")
    partial = target.with_name(f"{target.name}.partial")
    agents = 0
    with storage_errors.storage(target.parent):
        try:
            with archive.database.snapshot(), gzip.open(partial, "wb", 6) as file:
                digest, count = hashlib.sha256(), 0
                for line in _lines(archive):
                    agents += line["t"] == "seed" or line.get("agent") is not None
                    text = json.dumps(line, allow_nan=False, separators=(",", ":")).encode() + b"\n"
                    digest.update(text)
                    count += 1
                    file.write(text)
                tail = {"t": "tail", "lines": count, "sha256": digest.hexdigest()}
                file.write(json.dumps(tail).encode() + b"\n")
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
    return agents


def measured(database: Database) -> list[list[str]]:
    """Name and version of each benchmark that agents were judged by."""
    rows = database.rows(
        "SELECT DISTINCT benchmark, version FROM evaluations "
        "WHERE stage = 'full' AND verdict = 'scored' ORDER BY 1, 2"
    )
    return [[row["benchmark"], row["version"]] for row in rows]


def _lines(archive: Archive) -> Iterator[Row]:
    database = archive.database
    yield {
        "t": "head",
        "format": FORMAT,
        "version": VERSION,
        "cambrian": __version__,
        "benchmarks": measured(database),
        "suites": len(archive.suites.all()),
    }
    hashes = {}
    for kept in archive.suites.all():
        hashes[kept.id] = kept.suite.hash
        told = {"hash": kept.suite.hash, "current": kept.current, "suite": kept.suite.to_json()}
        yield {"t": "suite", **told}
    for row in database.stream("SELECT * FROM runs ORDER BY id"):
        suite = hashes.get(row.pop("suite_id"))
        settings = decode(row["settings"])
        settings.pop("endpoints", None)  # addresses and places of keys are nobody else's matter
        yield {"t": "run", **row, "settings": settings, "suite": suite}
    sent: set[str] = set()
    for row in database.stream("SELECT * FROM agents WHERE status = 'seed' ORDER BY number"):
        yield from _sources(database, row["id"], sent)
        yield {"t": "seed", "agent": _agent(database, row)}
    decided = (
        "SELECT * FROM proposals WHERE state NOT IN ('open', 'proposed', 'ready') ORDER BY idx"
    )
    for row in database.stream(decided):
        yield from _proposal(database, row, sent)
    scores = (
        "SELECT c.*, a.id AS agent_id FROM scores c JOIN agents a ON a.number = c.number "
        "ORDER BY c.suite_id, c.number"
    )
    for row in database.stream(scores):
        numbers = {name: row[name] for name in ("agent_id", "score", "lower", "upper")}
        vector = decode(row["vector"])
        yield {"t": "score", "suite": hashes[row["suite_id"]], **numbers, "vector": vector}
    for sealed in (False, True):
        yield from _evaluations(database, sealed)
    for row in database.stream("SELECT * FROM spend ORDER BY id"):
        yield {"t": "spend", **{name: row[name] for name in _SPEND}}
    for row in database.stream("SELECT * FROM improver_checks ORDER BY improver_hash"):
        yield {"t": "improver", **row}


def _sources(database: Database, agent_id: str, sent: set[str]) -> Iterator[Row]:
    rows = database.rows(
        "SELECT s.hash, s.content FROM agent_files f JOIN sources s ON s.hash = f.source_hash "
        "WHERE f.agent_id = ? ORDER BY f.path",
        (agent_id,),
    )
    for row in rows:
        if row["hash"] not in sent:
            sent.add(row["hash"])
            text = zlib.decompress(row["content"]).decode("utf-8")
            yield {"t": "source", "hash": row["hash"], "text": text}


def _agent(database: Database, row: Row) -> Row:
    files = database.rows(
        "SELECT path, source_hash FROM agent_files WHERE agent_id = ? ORDER BY path", (row["id"],)
    )
    parents = database.rows(
        "SELECT parent_id FROM parents WHERE child_id = ? ORDER BY position", (row["id"],)
    )
    return {
        **{name: row[name] for name in _AGENT},
        "files": {file["path"]: file["source_hash"] for file in files},
        "parents": [parent["parent_id"] for parent in parents],
    }


def _proposal(database: Database, row: Row, sent: set[str]) -> Iterator[Row]:
    """A proposal and, if the agent it names is its own and was decided, that agent."""
    made = database.row(
        "SELECT * FROM agents WHERE proposal_id = ? AND status IN ('admitted', 'rejected')",
        (row["id"],),
    )
    if made is not None:
        yield from _sources(database, made["id"], sent)
    gates = database.rows(
        "SELECT gate, rule, threshold, value, lower, upper, verdict, detail FROM gates "
        "WHERE proposal_id = ? ORDER BY position",
        (row["id"],),
    )
    plain = {name: decode(row[name]) for name in ("parents", "edit", "operation", "outcome")}
    yield {
        "t": "proposal",
        **{name: row[name] for name in _PROPOSAL},
        **plain,
        "gates": gates,
        "agent": None if made is None else _agent(database, made),
    }


def _evaluations(database: Database, sealed: bool) -> Iterator[Row]:
    prefix = "sealed_" if sealed else ""
    rows = database.stream(
        f"SELECT e.* FROM {prefix}evaluations e JOIN agents a ON a.id = e.agent_id "  # noqa: S608
        "WHERE a.status <> 'candidate' AND e.verdict <> 'broken' ORDER BY e.id"
    )
    for row in rows:
        found = {
            table: database.rows(
                f"SELECT * FROM {prefix}{table} WHERE evaluation_id = ? ORDER BY name",  # noqa: S608
                (row["id"],),
            )
            for table in _SERIES
        }
        yield {
            "t": "evaluation",
            "sealed": sealed,
            **{name: row[name] for name in _EVALUATION},
            "metrics": decode(row["metrics"]),
            "provenance": decode(row["provenance"]),
            **{table: [_array(each) for each in arrays] for table, arrays in found.items()},
        }


def _array(row: Row) -> Row:
    kept: Row = {name: row[name] for name in ("name", "kind", "dtype") if name in row}
    data = base64.b64encode(row["data"]).decode()
    return {**kept, "shape": decode(row["shape"]), "data": data}
