"""`cambrian.open`, the views as a public interface, and SQL that can only ask."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import cambrian
from cambrian.archive import Archive
from cambrian.archive.reader import Reader
from cambrian.errors import NotFound, Refused, UsageError

if TYPE_CHECKING:
    from tests.archive.conftest import ArchiveFixture

DOCUMENT = Path(__file__).parents[2] / "docs" / "archive.md"

VIEWS = {
    "agent_files": "agent_id path source_hash",
    "agent_tree": "id parent_id level number status kind title score lower upper name",
    "clade": "number id title members children trials successes mean own_trials own_successes",
    "evaluations_by_benchmark": "benchmark version stage agents scored failed broken mean_score "
    "best_score cpu_s wall_s flops",
    "event_log": "seq at kind run_id agent_id proposal_id job_id data",
    "gates": "id proposal_id agent_id position gate rule threshold value lower upper verdict "
    "detail",
    "leaderboard": "id number kind title score lower upper depth",
    "lineage": "agent ancestor distance",
    "spend_by_day": "day model calls prompt_tokens completion_tokens dollars",
    "stepping_stones": "id number title score lower upper decided_at used",
    "suite_scores": "suite hash current id number kind title score lower upper vector",
}
TABLES = {
    "scores": "suite_id number score lower upper vector",
    "suites": "id hash name definition current created_at opened_at",
    "series": "evaluation_id name kind dtype shape data",
}


@pytest.fixture
def home(garden: ArchiveFixture) -> Path:
    archive = garden.archive
    one = garden.seed("one", 0.2)
    child = garden.grow("child", one, score=0.6)
    garden.reject(garden.propose("rejected", child))
    curve = np.array([0.25, np.nan, 1.0], dtype=np.float32)
    archive.evaluations.record(
        child,
        garden.evaluation(score=0.6, cpu_s=2.0, curves={"probe": curve}, matrices={"m": np.eye(2)}),
    )
    archive.evaluations.record(child, garden.evaluation(seed=1, verdict="failed", score=None))
    archive.evaluations.record(one, garden.evaluation(score=0.2, stage="sealed"), sealed=True)
    archive.close()
    return archive.path


def test_views_have_the_columns_that_are_documented(home: Path) -> None:
    """Read without anything of ours, as `sqlite3` and Datasette do."""
    with closing(sqlite3.connect(f"file:{home / 'archive.db'}?mode=ro", uri=True)) as plain:
        names = [
            row[0] for row in plain.execute("SELECT name FROM sqlite_master WHERE type='view'")
        ]
        assert sorted(names) == sorted(VIEWS)
        for name, columns in {**VIEWS, **TABLES}.items():
            cursor = plain.execute(f"SELECT * FROM {name}")
            assert [column[0] for column in cursor.description] == columns.split(), name
            cursor.fetchall()


def test_the_document_names_every_view_and_column() -> None:
    text = DOCUMENT.read_text()
    for name, columns in {**VIEWS, **TABLES}.items():
        section = re.search(rf"^### `{name}`\n(.*?)(?=^#|\Z)", text, re.S | re.M)
        assert section is not None, name
        missing = [column for column in columns.split() if f"`{column}`" not in section[1]]
        assert missing == [], name


def questions() -> dict[str, str]:
    """The questions that the document shows, by the line above each."""
    found: dict[str, str] = {}
    for block in re.findall(r"```sql\n-- (.*?)```", DOCUMENT.read_text(), re.S):
        for question in block.split("\n\n-- "):
            name, sql = question.split("\n", 1)
            found[name] = sql
    return found


@pytest.mark.parametrize("question", questions().values(), ids=questions())
def test_every_question_in_the_document_is_answered_without_anything_of_ours(
    home: Path, question: str
) -> None:
    with closing(sqlite3.connect(f"file:{home / 'archive.db'}?mode=ro", uri=True)) as plain:
        agent = plain.execute("SELECT id FROM agents WHERE number = 2").fetchone()[0]
        cursor = plain.execute(question, {"agent": agent, "number": 2})
        assert cursor.description
        rows = cursor.fetchall()
        assert rows or ":" not in question, "of an agent that is there"


def test_agents_and_evaluations_are_rows_and_frames(home: Path) -> None:
    with cambrian.open(home) as archive:
        agents = archive.agents()
        assert [row["title"] for row in agents] == ["one", "child"]
        assert agents[1]["parent"] == agents[0]["id"]
        assert len(archive.agents(everyone=True)) == 3
        frame = agents.frame()
        assert frame["score"].tolist() == [0.2, 0.6]
        found = archive.evaluations("#2")
        assert [(row["seed"], row["verdict"]) for row in found] == [(0, "scored"), (1, "failed")]
        assert len(archive.evaluations()) == 2
        series = archive.series(found[0]["id"])
        assert series["m"].tolist() == [[1, 0], [0, 1]]
        assert archive.agents()[:1].frame().shape == (1, len(agents.columns))
        with pytest.raises(NotFound):
            archive.evaluations("#99")


def test_series_are_read_in_sql(home: Path) -> None:
    with cambrian.open(home) as archive:
        rows = archive.sql(
            "SELECT name, array_json(dtype, shape, data) AS value FROM series ORDER BY name"
        )
        assert [tuple(row.values()) for row in rows] == [
            ("m", "[[1.0, 0.0], [0.0, 1.0]]"),
            ("probe", "[0.25, null, 1.0]"),
        ]
        odd = archive.sql("SELECT array_json('<f4', '[9]', x'00') a, array_json(1, 2, NULL) b")
        assert dict(odd[0]) == {"a": None, "b": None}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE agents SET title = 'x'",
        "DELETE FROM parents",
        "CREATE TABLE x (a)",
        "CREATE TEMP TABLE x (a)",
        "DROP TABLE agents",
        "ATTACH '{path}' AS other",
        "VACUUM INTO '{path}'",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA query_only = OFF",
        "BEGIN IMMEDIATE",
        "SELECT load_extension('{path}')",
        "SELECT writefile('{path}', 'x')",
    ],
)
def test_sql_can_only_ask(home: Path, tmp_path: Path, statement: str) -> None:
    before = (home / "archive.db").read_bytes()
    target = tmp_path / "other.db"
    with cambrian.open(home) as archive:
        with pytest.raises((Refused, UsageError)):
            archive.sql(statement.format(path=target))
        assert len(archive.agents()) == 2
    assert not target.exists()
    assert (home / "archive.db").read_bytes() == before


def test_what_is_no_question_is_said_so(home: Path) -> None:
    with cambrian.open(home) as archive:
        for wrong in ("SELEKT 1", "SELECT 1; SELECT 2", "SELECT * FROM nowhere"):
            with pytest.raises(UsageError, match="one SELECT"):
                archive.sql(wrong)
        assert [row["name"] for row in archive.sql("PRAGMA table_info(parents)")][:1] == [
            "child_id"
        ]


ENDLESS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


def test_an_endless_question_is_given_up(home: Path) -> None:
    with cambrian.open(home) as archive:
        with pytest.raises(Refused, match=r"longer than 0\.1 s"):
            archive.sql(ENDLESS, seconds=0.1)
        assert archive.sql("SELECT 1 AS one", seconds=5)[0]["one"] == 1


def test_a_reader_stands_in_nobodys_way(home: Path) -> None:
    with Reader(home) as reader, Archive.open(home) as archive:
        seed = archive.agents.seeds()[0]
        archive.agents.set_score(seed.id, 0.9, 0.8, 1.0)
        assert reader.agents()[0]["score"] == 0.9
