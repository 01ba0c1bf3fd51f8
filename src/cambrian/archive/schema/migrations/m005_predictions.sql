CREATE TABLE predictions (
    evaluation_id INTEGER NOT NULL REFERENCES evaluations (id),
    name TEXT NOT NULL,
    dtype TEXT NOT NULL,
    shape TEXT NOT NULL CHECK (json_valid(shape)),
    data BLOB NOT NULL,
    PRIMARY KEY (evaluation_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE sealed_predictions (
    evaluation_id INTEGER NOT NULL REFERENCES sealed_evaluations (id),
    name TEXT NOT NULL,
    dtype TEXT NOT NULL,
    shape TEXT NOT NULL CHECK (json_valid(shape)),
    data BLOB NOT NULL,
    PRIMARY KEY (evaluation_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE sealings (
    id INTEGER PRIMARY KEY,
    agent_id TEXT NOT NULL REFERENCES agents (id),
    run_id INTEGER REFERENCES runs (id),
    evaluations INTEGER NOT NULL CHECK (evaluations > 0),
    at REAL NOT NULL
) STRICT;

CREATE INDEX sealings_agent ON sealings (agent_id);
