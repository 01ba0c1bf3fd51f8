"""A bundle: a whole archive as one portable file that may come from anyone.

Gzipped JSON lines, in this order::

    head        format, version, what was evaluated by which benchmarks
    run         every run
    source      every distinct file of an agent, by sha256, before the first agent that has it
    seed        every seed agent, by number
    proposal    every decided proposal in order, with its gates, and the agent it made
    evaluation  of those agents: scored and failed, sealed ones marked; with series and answers
    spend       every model call
    improver    every check of an improver
    tail        how many lines came before, and the sha256 of their bytes

No line names a file or a folder but the paths inside agents, and there are no links to follow.
`lines` checks what can be checked of any line: that the file is gzip and JSON, no line and no
ratio of compression beyond reason, nothing after the tail, nothing before it changed. `merging`
checks what lines say.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import math
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, cast

from cambrian._version import __version__
from cambrian.archive.sqlite import storage_errors
from cambrian.archive.sqlite.database import Database, Row, decode
from cambrian.archive.store import Archive
from cambrian.errors import CambrianError, Refused, UsageError
from cambrian.measurement import COLUMNS

FORMAT, VERSION = "cambrian-bundle", 1
LONGEST_LINE = 64 << 20


@dataclass(frozen=True)
class Bounds:
    """What a bundle may be, wherever it comes from.

    Attributes:
        line: the most bytes that a line may have.
        easy, ratio: what is bigger than `easy` bytes may be at most so many times as big as it was
            compressed.
    """

    line: int = LONGEST_LINE
    easy: int = 64 << 20
    ratio: int = 400


USUAL = Bounds()

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

# -- writing -------------------------------------------------------------------------------


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
    }
    for row in database.stream("SELECT * FROM runs ORDER BY id"):
        yield {"t": "run", **row, "settings": decode(row["settings"])}
    sent: set[str] = set()
    for row in database.stream("SELECT * FROM agents WHERE status = 'seed' ORDER BY number"):
        yield from _sources(database, row["id"], sent)
        yield {"t": "seed", "agent": _agent(database, row)}
    decided = (
        "SELECT * FROM proposals WHERE state NOT IN ('open', 'proposed', 'ready') ORDER BY idx"
    )
    for row in database.stream(decided):
        yield from _proposal(database, row, sent)
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


# -- reading -------------------------------------------------------------------------------


class Line:
    """A line of a bundle, asked for its parts by kind.

    Every method raises UsageError, with the line's number, for a part that is not of that kind.
    """

    def __init__(self, number: int, parts: Mapping[str, Any]) -> None:
        self.number = number
        self.parts = parts

    def wrong(self, expected: str, came: object) -> NoReturn:
        """Refuse the line, with its number and what it holds (at most 80 characters of it).

        Raises:
            UsageError: always.
        """
        raise UsageError(
            f"line {self.number} of the bundle: expected {expected}, got {str(came)[:80]!r}"
        )

    def text(self, name: str, *, most: int = 1 << 20) -> str:
        """A text of at most `most` characters. Raises UsageError, as all of these do, for
        anything else."""
        value = self.parts.get(name)
        if not isinstance(value, str) or len(value) > most:
            self.wrong(f"{name} as text of at most {most} characters", value)
        return value

    def maybe_text(self, name: str) -> str | None:
        """A text, or None where it is null or missing."""
        return None if self.parts.get(name) is None else self.text(name)

    def choice(self, name: str, choices: frozenset[str] | set[str]) -> Any:
        """One of `choices`."""
        value = self.parts.get(name)
        if value not in choices:
            self.wrong(f"{name} out of {sorted(choices)}", value)
        return value

    def integer(self, name: str) -> int:
        """A whole number below 2^62 in size, which SQLite holds (true and false are none)."""
        value = self.parts.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 1 << 62:
            self.wrong(f"{name} as an integer", value)
        return value

    def maybe_integer(self, name: str) -> int | None:
        """A whole number, or None where it is null or missing."""
        return None if self.parts.get(name) is None else self.integer(name)

    def real(self, name: str) -> float:
        """A finite number."""
        value = self.parts.get(name)
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            self.wrong(f"{name} as a number", value)
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            self.wrong(f"a finite {name}", value)
        return number

    def maybe_real(self, name: str) -> float | None:
        """A finite number, or None where it is null or missing."""
        return None if self.parts.get(name) is None else self.real(name)

    def mapping(self, name: str) -> dict[str, Any]:
        """An object; what it holds is not checked."""
        value = self.parts.get(name)
        if not isinstance(value, dict):
            self.wrong(f"{name} as an object", value)
        return cast("dict[str, Any]", value)

    def texts(self, name: str, *, most: int) -> list[str]:
        """A list of at most `most` texts."""
        value = self.parts.get(name)
        short = isinstance(value, list) and len(value) <= most
        if not short or not all(isinstance(each, str) for each in cast("list[Any]", value)):
            self.wrong(f"{name} as a list of at most {most} texts", value)
        return cast("list[str]", value)

    def inside(self, name: str) -> Line:
        """An object in this line, to be asked in the same way."""
        return Line(self.number, self.mapping(name))

    def each(self, name: str, *, most: int = 10_000) -> list[Line]:
        """The objects of a list in this line."""
        value = self.parts.get(name)
        if not isinstance(value, list) or len(value) > most:
            self.wrong(f"{name} as a list of at most {most}", value)
        if not all(isinstance(each, dict) for each in value):
            self.wrong(f"{name} as a list of objects", value)
        return [Line(self.number, each) for each in value]

    def data(self, name: str) -> bytes:
        """Bytes from base64, whose text is at most `LONGEST_LINE` characters long."""
        try:
            return base64.b64decode(self.text(name, most=LONGEST_LINE), validate=True)
        except ValueError:
            self.wrong(f"{name} in base64", "something else")


def lines(path: Path, bounds: Bounds = USUAL) -> Iterator[Line]:
    """The lines of a bundle after its head and before its tail; the first is the head itself.

    Raises (while it goes on, so nothing may be kept before the end):
        UsageError: it is no bundle, or cut off, or changed, or a bomb.
        Refused: it is of a newer version.
    """
    try:
        with storage_errors.storage(), path.open("rb") as file, gzip.open(file) as text:
            yield from _checked(cast(BinaryIO, text), file, bounds)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UsageError(f"{path} is not a bundle, or was cut off: {error}") from error
    except OSError as error:
        raise CambrianError(f"cannot read {path}: {error}") from error


def _checked(text: BinaryIO, file: BinaryIO, bounds: Bounds) -> Iterator[Line]:
    digest, number, read = hashlib.sha256(), 0, 0
    while True:
        raw = text.readline(bounds.line + 1)
        read += len(raw)
        _expect_reason(len(raw), read, file.tell(), bounds)
        line = _parsed(number + 1, raw)
        if number == 0:
            _expect_head(line)
        if line.parts.get("t") == "tail":
            if line.text("sha256") != digest.hexdigest() or line.integer("lines") != number:
                line.wrong("the digest of the lines before", "another: the bundle was changed")
            if text.read(1):
                line.wrong("nothing after the tail", "more")
            return
        digest.update(raw)
        number += 1
        yield line


def _expect_reason(line: int, read: int, compressed: int, bounds: Bounds) -> None:
    if line > bounds.line:
        raise UsageError(f"expected lines of at most {bounds.line} bytes in a bundle, got more")
    if read > bounds.easy and read > bounds.ratio * compressed:
        raise UsageError(
            f"expected a bundle at most {bounds.ratio} times as big as its file, got {read} bytes "
            f"out of {compressed}"
        )


def _parsed(number: int, raw: bytes) -> Line:
    def constant(name: str) -> NoReturn:
        raise ValueError(f"{name} is no JSON")

    try:
        parts = json.loads(raw, parse_constant=constant)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"line {number} of the bundle is not JSON, or was cut off") from error
    if not isinstance(parts, dict):
        raise UsageError(f"line {number} of the bundle: expected an object")
    return Line(number, parts)


def _expect_head(line: Line) -> None:
    if line.parts.get("t") != "head" or line.parts.get("format") != FORMAT:
        raise UsageError(f"expected a bundle that `cambrian archive export` made: no {FORMAT} head")
    if line.integer("version") > VERSION:
        raise Refused(
            f"the bundle was made by Cambrian {line.text('cambrian', most=40)}, which is newer; "
            "upgrade to import it"
        )
