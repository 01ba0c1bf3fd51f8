"""The git lineage: a projection that tells the tree, and survives whatever happens to it."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.archive.lineage.repositories import git, loose_refs

from cambrian.archive import Archive
from cambrian.archive.lineage.lineage import Lineage
from cambrian.errors import CambrianError

if TYPE_CHECKING:
    from tests.archive.conftest import ArchiveFixture, Identity


ODD = {
    "learner.py": "naïve = 'Ωmega 🧬'\r\nx = 1\r\n",
    "NOTES.md": "no newline at the end",
    "parts/__init__.py": "",
    "parts/a b.py": "a\u2028b\x0cc\x85d\x00e\ttab\n\n\n",
}


def test_git_log_is_the_tree(garden: ArchiveFixture, tree: dict[str, str]) -> None:
    archive = garden.archive
    lineage = Lineage(archive)
    assert lineage.update() == 5
    assert lineage.update() == 0
    assert lineage.verify() == []
    log = git(archive, "log", "--all", "--format=%H|%P|%s|%an|%(trailers:key=Agent,valueonly)")
    commits = {name: lineage.commit(agent_id) or "" for name, agent_id in tree.items()}
    parents = {line.split("|")[0]: line.split("|")[1] for line in log.splitlines() if line}
    assert parents == {
        commits["one"]: "",
        commits["two"]: "",
        commits["child"]: commits["one"],
        commits["cross"]: f"{commits['child']} {commits['two']}",
        commits["leaf"]: commits["two"],
    }
    assert git(archive, "rev-parse", "HEAD", "champion").split() == [commits["cross"]] * 2
    assert git(archive, "rev-parse", "main").strip() == commits["leaf"]
    assert git(archive, "for-each-ref", "--format=%(refname)", "refs/agents").split() == sorted(
        f"refs/agents/{tree[name][:12]}" for name in ("cross", "leaf")
    )
    assert "rejected" not in log


def test_a_commit_tells_what_the_agent_is(garden: ArchiveFixture, tree: dict[str, str]) -> None:
    lineage = Lineage(garden.archive)
    lineage.update()
    shown = git(garden.archive, "log", "-1", "--format=%an <%ae> %ct%n%B", "champion")
    agent = garden.archive.agents.get(tree["cross"])
    assert agent.decided_at is not None
    assert shown.rstrip() == (
        f"Cambrian <cambrian@localhost> {int(agent.decided_at)}\n"
        f"cross\n\nbecause cross\n\n"
        f"Agent: {agent.id}\nNumber: 4\nKind: improvement\nScore: 0.900000"
    )


def test_a_message_cannot_steer_the_terminal_of_git_log(
    garden: ArchiveFixture, code_id: Identity
) -> None:
    files = {"learner.py": "class Learner:\n    pass\n"}
    garden.archive.agents.add_seed(code_id(files), files, "a\x1b[2J\u202eb\u200b\U000e0041\ufe0f")
    lineage = Lineage(garden.archive)
    lineage.update()
    log = git(garden.archive, "log", "-1", "--format=%B", f"{lineage.commit(code_id(files))}")
    assert log.startswith("a\\x1b[2J\\u202eb\\u200b\\U000e0041\\ufe0f\n")


def test_odd_text_reaches_git_byte_for_byte(garden: ArchiveFixture, code_id: Identity) -> None:
    archive = garden.archive
    archive.agents.add_seed(code_id(ODD), ODD, 'odd "title"\nsecond line\x00')
    lineage = Lineage(archive)
    lineage.update()
    commit = lineage.commit(code_id(ODD))
    names = git(archive, "ls-tree", "-r", "-z", "--name-only", f"{commit}").split("\0")[:-1]
    assert {name: git(archive, "show", f"{commit}:{name}") for name in names} == ODD
    subject = git(archive, "log", "-1", "--format=%s", f"{commit}").strip()
    assert subject == 'odd "title" second line\\x00'
    assert lineage.verify() == []


def test_a_file_that_a_child_dropped_is_gone_and_git_diff_shows_the_rewrite(
    garden: ArchiveFixture, code_id: Identity
) -> None:
    archive = garden.archive
    before = {"learner.py": "a\nb\n", "parts/old.py": "old\n"}
    archive.agents.add_seed(code_id(before), before, "seed")
    archive.agents.set_score(code_id(before), 0.1, 0.0, 0.2)
    proposal = garden.open(code_id(before))
    after = {"learner.py": "a\nc\n"}
    garden.vary(proposal, "rewrite", after)
    garden.admit(archive.proposals.get(proposal.id))
    lineage = Lineage(archive)
    lineage.update()
    diff = git(archive, "diff", "--name-status", "champion^", "champion")
    assert diff.split() == ["M", "learner.py", "D", "parts/old.py"]
    assert lineage.verify() == []


def test_growth_is_appended_in_batches_and_equals_a_rebuild(
    garden: ArchiveFixture,
) -> None:
    archive, lineage = garden.archive, Lineage(garden.archive, batch=3)
    agents = [garden.seed("root")]
    for step in range(8):
        agents.append(garden.grow(f"agent {step}", agents[step // 2], score=0.1 * step))
        if step % 3 == 0:
            assert lineage.update() > 0
            assert loose_refs(archive) == []
    lineage.update()
    assert lineage.verify() == []
    refs = git(archive, "show-ref")
    assert lineage.rebuild() == 9
    assert git(archive, "show-ref") == refs
    assert loose_refs(archive) == []
    assert lineage.verify() == []
    assert sorted(p.name for p in archive.path.glob("lineage.git*")) == ["lineage.git"]


def test_a_seed_scored_after_its_commit_keeps_its_commit(garden: ArchiveFixture) -> None:
    lineage = Lineage(garden.archive)
    seed = garden.seed("seed", score=None)
    lineage.update()
    commit = lineage.commit(seed)
    garden.archive.agents.set_score(seed, 0.5, 0.4, 0.6)
    assert lineage.update() == 0
    assert lineage.commit(seed) == commit
    assert git(garden.archive, "rev-parse", "champion").strip() == commit
    assert lineage.verify() == []


def test_refs_that_people_made_stay_as_they_are(
    garden: ArchiveFixture, tree: dict[str, str]
) -> None:
    """A branch, a tag with a message, notes: packed and loose, also while git runs beside."""
    lineage = Lineage(garden.archive)
    lineage.update()
    who = ["-c", "user.name=me", "-c", "user.email=me@localhost"]
    git(garden.archive, "branch", "look", "main")
    git(garden.archive, *who, "tag", "-a", "paper", "-m", "figure 3", "main")
    git(garden.archive, *who, "notes", "add", "-m", "odd", "main")
    theirs = {"refs/heads/look", "refs/tags/paper", "refs/notes/commits"}
    before = dict(line.split()[::-1] for line in git(garden.archive, "show-ref").splitlines())
    assert theirs <= before.keys()
    garden.grow("later", tree["leaf"], score=0.1)
    lineage.update()  # they are loose
    git(garden.archive, "pack-refs", "--all")
    last = garden.grow("last", tree["leaf"], score=0.1)
    lineage.update()  # they are packed
    after = dict(line.split()[::-1] for line in git(garden.archive, "show-ref").splitlines())
    assert {ref: after[ref] for ref in theirs} == {ref: before[ref] for ref in theirs}
    assert git(garden.archive, "rev-parse", "paper^{commit}") == f"{before['refs/heads/main']}\n"
    assert after["refs/heads/main"] == lineage.commit(last)
    assert lineage.verify() == []
    git(garden.archive, "fsck", "--strict")


def test_a_repository_whose_refs_were_converted_is_made_anew(
    garden: ArchiveFixture, tree: dict[str, str]
) -> None:
    lineage = Lineage(garden.archive)
    lineage.update()
    (lineage.path / "reftable").mkdir()
    garden.grow("later", tree["leaf"], score=0.1)
    assert lineage.update() == 6
    assert not (lineage.path / "reftable").exists()
    assert lineage.verify() == []


def test_a_clone_of_a_lineage_that_is_behind_has_something_in_it(
    garden: ArchiveFixture, tree: dict[str, str], tmp_path: Path
) -> None:
    """The champion is not committed yet: its branch is where `main` is until then."""
    lineage = Lineage(garden.archive)
    lineage.update()
    git(garden.archive, "update-ref", "-d", "refs/heads/champion")
    garden.grow("best", tree["leaf"], score=0.99)
    lineage.restore_refs()
    assert git(garden.archive, "rev-parse", "champion") == git(garden.archive, "rev-parse", "main")
    git(garden.archive, "clone", "--quiet", str(lineage.path), str(tmp_path / "clone"))
    assert (tmp_path / "clone" / "learner.py").is_file()


def test_there_is_no_ref_per_agent_and_nothing_is_lost(garden: ArchiveFixture) -> None:
    """Older leaves are tied into sheaves, the same ones whatever the batches were."""
    archive, lineage = garden.archive, Lineage(garden.archive, sheaf=4)
    agents = [garden.seed("root")]
    for step in range(40):
        agents.append(garden.grow(f"agent {step}", agents[step // 5], score=0.01 * step))
        if step % 3 == 0:
            lineage.update()
            assert len(git(archive, "for-each-ref").splitlines()) <= 2 * 4 + 4
    lineage.update()
    assert lineage.verify() == []
    found = git(archive, "log", "--all", "--format=%(trailers:key=Agent,valueonly)").split()
    assert sorted(found) == sorted(agents)
    clone = archive.path / "clone"
    git(archive, "clone", "--quiet", "--mirror", str(lineage.path), str(clone))
    refs = git(archive, "show-ref")
    lineage.rebuild()
    assert git(archive, "show-ref") == refs


def test_packs_stay_few_and_compacting_leaves_one(garden: ArchiveFixture) -> None:
    lineage = Lineage(garden.archive, packs=4)
    last = garden.seed("root")
    packs = lineage.path / "objects" / "pack"
    for step in range(12):
        last = garden.grow(f"agent {step}", last, score=0.01 * step)
        lineage.update()
        assert len(list(packs.glob("*.pack"))) <= 4
    lineage.compact()
    assert len(list(packs.glob("*.pack"))) == 1
    assert lineage.verify() == []
    assert git(garden.archive, "count-objects").startswith("0 objects")


def test_a_repository_of_an_earlier_layout_is_made_anew(
    garden: ArchiveFixture, tree: dict[str, str]
) -> None:
    lineage = Lineage(garden.archive)
    lineage.update()
    with closing(sqlite3.connect(lineage.path / "cambrian.db")) as held:
        held.executescript("DROP TABLE leaves; DROP TABLE sheaves; PRAGMA user_version = 0")
    assert "another layout" in lineage.verify()[0]
    assert lineage.update() == 5
    assert lineage.verify() == []


def test_the_users_git_settings_change_nothing(
    garden: ArchiveFixture, tree: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lineage = Lineage(garden.archive)
    lineage.update()
    plain = git(garden.archive, "show-ref")
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "reference-transaction").write_text("#!/bin/sh\nexit 1\n")
    (hooks / "reference-transaction").chmod(0o755)
    config = tmp_path / "gitconfig"
    config.write_text(
        f"[core]\n\thooksPath = {hooks}\n\tautocrlf = true\n[commit]\n\tgpgsign = true\n"
        f"[init]\n\tdefaultObjectFormat = sha256\n\ttemplateDir = {tmp_path}\n"
    )
    with monkeypatch.context() as patch:
        patch.setenv("GIT_CONFIG_GLOBAL", str(config))
        for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_OBJECT_DIRECTORY", "GIT_INDEX_FILE"):
            patch.setenv(name, str(tmp_path / "elsewhere"))
        patch.setenv("GIT_AUTHOR_NAME", "Somebody Else")
        patch.setenv("GIT_DEFAULT_HASH", "sha256")
        assert lineage.rebuild() == 5
        assert lineage.verify() == []
    assert git(garden.archive, "show-ref") == plain
    assert not (tmp_path / "elsewhere").exists()


def test_an_archive_without_agents_needs_no_repository(archive: Archive) -> None:
    lineage = Lineage(archive)
    assert lineage.verify() == []
    assert lineage.commit("a" * 64) is None
    assert lineage.update() == 0
    assert lineage.update() == 0
    assert lineage.verify() == []


def test_without_git_the_message_says_so(
    garden: ArchiveFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    garden.seed()
    Lineage(garden.archive).update()
    (tmp_path / "bin").mkdir()
    env = shutil.which("env")
    assert env is not None
    (tmp_path / "bin" / "env").symlink_to(env)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(CambrianError, match="install"):
        Lineage(garden.archive).rebuild()
