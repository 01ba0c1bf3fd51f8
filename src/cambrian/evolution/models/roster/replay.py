"""Answers that were recorded, asked again without a network: `--model replay:FILE`.

A recording is a file of JSON lines. The first one names the models, with prices and shares, for
these decide who is asked. Each further line is one question of a proposal (its number in the
archive, which question it was, a hash of the model and the messages) with the answer or the reason
why there was none, and the tokens that it used. What is asked and was not recorded is refused: a
run with other settings is another run. What was spent then is booked again, as phase `replay`.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cambrian.archive import Archive
from cambrian.archive.tables.ledger import CUT_OFF
from cambrian.errors import NotFound, UsageError
from cambrian.evolution.models.prices import Price
from cambrian.evolution.models.refusals import AskRefused, EndpointDown, TooLong, Used
from cambrian.evolution.models.replies import Answer
from cambrian.evolution.models.roster.specs import REPLAY, ModelSpec, names_in

FORMAT, VERSION = "cambrian-answers", 1
LONGEST_LINE = 64 << 20
ADDRESS = "[address]"
"""What stands for an endpoint's address in the reason of a refusal."""
_URL = re.compile(r"\bhttps?://[^\s\"'<>(){}]*[^\s\"'<>(){}.,:;]", re.I)

_CALLS = """
SELECT p.idx, s.position, s.model, s.prompt_tokens, s.completion_tokens, s.estimated, s.refused,
       CASE WHEN s.refused IS NULL THEN a.text END AS text, a.request_hash
FROM spend s JOIN proposals p ON p.id = s.proposal_id
LEFT JOIN answers a ON a.proposal_id = s.proposal_id AND a.position = s.position
WHERE s.run_id = :run AND s.position IS NOT NULL AND s.refused IS NOT :cut ORDER BY s.id
"""
_COUNTED = """
SELECT count(*) AS calls, count(*) - count(CASE WHEN proposal_id IS NOT NULL THEN position END)
       AS unplaced FROM spend WHERE run_id = ?
"""
_PLAYED = """
SELECT position, refused IS NULL AS answered, count(*) AS times FROM spend
WHERE proposal_id = ? AND model = ? AND position IS NOT NULL AND refused IS NOT ?
GROUP BY position, answered
"""


@dataclass(frozen=True)
class Call:
    """One question of a recording, by number of proposal and position.

    Attributes:
        request: `broker.request_hash` of it; None where it was never answered.
        text: the answer; None where there was none, for the reason `refused`.
    """

    idx: int
    position: int
    model: str
    prompt_tokens: int
    completion_tokens: int
    estimated: bool
    refused: str | None
    text: str | None
    request: str | None

    @property
    def used(self) -> Used:
        """What it used; as it was put aside, where the endpoint did not say."""
        return Used(self.prompt_tokens, self.completion_tokens)


@dataclass(frozen=True)
class Head:
    """What a recording says of its models, in order."""

    models: Mapping[str, ModelSpec]
    prices: Mapping[str, Price]


def record(archive: Archive, target: Path) -> int:
    """Write what the archive's last run asked and was answered; how many questions.

    Raises:
        NotFound: there is no run with models. UsageError: the file cannot be written, or the
            archive does not say which question of a proposal each call was.
    """
    run = archive.runs.last()
    told = {} if run is None else run.settings
    names = list(told.get("endpoints", {})) if str(told.get("model", "")).startswith(REPLAY) else []
    names = names or list(names_in(str(told.get("model", ""))))
    if run is None or not names:
        raise NotFound("expected a run whose settings name a model; the last one asked none")
    endpoints, prices = told.get("endpoints", {}), told.get("prices", {})
    head = {
        "format": FORMAT,
        "version": VERSION,
        "models": [
            {"name": name, "price": prices.get(name), "spec": _shown(endpoints.get(name, {}))}
            for name in names
        ],
    }
    _expect_places(archive, run.id)
    rows = archive.database.rows(_CALLS, {"run": run.id, "cut": CUT_OFF})
    hosts = _hosts(endpoints.values())
    try:
        with target.open("w", encoding="utf-8") as file:
            file.write(json.dumps(head) + "\n")
            for row in rows:
                told = {**row, "estimated": bool(row["estimated"])}
                told["request"] = told.pop("request_hash") if told["text"] is not None else None
                told.pop("request_hash", None)
                told["refused"] = _placeless(told["refused"], hosts)
                file.write(json.dumps(told) + "\n")
    except OSError as error:
        raise UsageError(f"cannot write {target}: {error.strerror}") from error
    return len(rows)


def _expect_places(archive: Archive, run_id: int) -> None:
    """Refuse a run whose calls do not say which questions they were."""
    (counted,) = archive.database.rows(_COUNTED, (run_id,))
    if counted["unplaced"]:
        raise UsageError(
            "expected a run whose calls say which question of which proposal they were; in "
            f"{counted['unplaced']} of the {counted['calls']} calls of run {run_id} that is "
            "missing (an earlier version made it, or it came in a bundle): make a run with this "
            "version, and record that"
        )


def _hosts(specs: Iterable[Mapping[str, Any]]) -> list[str]:
    """Where the endpoints of sections are, the longest first; not what might be a plain word."""
    found = {urlsplit(str(spec.get("base_url") or "").strip()).netloc for spec in specs}
    return sorted((one for one in found if re.search("[.:]", one)), key=len, reverse=True)


