"""Adding a bundle to an archive: both lineages are kept, and the same code is one agent.

Everything is checked as it comes and kept in one transaction, so a bundle that turns out wrong in
its last line leaves nothing. Proposals get the next indices, in their order; agents the next
numbers; runs become runs of this archive that are over.

Where the same code is in both, by its id:

=============== ==================== =======================================================
here            there                becomes
=============== ==================== =======================================================
a member        anything             what it is here; its evaluations are put together
rejected        rejected             what it is here
rejected, or    a member             a member, with the parents, the score and the decision
undecided                            from there: its descendants come with it
=============== ==================== =======================================================

What a bundle says of scores is what its maker says: nothing is evaluated again here
(`cambrian agent replay` does that).

Proposals of code that stays what it was are kept with their gates, as what was decided there.
"""

from __future__ import annotations

import hashlib
import zlib
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cambrian.archive.records import Agent
from cambrian.archive.sqlite.database import encode
from cambrian.archive.store import Archive
from cambrian.archive.tables.sources import read
from cambrian.archive.transfer.bundle import measured
from cambrian.archive.transfer.lines import (
    USUAL,
    Bounds,
    Line,
    array_of,
    json_of,
    lines,
    score_of,
    times_of,
)
from cambrian.archive.transfer.scores import ScoresMerging
from cambrian.errors import Refused, UsageError
from cambrian.measurement import COLUMNS, Measurement, plain

Identity = Callable[[Mapping[str, str]], str]

_TERMINAL = frozenset({"admitted", "rejected", "duplicate", "invalid", "failed_smoke", "parked"})
_KINDS = frozenset({"improvement", "stepping_stone"})
_MEMBERS = ("seed", "admitted")
LARGEST_SOURCE = 1 << 20
FILES, PARENTS = 64, 2


@dataclass
class Merged:
    """What came of it: agents that are new here, known ones, known ones that became members;
    proposals, and evaluations that were new."""

    new: int = 0
    known: int = 0
    promoted: int = 0
    proposals: int = 0
    evaluations: int = 0


def merge(
    archive: Archive,
    path: Path,
    identity: Identity,
    *,
    other_benchmarks: bool = False,
    bounds: Bounds = USUAL,
) -> Merged:
    """Add what a bundle holds. The caller holds `archive.lock()`.

    Args:
        identity: the id of a source tree; it raises InvalidAgent for one that breaks the rules.
        other_benchmarks: also if agents there were judged by other benchmarks or versions.
        bounds: what a bundle may be.

    Raises:
        UsageError: it is no bundle, or something in it is not as it must be.
        Refused: it is newer; a run is unfinished here; its scores cannot be compared with ours.
    """
    if (run := archive.runs.current()) is not None:
        raise Refused(f"run {run.id} is {run.state}: finish it, or give it up, before merging")
    if archive.proposals.undecided():
        raise Refused("some proposals are undecided: finish their run before merging")
    with archive.transaction():
        merging = _Merging(archive, identity, other_benchmarks)
        for line in lines(path, bounds):
            merging.take(line)
        merging.finish()
        archive.database.execute("DROP TABLE temp.bundle_sources")
        archive.database.event("archive.merged", **vars(merging.done))
    archive.database.forget()  # rows were written here that the verbs know nothing of
    return merging.done


