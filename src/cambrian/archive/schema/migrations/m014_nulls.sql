-- Null controls: twins of members that must not win. They are no agents, and their results are kept
-- apart from all that decides anything. `offset` moves the learner's seed; 0 is the member's own.
CREATE TABLE nulls (
    id INTEGER PRIMARY KEY,
    run_id INTEGER NOT NULL REFERENCES runs (id),
    idx INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('identical', 'random-stream')),
    agent_id TEXT NOT NULL REFERENCES agents (id),
    "offset" INTEGER NOT NULL CHECK (("offset" = 0) = (kind = 'identical')),
    units INTEGER NOT NULL CHECK (units > 0),
    state TEXT NOT NULL CHECK (state IN ('waiting', 'judged', 'failed', 'broken')),
    created_at REAL NOT NULL,
    UNIQUE (idx, kind)
) STRICT;

CREATE INDEX nulls_waiting ON nulls (id) WHERE state = 'waiting';

CREATE TABLE null_evaluations (
    id INTEGER PRIMARY KEY,
    null_id INTEGER NOT NULL REFERENCES nulls (id),
    benchmark TEXT NOT NULL,
    version TEXT NOT NULL,
    stage TEXT NOT NULL,
    seed INTEGER NOT NULL,
    verdict TEXT NOT NULL CHECK (verdict IN ('scored', 'failed')),
    reason TEXT NOT NULL,
    score REAL,
    raw REAL,
    flops INTEGER,
    cpu_s REAL,
    state_bytes INTEGER,
    metrics TEXT NOT NULL CHECK (json_valid(metrics)),
    provenance TEXT NOT NULL CHECK (json_valid(provenance)),
    created_at REAL NOT NULL,
    UNIQUE (null_id, benchmark, stage, seed)
) STRICT;