def _placeless(reason: str | None, hosts: Sequence[str]) -> str | None:
    """Why a question was refused, without addresses."""
    if reason is None:
        return None
    reason = _URL.sub(ADDRESS, reason)
    for host in hosts:
        reason = reason.replace(host, ADDRESS)
    return reason


def _shown(spec: Mapping[str, Any]) -> dict[str, Any]:
    """What decides who is asked and what; addresses and names of keys stay behind."""
    kept = asdict(ModelSpec.of(spec))
    return {name: kept[name] for name in ("share", "role", "grammar", "max_tokens")}


def head_of(name: str) -> Head:
    """The head of the recording that `replay:FILE` names.

    Raises:
        NotFound: there is no such file. UsageError: it is no recording.
    """
    for told in _lines(_path(name)):
        try:
            models = {one["name"]: one for one in told["models"]}
            return Head(
                {key: ModelSpec.of(one["spec"]) for key, one in models.items()},
                {key: Price(**one["price"]) for key, one in models.items() if one["price"]},
            )
        except (AttributeError, KeyError, TypeError) as error:
            raise _damaged(_path(name), 1, error) from None
    raise UsageError(f"{_path(name)}: expected a recording, got an empty file")


def _path(name: str) -> Path:
    path = Path(name.removeprefix(REPLAY)).expanduser()
    if not path.is_file():
        raise NotFound(
            f"no recording at {path}: `cambrian model record FILE` makes one of an archive"
        )
    return path


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a recording, the head first."""
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(iter(lambda: file.readline(LONGEST_LINE), ""), start=1):
                told = json.loads(line)
                if not isinstance(told, dict):
                    raise ValueError("no object")
                if number == 1 and (told.get("format"), told.get("version")) != (FORMAT, VERSION):
                    raise UsageError(
                        f"{path}: expected a recording ({FORMAT}, version {VERSION}), got "
                        f"{str(told.get('format'))[:40]!r}, version {str(told.get('version'))[:10]}"
                    )
                yield told
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: expected JSON lines of a recording: {error}") from None


def _damaged(path: Path, line: int, error: Exception) -> UsageError:
    return UsageError(f"{path}: line {line} is not as `cambrian model record` writes it: {error}")


class Recording:
    """The questions of a recording, by proposal."""

    def __init__(self, name: str) -> None:
        path = _path(name)
        self._calls: dict[tuple[int, str], list[Call]] = {}
        for number, told in enumerate(_lines(path), start=1):
            if number == 1:
                continue
            try:
                call = Call(**told)
                self._calls.setdefault((call.idx, call.model), []).append(call)
            except TypeError as error:
                raise _damaged(path, number, error) from None
        self._models: dict[tuple[int, str], Replayed] = {}

    def model(self, name: str, idx: int) -> Replayed:
        """What answers the questions of proposal `idx` in place of a model; the same one each
        time, for it knows which answers were given."""
        if (idx, name) not in self._models:
            self._models[idx, name] = Replayed(name, self._calls.get((idx, name), ()))
        return self._models[idx, name]


class Replayed:
    """A recorded model, for one proposal."""

    phase = "replay"
    retries = 0

    def __init__(self, name: str, calls: Sequence[Call]) -> None:
        self.name = name
        self._calls = tuple(calls)
        self._left = list(calls)
        self._booked: set[int] = set()  # positions whose last refusal is in the archive

    def resume(self, archive: Archive, proposal_id: int) -> None:
        """Go on after what was played for that proposal already, by a process that was killed too.

        What was recorded after a refusal at the same position stands in its place; the last refusal
        of a position is told again, for nothing more is known of it, and is not booked again.
        """
        rows = archive.database.rows(_PLAYED, (proposal_id, self.name, CUT_OFF))
        played = Counter({(row["position"], bool(row["answered"])): row["times"] for row in rows})
        last = {call.position: at for at, call in enumerate(self._calls)}
        self._left, self._booked = [], set()
        for at, call in enumerate(self._calls):
            place = (call.position, call.text is not None)
            if not played[place]:
                self._left.append(call)
                continue
            played[place] -= 1
            if call.text is None and last[call.position] == at:
                self._left.append(call)
                self._booked.add(call.position)

    def answer(
        self, messages: Sequence[dict[str, str]], max_tokens: int = 0, choices: Sequence[str] = ()
    ) -> Answer:
        """The answer that was recorded for these messages.

        Raises:
            AskRefused: none was, or the question was refused then too.
        """
        from cambrian.evolution.models.broker import request_hash

        asked = request_hash(self.name, messages)
        for at, call in enumerate(self._left):
            if call.text is None:
                del self._left[at]
                again = any(one.position == call.position for one in self._left[at:])
                kind = EndpointDown if again else AskRefused
                used = None if call.position in self._booked else call.used
                raise kind(call.refused or "not answered when this was recorded", used)
            if call.request == asked:
                del self._left[: at + 1]
                return Answer(call.text, call.prompt_tokens, call.completion_tokens)
        said = f"{self.name} was not asked this when it was recorded"
        if self._left:
            raise TooLong(said)  # a shorter question was: the one that the model had room for
        raise AskRefused(said)
