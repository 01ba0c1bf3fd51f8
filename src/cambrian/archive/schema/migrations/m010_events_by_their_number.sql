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
