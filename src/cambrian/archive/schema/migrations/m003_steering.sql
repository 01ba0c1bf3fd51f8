ALTER TABLE jobs ADD COLUMN not_before REAL;

ALTER TABLE spend ADD COLUMN estimated INTEGER NOT NULL DEFAULT 0 CHECK (estimated IN (0, 1));

CREATE TABLE standing_orders (
    run_id INTEGER NOT NULL REFERENCES runs (id),
    name TEXT NOT NULL,
    value TEXT NOT NULL CHECK (json_valid(value)),
    at REAL NOT NULL,
    PRIMARY KEY (run_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE intents (
    id INTEGER PRIMARY KEY,
    verb TEXT NOT NULL,
    arguments TEXT NOT NULL CHECK (json_valid(arguments)),
    asked_by TEXT NOT NULL,
    asked_at REAL NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'done', 'refused')),
    answer TEXT NOT NULL,
    answered_at REAL
) STRICT;

CREATE INDEX intents_pending ON intents (id) WHERE state = 'pending';

CREATE TABLE approvals (
    proposal_id INTEGER PRIMARY KEY REFERENCES proposals (id),
    why TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('improvement', 'stepping_stone')),
    gates TEXT NOT NULL CHECK (json_valid(gates)),
    state TEXT NOT NULL CHECK (state IN ('waiting', 'approved', 'rejected')),
    asked_at REAL NOT NULL,
    answered_at REAL,
    answered_by TEXT NOT NULL,
    reason TEXT NOT NULL
) STRICT;

CREATE INDEX approvals_waiting ON approvals (proposal_id) WHERE state = 'waiting';

CREATE TABLE meters (
    run_id INTEGER NOT NULL REFERENCES runs (id),
    name TEXT NOT NULL,
    amount REAL NOT NULL,
    PRIMARY KEY (run_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE reservations (
    proposal_id INTEGER NOT NULL REFERENCES proposals (id),
    position INTEGER NOT NULL,
    run_id INTEGER REFERENCES runs (id),
    model TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    dollars REAL NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (proposal_id, position)
) STRICT, WITHOUT ROWID;