class _Merging:
    """One bundle on its way into one archive."""

    def __init__(self, archive: Archive, identity: Identity, other_benchmarks: bool) -> None:
        self.archive = archive
        self.database = archive.database
        self.identity = identity
        self.other_benchmarks = other_benchmarks
        self.done = Merged()
        self.scores = ScoresMerging(archive)
        self._comparable, self._old = True, False
        self._runs: dict[int, int] = {}
        self._came: set[str] = set()
        self._indices: list[int] = []  # of there, in order; here they follow each other
        self._next = int(self.database.value("SELECT ifnull(max(idx), -1) + 1 FROM proposals"))
        self.database.execute(
            "CREATE TEMP TABLE bundle_sources (hash TEXT PRIMARY KEY, content BLOB NOT NULL)"
        )
        self._by_kind: dict[str, Callable[[Line], None]] = {
            "head": self._head,
            "suite": self.scores.suite,
            "score": lambda line: self.scores.score(line, self._came),
            "run": self._run,
            "source": self._source,
            "seed": self._seed,
            "proposal": self._proposal,
            "evaluation": self._evaluation,
            "spend": self._spend,
            "improver": self._improver,
        }

    def take(self, line: Line) -> None:
        """Check a line and keep what it says."""
        self._by_kind[line.choice("t", set(self._by_kind))](line)

    def finish(self) -> None:
        """Every line has come."""
        self.scores.finish(self._came, comparable=self._comparable, old=self._old)

    def _head(self, line: Line) -> None:
        if line.number != 1:
            line.wrong("one head", "another")
        self._old = line.integer("version") < 2
        if line.parts.get("suites"):
            return  # its scores say of which suites they are
        ours, theirs = measured(self.database), line.parts.get("benchmarks")
        self._comparable = not (ours and theirs and ours != theirs)
        if not self._comparable and not self.other_benchmarks:
            raise Refused(
                f"scores cannot be compared: agents here were judged by {ours}, those in the "
                f"bundle by {str(theirs)[:200]}; --other-benchmarks merges them all the same"
            )

    def _run(self, line: Line) -> None:
        state = line.choice("state", {"running", "finished", "stopped", "abandoned"})
        self._runs[line.integer("id")] = self.database.insert(
            "runs",
            {
                "seed": line.integer("seed"),
                "settings": encode(line.mapping("settings")),
                "state": "finished" if state == "finished" else "abandoned",
                "target_proposals": line.integer("target_proposals"),
                "first_proposal": self._next + line.integer("first_proposal"),
                "started_at": line.real("started_at"),
                "ended_at": line.maybe_real("ended_at"),
                "wall_s": line.real("wall_s"),
                "version": line.text("version", most=40),
                "suite_id": self.scores.of_run(line),
            },
        )

    def _source(self, line: Line) -> None:
        content = line.text("text", most=LARGEST_SOURCE).encode("utf-8", "surrogatepass")
        source_hash = hashlib.sha256(content).hexdigest()
        if line.text("hash") != source_hash:
            line.wrong(f"the hash {source_hash} of what came", line.parts["hash"])
        self.database.execute(
            "INSERT OR IGNORE INTO temp.bundle_sources VALUES (?, ?)",
            (source_hash, zlib.compress(content)),
        )

    def _files(self, agent: Line) -> dict[str, str]:
        """An agent's files, whose id is the one it claims to have."""
        claimed = agent.mapping("files")
        if not 1 <= len(claimed) <= FILES:
            agent.wrong(f"1 to {FILES} files", len(claimed))
        files: dict[str, str] = {}
        for path, source_hash in claimed.items():
            content = self.database.value(
                "SELECT content FROM temp.bundle_sources WHERE hash = ?", (str(source_hash),)
            )
            if content is None:
                agent.wrong(f"a source for {path!r} before the agent", source_hash)
            try:
                files[path] = read(str(source_hash), content).decode("utf-8")
            except UnicodeDecodeError:
                agent.wrong(f"{path!r} as Unicode text", "lone surrogates")
        if (found := self.identity(files)) != agent.text("id"):
            agent.wrong(f"the id {found} of its code", agent.parts["id"])
        self._came.add(found)
        return files

    def _seed(self, line: Line) -> None:
        agent = line.inside("agent")
        agent.choice("status", {"seed"})
        files, known = self._files(agent), self.archive.agents.find(agent.text("id"))
        if known is not None and known.status in _MEMBERS:
            self.done.known += 1
            return
        scored = score_of(agent) if agent.parts.get("score") is not None else {}
        columns = {
            "title": agent.text("title"),
            "hypothesis": agent.text("hypothesis"),
            "status": "seed",
            "kind": "seed",
            **scored,
            **times_of(agent),
            "proposal_id": None,
            "proposal_index": None,
            "run_id": None,
        }
        self._place(agent.text("id"), files, (), columns, known)
        self.database.event(
            "agent.seeded", agent_id=agent.text("id"), number=columns["number"], merged=True
        )

    def _proposal(self, line: Line) -> None:
        database, index = self.database, self._next
        state = line.choice("state", set(_TERMINAL))
        old, seen = line.integer("idx"), line.integer("seen_through")
        if self._indices and old <= self._indices[-1]:
            line.wrong("proposals in order", old)
        proposal_id = database.insert(
            "proposals",
            {
                "run_id": self._known_run(line),
                "idx": index,
                "seen_through": self._seen(seen, index),
                "rewriter": line.choice("rewriter", {"recombine", "model"}),
                "state": "open",
                "parents": encode(line.texts("parents", most=PARENTS)),
                "title": line.maybe_text("title"),
                "hypothesis": line.maybe_text("hypothesis"),
                "predicted_gain": line.maybe_real("predicted_gain"),
                "confidence": line.maybe_real("confidence"),
                **{name: json_of(line, name) for name in ("edit", "operation", "outcome")},
                "created_at": line.real("created_at"),
            },
        )
        self._indices.append(old)
        self._next += 1
        owner, agent_id = False, line.maybe_text("agent_id")
        if line.parts.get("agent") is not None:
            agent = line.inside("agent")
            agent_id = agent.text("id")
            owner = self._made(agent, state, line, proposal_id, index)
        if agent_id is not None and self.archive.agents.find(agent_id) is None:
            agent_id = None  # its code was never decided there, and did not come along
        database.execute(
            "UPDATE proposals SET state = ?, agent_id = ?, reason = ?, decided_at = ? WHERE id = ?",
            (
                *(state, agent_id, line.maybe_text("reason")),
                *(line.maybe_real("decided_at"), proposal_id),
            ),
        )
        self._gates(line, proposal_id, agent_id if owner else None)
        database.event(f"proposal.{state}", agent_id=agent_id, proposal_id=proposal_id, merged=True)
        self.done.proposals += 1

    def _known_run(self, line: Line) -> int:
        run = self._runs.get(line.integer("run_id"))
        if run is None:
            line.wrong("the id of a run in the bundle", line.parts["run_id"])
        return run

    def _seen(self, old: int, index: int) -> int:
        """What it saw there, in the indices of here."""
        before = bisect_right(self._indices, old)
        return index - len(self._indices) + before - 1 if before else -1

    def _made(self, agent: Line, state: str, line: Line, proposal_id: int, index: int) -> bool:
        """Keep the agent that a proposal made; whether it is this proposal's here."""
        admitted = state == "admitted"
        if state not in ("admitted", "rejected", "failed_smoke", "duplicate"):
            agent.wrong("no agent with a proposal that made none", state)
        agent.choice("status", {"admitted" if admitted else "rejected"})
        files, known = self._files(agent), self.archive.agents.find(agent.text("id"))
        parents = agent.texts("parents", most=PARENTS)
        for parent in parents:
            there = self.archive.agents.find(parent)
            if there is None or there.status not in _MEMBERS:
                agent.wrong("parents that are members", parent)
        if not parents or len(set(parents)) < len(parents):
            agent.wrong("one parent, or two different ones", parents)
        if admitted and not line.each("gates"):
            line.wrong("gates for an admission", "none")
        decided = known is not None and known.status != "candidate"
        if known is not None and (known.status in _MEMBERS or (decided and not admitted)):
            self.done.known += 1
            return False
        must = admitted and not self.scores.told  # else its scores come by themselves
        scored = score_of(agent) if must or agent.parts.get("score") is not None else {}
        columns = {
            "title": agent.text("title"),
            "hypothesis": agent.text("hypothesis"),
            "status": "admitted" if admitted else "rejected",
            "kind": agent.choice("kind", set(_KINDS)) if admitted else None,
            "run_id": self._known_run(line),
            "proposal_id": proposal_id,
            "proposal_index": index,
            **scored,
            **times_of(agent),
        }
        self._place(agent.text("id"), files, parents, columns, known)
        return True

    def _place(
        self,
        agent_id: str,
        files: Mapping[str, str],
        parents: tuple[str, ...] | list[str],
        columns: dict[str, Any],
        known: Agent | None,
    ) -> None:
        """Make the agent, or make of the one that is here what it is there."""
        columns["number"] = self.archive.agents.next_number()
        if known is None:
            self.archive.agents.insert(agent_id, files, parents, columns)
            self.done.new += 1
        else:
            if known.number is not None:
                self.archive.nodes.forget(known.number)
                self.scores.promoted(agent_id, known.number)
            self.archive.agents.set(agent_id, **columns)
            self.archive.agents.set_parents(agent_id, parents)
            self.done.promoted += 1
        self.archive.nodes.decided(agent_id)

    def _gates(self, line: Line, proposal_id: int, agent_id: str | None) -> None:
        for position, gate in enumerate(line.each("gates", most=100)):
            self.database.insert(
                "gates",
                {
                    "proposal_id": proposal_id,
                    "agent_id": agent_id,
                    "position": position,
                    **{name: gate.text(name) for name in ("gate", "rule", "detail")},
                    **{n: gate.maybe_real(n) for n in ("threshold", "value", "lower", "upper")},
                    "verdict": gate.choice("verdict", {"pass", "fail", "info"}),
                },
            )

    def _evaluation(self, line: Line) -> None:
        agent_id = line.text("agent_id")
        if agent_id not in self._came:
            line.wrong("an evaluation of an agent in the bundle", agent_id)
        arrays: dict[str, dict[str, np.ndarray]] = {"curve": {}, "matrix": {}}
        for series in line.each("series"):
            kind = series.choice("kind", set(arrays))
            arrays[kind][series.text("name")] = array_of(series)
        line.choice("verdict", {"scored", "failed"})
        try:
            fields = plain(line.parts, COLUMNS)
        except UsageError as error:
            raise UsageError(f"line {line.number} of the bundle: {error}") from None
        result = Measurement(
            **fields,
            metrics=line.mapping("metrics"),
            provenance=line.mapping("provenance"),
            curves=arrays["curve"],
            matrices=arrays["matrix"],
            predictions={one.text("name"): array_of(one) for one in line.each("predictions")},
        )
        sealed = line.parts.get("sealed") is True
        self.done.evaluations += self.archive.evaluations.record(agent_id, result, sealed=sealed)

    def _spend(self, line: Line) -> None:
        run = line.maybe_integer("run_id")
        row = {
            "run_id": None if run is None else self._known_run(line),
            **{name: line.text(name) for name in ("phase", "model")},
            **{name: line.integer(name) for name in ("prompt_tokens", "completion_tokens")},
            **{name: line.real(name) for name in ("dollars", "at")},
            "estimated": int(line.integer("estimated") != 0),
        }
        self.database.insert("spend", row)

    def _improver(self, line: Line) -> None:
        self.archive.ledger.record_improver_check(
            line.text("improver_hash"), line.integer("valid") != 0, line.text("detail")
        )
