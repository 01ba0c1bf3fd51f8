"""The members as decided through a proposal, in arrays that are kept up to date.

Loaded once from `nodes` (about two seconds for a million), then moved on from decision to
decision at a cost that does not depend on how many there are. A proposal that sees the archive as
decided through k − L sees in here exactly what `Agents.members(k − L)` lists, whenever and in
whichever process it looks: positions are in the order of joining (seeds first), which is the same
however the arrays came about.

Nothing that is recorded of an agent after it was decided enters its counts (see
`cambrian.archive.tables.clades`), so that a table that was kept and one that is loaded are equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cambrian.archive import Archive
from cambrian.archive.sqlite.database import Row
from cambrian.evolution.selection.arrays import Column, Floats, Integers
from cambrian.evolution.selection.vectors import ScoreVectors

_COLUMNS = (
    *("number", "parent", "proposal_index", "score", "children", "successes", "trials"),
    *("clade_successes", "clade_trials", "clade_members"),
)
_SHAPE = np.dtype([(name, np.float64 if name == "score" else np.int64) for name in _COLUMNS])

_MEMBERS = """
SELECT number, ifnull(parent, -1), ifnull(proposal_index, -1), score, children, successes, trials,
       clade_successes, clade_trials, clade_members
FROM nodes
WHERE member AND score IS NOT NULL AND (proposal_index IS NULL OR proposal_index <= :through)
ORDER BY number
"""

# Those decided later (proposal order), or since (free order): members and rejected ones.
_LATER = "SELECT * FROM nodes WHERE proposal_index > :through ORDER BY proposal_index"
_NEXT = """
SELECT * FROM nodes WHERE proposal_index > :after AND proposal_index <= :through
ORDER BY proposal_index
"""
_SINCE = "SELECT * FROM nodes WHERE number > :number ORDER BY number"
# Parked when everything through it was decided, tried again since: it stands among those before.
# By number (the plus sees to it): those are few, while nearly all have a smaller index.
_LATE = "SELECT 1 FROM nodes WHERE number > :number AND +proposal_index <= :through LIMIT 1"

_ABOVE = "SELECT parent FROM nodes WHERE number = ?"

_PARENTS = """
SELECT a.number FROM agents c
JOIN parents p ON p.child_id = c.id JOIN agents a ON a.id = p.parent_id
WHERE c.number = ? ORDER BY p.position
"""

_EVERYTHING = 2**62


@dataclass(frozen=True)
class Joined:
    """What is known of a member that joins; the fields are those of the columns of `Members`."""

    number: int
    score: float
    parent: int
    proposal: int
    successes: int
    trials: int


class MemberListener:
    """Told of every change to the members, so that it need not look for them. Ignores them all."""

    def loaded(self, members: Members) -> None:
        """Everything was loaded anew."""

    def added(self, members: Members, position: int) -> None:
        """A member added at the end."""

    def child_added(self, members: Members, position: int) -> None:
        """A member got another child."""


class Members:
    """Members by position, in the order of joining: what a strategy may look at.

    Empty at first; `climb` and `join` move it on. An archive's are a `MemberTable`; a simulated
    search (`cambrian.experiments`) keeps its own.

    Args:
        listener: told of what changes (`loaded` only by who loads).
        streams: entries of a score vector, 0 where the listener needs none.

    Attributes:
        number, score, children, parent, successes, trials: columns over positions; `parent` is a
            position, −1 for a root. Successes are in units of `archive.tables.clades.UNIT`.
        proposal: the number of the proposal that a member came of, −1 for a seed.
        clade_successes, clade_trials, clade_members: over the member and its descendants.
        vectors: score vectors, (n, streams), where the listener needs them, else (n, 0).
    """

    def __init__(self, listener: MemberListener, streams: int = 0) -> None:
        self._listener = listener
        self.number = Column(np.zeros(0, dtype=np.int64))
        self.score = Column(np.zeros(0))
        self.children = Column(np.zeros(0, dtype=np.int64))
        self.parent = Column(np.zeros(0, dtype=np.int64))
        self.proposal = Column(np.zeros(0, dtype=np.int64))
        self.successes = Column(np.zeros(0, dtype=np.int64))
        self.trials = Column(np.zeros(0, dtype=np.int64))
        self.clade_successes = Column(np.zeros(0, dtype=np.int64))
        self.clade_trials = Column(np.zeros(0, dtype=np.int64))
        self.clade_members = Column(np.zeros(0, dtype=np.int64))
        self.vectors = Column(np.zeros((0, streams)))
        self._kin: Integers = np.zeros(0, dtype=np.int64)
        self._first: Integers = np.zeros(1, dtype=np.int64)
        self._born: dict[int, list[int]] = {}

    def __len__(self) -> int:
        return len(self.number)

    def climb(self, position: int, successes: int, trials: int, members: int) -> None:
        """Add an outcome below `position` to it and to its ancestors by primary parent."""
        parent = self.parent.values
        while position >= 0:
            self.clade_successes.values[position] += successes
            self.clade_trials.values[position] += trials
            self.clade_members.values[position] += members
            position = int(parent[position])

    def join(self, joined: Joined, vector: Floats, parents: Sequence[int]) -> None:
        """A member comes in at the end, and the listener is told. Its ancestors are told of what
        it adds to their clades by `climb`, before.

        Args:
            vector: its scores on the streams, (streams,).
            parents: the positions of both parents, of those that are here.
        """
        position = len(self)
        for column, value in (
            (self.number, joined.number),
            (self.score, joined.score),
            (self.children, 0),
            (self.parent, joined.parent),
            (self.proposal, joined.proposal),
            (self.successes, joined.successes),
            (self.trials, joined.trials),
            (self.clade_successes, joined.successes),
            (self.clade_trials, joined.trials),
            (self.clade_members, 1),
        ):
            column.append(value)
        self.vectors.append(vector)
        self._born.setdefault(joined.parent, []).append(position)
        self._listener.added(self, position)
        for other in parents:
            self.children.values[other] += 1
            self._listener.child_added(self, other)

    def agent_id(self, position: int) -> str:
        """The id of the member there; its number where there is no archive."""
        return str(self.number.values[position])

    def below(self, position: int) -> list[int]:
        """The children of a member by primary parent, in the order of joining; the roots for −1."""
        born = self._born.get(position, [])
        if not 0 <= position < len(self._first) - 1:
            return born
        loaded: list[int] = self._kin[self._first[position] : self._first[position + 1]].tolist()
        return loaded + born


class MemberTable(Members):
    """The members of an archive, as decided through a proposal."""

    def __init__(
        self, archive: Archive, listener: MemberListener, vectors: ScoreVectors | None = None
    ) -> None:
        super().__init__(listener)
        self._archive = archive
        self._vectors = vectors
        self._through: int | None = None
        self._fixed = True
        self._newest = 0

    def see(self, through: int | None) -> None:
        """Be as decided through this proposal; None: everything that was decided by now."""
        fixed, limit = through is not None, _EVERYTHING if through is None else through
        if (
            self._through is None
            or fixed != self._fixed
            or limit < self._through
            or (fixed and self._overtaken(self._through))
        ):
            self._fixed = fixed
            self._load(limit)
        elif not fixed:
            self._move_on(self._archive.database.rows(_SINCE, {"number": self._newest}))
        elif limit != self._through:
            keys = {"after": self._through, "through": limit}
            self._move_on(self._archive.database.rows(_NEXT, keys))
        self._through = limit

    def _overtaken(self, through: int) -> bool:
        """Whether one of those that were seen already was decided since."""
        keys = {"number": self._newest, "through": through}
        return self._archive.database.value(_LATE, keys) is not None

    def _load(self, through: int) -> None:
        rows = np.fromiter(
            self._archive.database.tuples(_MEMBERS, {"through": through}), dtype=_SHAPE
        )
        if self._fixed:
            rows = rows[np.argsort(rows["proposal_index"], kind="stable")]
        found = self._archive.database.value("SELECT max(number) FROM nodes")
        self._newest = int(found or 0)
        self._position = Column(np.full(self._newest + 1, -1, dtype=np.int64))
        self._position.values[rows["number"]] = np.arange(len(rows))
        self.number = Column(rows["number"])
        self.score = Column(rows["score"])
        self.children = Column(rows["children"])
        parents = np.where(rows["parent"] < 0, 0, rows["parent"])
        self.parent = Column(np.where(rows["parent"] < 0, -1, self._position.values[parents]))
        for at in np.flatnonzero((rows["parent"] >= 0) & (self.parent.values < 0)):
            self.parent.values[at] = self._nearest(int(rows["parent"][at]))
        self.proposal = Column(rows["proposal_index"])
        self.successes, self.trials = Column(rows["successes"]), Column(rows["trials"])
        self.clade_successes = Column(rows["clade_successes"])
        self.clade_trials = Column(rows["clade_trials"])
        self.clade_members = Column(rows["clade_members"])
        self.vectors = Column(self._read_vectors(rows["number"], rows["score"]))
        self._index_children(rows)
        self._take_back(through)
        self._listener.loaded(self)

    def _read_vectors(self, numbers: Integers, scores: Floats) -> Floats:
        if self._vectors is None or not len(numbers):
            return np.zeros((len(numbers), 0))
        return self._vectors.of(numbers, scores)

    def _index_children(self, rows: np.ndarray) -> None:
        """Children by primary parent: a slice of one array for what was loaded."""
        parent = self.parent.values
        order = np.argsort(parent, kind="stable")
        self._kin: Integers = order[np.searchsorted(parent[order], 0) :]
        self._first = np.searchsorted(parent[self._kin], np.arange(len(rows) + 1))
        self._born: dict[int, list[int]] = {-1: order[: len(order) - len(self._kin)].tolist()}

    def _take_back(self, through: int) -> None:
        """The counts in the database are of now: without what was decided later."""
        if through >= _EVERYTHING:
            return
        later = self._archive.database.rows(_LATER, {"through": through})
        above = {row["number"]: row["parent"] for row in later}
        for row in later:
            ancestor = row["parent"]
            while ancestor in above:
                ancestor = above[ancestor]
            self._climb(row, self._nearest(ancestor), -1)
            if row["member"] and row["score"] is not None:
                for position in self._parents(row["number"]):
                    self.children.values[position] -= 1

    def _at(self, number: int | None) -> int:
        known = number is not None and number < len(self._position)
        return int(self._position.values[number]) if known else -1

    def _nearest(self, number: int | None) -> int:
        """The position of this agent or, where it is not here (it has no score in the suite), of
        its nearest ancestor by primary parent that is."""
        position = self._at(number)
        while position < 0 and number is not None:
            number = self._archive.database.value(_ABOVE, (number,))
            position = self._at(number)
        return position

    def _parents(self, number: int) -> list[int]:
        """Positions of both parents, of those that are here."""
        rows = self._archive.database.rows(_PARENTS, (number,))
        return [at for row in rows if (at := self._at(row["number"])) >= 0]

    def _climb(self, row: Row, position: int, sign: int) -> None:
        """Add a decided agent's outcome to its ancestors, or take it away."""
        counts = row["member"] and row["score"] is not None
        self.climb(position, sign * row["successes"], sign * row["trials"], sign * int(counts))

    def _move_on(self, rows: list[Row]) -> None:
        for row in rows:
            self._newest = max(self._newest, row["number"])
            parent = self._nearest(row["parent"])
            self._climb(row, parent, 1)
            if row["member"] and row["score"] is not None:
                self._join(row, parent)

    def _join(self, row: Row, parent: int) -> None:
        position = len(self)
        while len(self._position) <= row["number"]:
            self._position.append(-1)
        self._position.values[row["number"]] = position
        joined = Joined(
            row["number"],
            row["score"],
            parent,
            row["proposal_index"],
            row["successes"],
            row["trials"],
        )
        one = np.array([row["number"]]), np.array([row["score"]])
        self.join(joined, self._read_vectors(*one)[0], self._parents(row["number"]))

    def agent_id(self, position: int) -> str:
        """The id of the member there."""
        number = int(self.number.values[position])
        return str(
            self._archive.database.value("SELECT id FROM agents WHERE number = ?", (number,))
        )
