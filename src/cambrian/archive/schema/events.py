"""Events as they are told: what a row does not say itself follows from what it points to.

An event of a job needs only the job's id, one of a proposal only the proposal's, one of an
evaluation only the evaluation's: run, agent and the rest are theirs. `event_log` says it all.
"""

from __future__ import annotations

LOG = """
CREATE VIEW event_log AS
SELECT e.seq, e.at, e.kind,
       coalesce(e.run_id, j.run_id, p.run_id) AS run_id,
       coalesce(e.agent_id, j.agent_id, v.agent_id, p.agent_id) AS agent_id,
       coalesce(e.proposal_id, j.proposal_id) AS proposal_id,
       e.job_id,
       CASE e.kind
           WHEN 'evaluation.recorded' THEN json_object('benchmark', v.benchmark,
               'evaluation', v.id, 'seed', v.seed, 'stage', v.stage, 'verdict', v.verdict)
           WHEN 'job.queued' THEN json_object('job_kind', j.kind, 'stage', j.stage)
           ELSE e.data
       END AS data
FROM events e
LEFT JOIN jobs j ON j.id = e.job_id
LEFT JOIN proposals p ON p.id = coalesce(e.proposal_id, j.proposal_id)
LEFT JOIN evaluations v
    ON e.kind = 'evaluation.recorded' AND v.id = json_extract(e.data, '$.evaluation');
"""

# No row is ever deleted, so that the largest number is enough to go on from: a sequence beside the
# table would be one more page to write with each event.
TABLE = """
CREATE TABLE events_before AS SELECT * FROM events;
DROP TABLE events;
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    kind TEXT NOT NULL,
    run_id INTEGER,
    agent_id TEXT,
    proposal_id INTEGER,
    job_id INTEGER,
    data TEXT NOT NULL CHECK (json_valid(data))
) STRICT;
INSERT INTO events SELECT * FROM events_before;
DROP TABLE events_before;
CREATE INDEX events_proposal ON events (proposal_id, seq) WHERE proposal_id IS NOT NULL;
CREATE TRIGGER events_are_never_changed BEFORE UPDATE ON events BEGIN
    SELECT RAISE(ABORT, 'events are append-only: expected an insert, came an update');
END;
CREATE TRIGGER events_are_never_deleted BEFORE DELETE ON events BEGIN
    SELECT RAISE(ABORT, 'events are append-only: expected an insert, came a delete');
END;
"""
