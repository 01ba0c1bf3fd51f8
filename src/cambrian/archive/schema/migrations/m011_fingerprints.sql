-- What an agent does, and what its learner does, as their syntax says it (16 bytes each; see
-- `agents.tree.SourceTree`). NULL: not looked at yet, or, for the learner, not to be told.
ALTER TABLE agents ADD COLUMN fingerprint BLOB;

ALTER TABLE agents ADD COLUMN learner BLOB;

CREATE INDEX agents_fingerprint ON agents (fingerprint) WHERE fingerprint IS NOT NULL;

CREATE INDEX agents_learner ON agents (learner, number)
    WHERE learner IS NOT NULL AND status IN ('seed', 'admitted');

CREATE INDEX agents_without_fingerprint ON agents (status) WHERE fingerprint IS NULL;
