"""Later changes to the tables of agents. Released, and so frozen: append, never edit."""

from __future__ import annotations

PARENTS = """
CREATE TABLE parents_before AS SELECT child_id, position, parent_id FROM parents;
DROP TABLE parents;
CREATE TABLE parents (
    child_id TEXT NOT NULL REFERENCES agents (id),
    position INTEGER NOT NULL,
    parent_id TEXT NOT NULL REFERENCES agents (id),
    PRIMARY KEY (child_id, position)
) STRICT, WITHOUT ROWID;
INSERT INTO parents SELECT child_id, position, parent_id FROM parents_before;
DROP TABLE parents_before;
-- Children of a parent; and nobody has the same parent twice.
CREATE UNIQUE INDEX parents_children ON parents (parent_id, child_id);
"""

FINGERPRINTS = """
-- What an agent does, and what its learner does, as their syntax says it (16 bytes each; see
-- `agents.tree.SourceTree`). NULL: not looked at yet, or, for the learner, not to be told.
ALTER TABLE agents ADD COLUMN fingerprint BLOB;
ALTER TABLE agents ADD COLUMN learner BLOB;
CREATE INDEX agents_fingerprint ON agents (fingerprint) WHERE fingerprint IS NOT NULL;
CREATE INDEX agents_learner ON agents (learner, number)
    WHERE learner IS NOT NULL AND status IN ('seed', 'admitted');
CREATE INDEX agents_without_fingerprint ON agents (status) WHERE fingerprint IS NULL;
"""
