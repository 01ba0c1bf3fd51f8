"""Bundles: what goes out comes in, two lineages become one, and hostile ones leave nothing."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cambrian.archive import Archive
from cambrian.archive.lineage.lineage import Lineage
from cambrian.archive.transfer.bundle import export
from cambrian.archive.transfer.check import check
from cambrian.archive.transfer.lines import Bounds
from cambrian.archive.transfer.merging import merge
from cambrian.errors import CambrianError, Refused, UsageError

if TYPE_CHECKING:
    from tests.archive.conftest import ArchiveFixture, Grow, Identity

Lines = list[dict[str, Any]]


@pytest.fixture
def tree(garden: ArchiveFixture) -> Archive:
    """one ── child ── grandchild (both admitted), one ── rejected, a duplicate, a failed smoke."""
    archive = garden.archive
    one, two = garden.seed("one", 0.2), garden.seed("two", 0.3)
    child = garden.grow("child", one, score=0.5)
    garden.grow("grandchild", child, two, score=0.7, stone=True)
    garden.reject(garden.propose("rejected", one))
    garden.propose("child", one)
    archive.proposals.close(garden.propose("crash", one).id, "failed_smoke", "raised")
    curve = np.linspace(0, 1, 7, dtype=np.float32)
    archive.evaluations.record(
        child, garden.evaluation(stage="full", curves={"c": curve}, matrices={"m": np.eye(2)})
    )
    archive.evaluations.record(
        one, garden.evaluation(stage="sealed", predictions={"p": np.arange(3)}), sealed=True
    )
    archive.ledger.add_spend(
        phase="x", model="m", prompt_tokens=1, completion_tokens=2, dollars=0.5, run_id=1
    )
    garden.propose("under way", one)
    return archive


def finish(archive: Archive) -> None:
    """No run and no proposal is left open."""
    for proposal in archive.proposals.undecided():
        archive.proposals.close(proposal.id, "invalid", "given up")
    if (run := archive.runs.current()) is not None:
        archive.runs.end(run.id, "finished")


def portrait(archive: Archive) -> dict[str, Any]:
    """What an archive says of its members, whatever its numbers are."""
    rows = archive.database.rows
    return {
        "agents": rows(
            "SELECT id, status, kind, title, hypothesis, depth, score, lower, upper, created_at, "
            "decided_at FROM agents WHERE status <> 'candidate' ORDER BY id"
        ),
        "parents": rows(
            "SELECT * FROM parents p WHERE child_id IN (SELECT id FROM agents WHERE "
            "status <> 'candidate') ORDER BY 1, 2"
        ),
        "evaluations": rows(
            "SELECT agent_id, benchmark, stage, seed, verdict, score, metrics FROM evaluations "
            "ORDER BY 1, 2, 3, 4"
        ),
        "series": rows("SELECT name, kind, dtype, shape, data FROM series ORDER BY name"),
        "gates": rows("SELECT gate, rule, verdict, agent_id FROM gates ORDER BY agent_id, id"),
        "clades": rows(
            "SELECT a.id, n.children, n.clade_members, n.clade_trials, n.clade_successes "
            "FROM nodes n JOIN agents a ON a.number = n.number ORDER BY 1"
        ),
        "sealed": archive.counts()["sealed_evaluations_scored"],
        "dollars": archive.ledger.total().dollars,
    }


def test_what_goes_out_comes_in(tree: Archive, tmp_path: Path, code_id: Identity) -> None:
    assert export(tree, tmp_path / "bundle") == 6
    with Archive.create(tmp_path / "new") as new:
        done = merge(new, tmp_path / "bundle", code_id)
        assert (done.new, done.known, done.promoted, done.proposals) == (6, 0, 0, 5)
        assert portrait(new) == portrait(tree)
        child = tree.agents.select()[2].id
        files = new.agents.files(child)
        assert files == tree.agents.files(child)
        Lineage(new).update()
        assert check(new, identity=code_id) == []
        again = merge(new, tmp_path / "bundle", code_id)
        assert (again.new, again.promoted, again.evaluations) == (0, 0, 0)
        Lineage(new).update()
        assert check(new, identity=code_id) == []


def test_a_bundle_does_not_say_where_models_are(
    tree: Archive, tmp_path: Path, code_id: Identity
) -> None:
    place = {"base_url": "http://10.0.0.5:8000/v1", "key_file": "secret-place", "key_env": "MINE"}
    told = json.dumps({"seed": 1, "model": "near", "endpoints": {"near": place}})
    tree.database.execute("UPDATE runs SET settings = ?", (told,))
    export(tree, tmp_path / "bundle")
    text = gzip.decompress((tmp_path / "bundle").read_bytes()).decode()
    assert '"model":"near"' in text
    assert not [part for part in ("endpoints", *place.values()) if part in text]
    with Archive.create(tmp_path / "new") as new:
        merge(new, tmp_path / "bundle", code_id)
        Lineage(new).update()
        assert check(new, identity=code_id) == []
        assert new.database.value("SELECT settings FROM runs") == '{"model":"near","seed":1}'


def test_two_lineages_become_one_and_the_same_code_one_agent(
    tree: Archive, tmp_path: Path, grow: Grow, code_id: Identity
) -> None:
    """The other archive has a seed in common, rejected our child, and admitted what we rejected."""
    export(tree, tmp_path / "bundle")
    with Archive.create(tmp_path / "other") as other:
        theirs = grow(other)
        one = theirs.seed("one", 0.2)
        theirs.reject(theirs.propose("child", one))
        beyond = theirs.grow("rejected", one, score=0.4)
        theirs.grow("only there", beyond, score=0.6)
        Lineage(other).update()
        finish(other)
        done = merge(other, tmp_path / "bundle", code_id)
        assert done.promoted == 1
        Lineage(other).update()
        assert check(other, identity=code_id) == []
        members = {agent.title: agent for agent in other.agents.select()}
        assert sorted(members) == ["child", "grandchild", "one", "only there", "rejected", "two"]
        assert members["child"].score == 0.5
        assert members["grandchild"].parents[0] == members["child"].id
        assert other.agents.ancestors(members["only there"].id) == {beyond: 1, one: 2}
        seen = other.proposals.select()
        assert [proposal.idx for proposal in seen] == list(range(len(seen)))
        assert all(-1 <= proposal.seen_through < proposal.idx for proposal in seen)


def test_merging_waits_for_a_run_to_end(tree: Archive, tmp_path: Path, code_id: Identity) -> None:
    export(tree, tmp_path / "bundle")
    with pytest.raises(Refused, match="run 1 is running"):
        merge(tree, tmp_path / "bundle", code_id)


def test_scores_of_other_benchmarks_are_not_mixed_in_silently(
    tree: Archive, tmp_path: Path, grow: Grow, code_id: Identity
) -> None:
    export(tree, tmp_path / "bundle")
    with Archive.create(tmp_path / "other") as other:
        theirs = grow(other)
        seed = theirs.seed("elsewhere")
        other.evaluations.record(seed, theirs.evaluation(stage="full", version="2"))
        with pytest.raises(Refused, match="cannot be compared"):
            merge(other, tmp_path / "bundle", code_id)
        assert other.counts()["agents"] == 1
        assert merge(other, tmp_path / "bundle", code_id, other_benchmarks=True).new == 6


GROWTH = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 50), st.booleans()), max_size=14)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(ours=GROWTH, theirs=GROWTH)
def test_merging_keeps_every_member_of_both(
    ours: list[tuple[int, int, bool]],
    theirs: list[tuple[int, int, bool]],
    grow: Grow,
    code_id: Identity,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("merge")
    with Archive.create(folder / "a") as one, Archive.create(folder / "b") as two:
        for archive, steps in ((one, ours), (two, theirs)):
            garden = grow(archive)
            members = [garden.seed("common"), garden.seed(f"seed of {len(steps)}")]
            for text, parent, admitted in steps:
                proposal = garden.propose(f"text {text}", members[parent % len(members)])
                if proposal.state != "proposed":
                    continue
                if admitted:
                    members.append(garden.admit(proposal, 0.01 * text).id)
                else:
                    garden.reject(proposal)
            finish(archive)
        wanted = {a.id for archive in (one, two) for a in archive.agents.select()}
        export(two, folder / "bundle")
        merge(one, folder / "bundle", code_id)
        assert {a.id for a in one.agents.select()} == wanted
        for agent in one.agents.select():
            assert all(one.agents.get(p).number < agent.number for p in agent.parents)  # type: ignore[operator]
        Lineage(one).update()
        assert check(one, identity=code_id) == []


# -- hostile bundles -----------------------------------------------------------------------


def unpacked(path: Path) -> Lines:
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


def packed(lines: Lines, path: Path, *, tail: bool = True) -> Path:
    """A bundle of these lines, with a tail that fits them."""
    text = b"".join(json.dumps(line).encode() + b"\n" for line in lines if line["t"] != "tail")
    if tail:
        count = sum(line["t"] != "tail" for line in lines)
        end = {"t": "tail", "lines": count, "sha256": hashlib.sha256(text).hexdigest()}
        text += json.dumps(end).encode() + b"\n"
    path.write_bytes(gzip.compress(text))
    return path


def first(lines: Lines, kind: str, having: str = "t") -> dict[str, Any]:
    return next(line for line in lines if line["t"] == kind and line.get(having) is not None)


def rename(lines: Lines, path: str) -> None:
    agent = first(lines, "seed")["agent"]
    agent["files"] = {path: next(iter(agent["files"].values()))}


def _set(kind: str, name: str, value: Any, inside: str = "") -> Callable[[Lines], None]:
    def change(lines: Lines) -> None:
        line = first(lines, kind, inside or "t")
        (line[inside] if inside else line)[name] = value

    return change


HOSTILE: dict[str, Callable[[Lines], None]] = {
    "a path that leaves": lambda lines: rename(lines, "../../etc/cron.d/x"),
    "an absolute path": lambda lines: rename(lines, "/etc/passwd"),
    "a path into git": lambda lines: rename(lines, ".git/config"),
    "code under another id": _set("seed", "id", "0" * 64, "agent"),
    "another code under the same hash": _set("source", "text", "import os"),
    "a hash in another case": _set("source", "hash", "A" * 64),
    "a source that never came": lambda lines: lines.remove(first(lines, "source")),
    "a parent that is nowhere": _set("proposal", "parents", ["f" * 64], "agent"),
    "no parent": _set("proposal", "parents", [], "agent"),
    "an admission without gates": _set("proposal", "gates", []),
    "an admission without a score": _set("proposal", "score", None, "agent"),
    "a state of its own": _set("proposal", "state", "champion"),
    "an undecided state": _set("proposal", "state", "open"),
    "a score that is text": _set("proposal", "score", "0.9", "agent"),
    "a score beyond numbers": _set("proposal", "score", 10**400, "agent"),
    "an integer beyond SQLite": _set("proposal", "idx", 10**30),
    "proposals out of order": lambda lines: lines.append(first(lines, "proposal")),
    "a run that is nowhere": _set("proposal", "run_id", 99),
    "an evaluation of another agent": _set("evaluation", "agent_id", "e" * 64),
    "a verdict of its own": _set("evaluation", "verdict", "won"),
    "a series that is a pickle": _set(
        "evaluation",
        "series",
        [{"name": "x", "kind": "curve", "dtype": "|O", "shape": [1], "data": "gASVCg=="}],
    ),
    "a series bigger than its data": _set(
        "evaluation",
        "series",
        [{"name": "x", "kind": "curve", "dtype": "<f8", "shape": [10**12], "data": "eJwDAAAAAAE="}],
    ),
    "a line of its own kind": lambda lines: lines.insert(1, {"t": "trigger", "sql": "DROP"}),
    "two heads": lambda lines: lines.insert(3, lines[0]),
    "no head": lambda lines: lines.__delitem__(0),
    "another format": _set("head", "format", "zip"),
    "a newer version": _set("head", "version", 99),
}


@pytest.fixture
def hostile(tree: Archive, tmp_path: Path) -> Iterator[tuple[Lines, Archive]]:
    export(tree, tmp_path / "honest")
    with Archive.create(tmp_path / "target") as target:
        yield unpacked(tmp_path / "honest"), target


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_bundle_leaves_nothing(
    hostile: tuple[Lines, Archive], tmp_path: Path, code_id: Identity, what: str
) -> None:
    lines, target = hostile
    HOSTILE[what](lines)
    with pytest.raises((UsageError, Refused)):
        merge(target, packed(lines, tmp_path / "hostile"), code_id)
    assert target.counts()["agents"] == 0
    assert target.events() == []
    assert target.database.value("SELECT count(*) FROM runs") == 0


def test_the_bundles_of_these_tests_are_honest_but_for_the_change(
    hostile: tuple[Lines, Archive], tmp_path: Path, code_id: Identity
) -> None:
    lines, target = hostile
    assert merge(target, packed(lines, tmp_path / "same"), code_id).new == 6


def test_a_bundle_that_was_changed_cut_off_or_is_none_is_refused(
    hostile: tuple[Lines, Archive], tmp_path: Path, code_id: Identity
) -> None:
    lines, target = hostile
    honest = (tmp_path / "honest").read_bytes()
    text = gzip.decompress(honest)
    cases = {
        "cut": honest[: len(honest) // 2],
        "changed": gzip.compress(text.replace(b"grandchild", b"grandchilt")),
        "longer": gzip.compress(text + text.splitlines()[1]),
        "plain": text,
        "zip": b"PK\x03\x04" + b"\x00" * 40,
        "empty": b"",
        "odd": gzip.compress(b"[" * 100_000 + b"\n"),
    }
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UsageError):
            merge(target, tmp_path / name, code_id)
    with pytest.raises(UsageError):
        merge(target, packed(lines, tmp_path / "endless", tail=False), code_id)
    with pytest.raises(CambrianError):
        merge(target, tmp_path, code_id)
    assert target.counts()["agents"] == 0


def test_a_bomb_is_refused_before_it_goes_off(
    hostile: tuple[Lines, Archive], tmp_path: Path, code_id: Identity
) -> None:
    _, target = hostile
    bounds = Bounds(line=1 << 20, easy=1 << 20, ratio=100)
    (tmp_path / "one line").write_bytes(gzip.compress(b"x" * (64 << 20)))
    head = gzip.decompress((tmp_path / "honest").read_bytes()).splitlines()[0] + b"\n"
    line = json.dumps({"t": "source", "hash": hashlib.sha256(b"").hexdigest(), "text": ""})
    many = head + (line.encode() + b"\n") * 60_000
    (tmp_path / "many lines").write_bytes(gzip.compress(many))
    with pytest.raises(UsageError, match="lines of at most"):
        merge(target, tmp_path / "one line", code_id, bounds=bounds)
    with pytest.raises(UsageError, match="times as big"):
        merge(target, tmp_path / "many lines", code_id, bounds=bounds)
    assert target.counts()["agents"] == 0


def test_an_export_goes_into_a_new_file_or_nowhere(tree: Archive, tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    with pytest.raises(UsageError, match="there already"):
        export(tree, tmp_path / "there")
    assert sorted(os.listdir(tmp_path)) == ["home", "there"]
