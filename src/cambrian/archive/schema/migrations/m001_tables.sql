CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    seed INTEGER NOT NULL,
    settings TEXT NOT NULL CHECK (json_valid(settings)),
    state TEXT NOT NULL CHECK (state IN ('running', 'finished', 'stopped', 'abandoned')),
    target_proposals INTEGER NOT NULL,
    first_proposal INTEGER NOT NULL,
    started_at REAL NOT NULL,
    ended_at REAL,
    wall_s REAL NOT NULL DEFAULT 0,
    version TEXT NOT NULL
) STRICT;

-- At most one run is unfinished at any time.
CREATE UNIQUE INDEX runs_unfinished ON runs (1) WHERE state IN ('running', 'stopped');

CREATE TABLE sources (
    hash TEXT PRIMARY KEY CHECK (length(hash) = 64),
    size INTEGER NOT NULL,
    content BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE agents (
    id TEXT PRIMARY KEY CHECK (length(id) = 64 AND id NOT GLOB '*[^0-9a-f]*'),
    number INTEGER UNIQUE,
    status TEXT NOT NULL CHECK (status IN ('seed', 'candidate', 'admitted', 'rejected')),
    kind TEXT CHECK (kind IN ('seed', 'improvement', 'stepping_stone')),
    title TEXT NOT NULL,
    hypothesis TEXT NOT NULL,
    depth INTEGER NOT NULL,
    run_id INTEGER REFERENCES runs (id),
    proposal_id INTEGER REFERENCES proposals (id),
    proposal_index INTEGER,
    score REAL,
    lower REAL,
    upper REAL,
    created_at REAL NOT NULL,
    decided_at REAL,
    -- A number is given with the fate, in the order of decisions, so that it does not depend
    -- on which worker was faster.
    CHECK ((number IS NULL) = (status = 'candidate')),
    CHECK ((kind IS NOT NULL) = (status IN ('seed', 'admitted')))
) STRICT;

CREATE INDEX agents_champion ON agents (lower DESC, number)
    WHERE status IN ('seed', 'admitted') AND lower IS NOT NULL;

CREATE INDEX agents_members ON agents (number) WHERE status IN ('seed', 'admitted');

CREATE INDEX agents_seeds ON agents (number) WHERE status = 'seed';

CREATE INDEX agents_admitted ON agents (proposal_index) WHERE status = 'admitted';

CREATE INDEX agents_proposal ON agents (proposal_id) WHERE proposal_id IS NOT NULL;

CREATE INDEX agents_score ON agents (score);

CREATE INDEX agents_created ON agents (created_at);

CREATE TABLE agent_files (
    agent_id TEXT NOT NULL REFERENCES agents (id),
    path TEXT NOT NULL,
    source_hash TEXT NOT NULL REFERENCES sources (hash),
    PRIMARY KEY (agent_id, path)
) STRICT, WITHOUT ROWID;

-- The key's columns come first: SQLite 3.40's integrity_check sees NULLs in such a table
-- (WITHOUT ROWID, STRICT) where another column stands between them.
CREATE TABLE parents (
    child_id TEXT NOT NULL REFERENCES agents (id),
    position INTEGER NOT NULL,
    parent_id TEXT NOT NULL REFERENCES agents (id),
    PRIMARY KEY (child_id, position),
    UNIQUE (child_id, parent_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX parents_children ON parents (parent_id, position);

CREATE TABLE proposals (
    id INTEGER PRIMARY KEY,
    run_id INTEGER NOT NULL REFERENCES runs (id),
    idx INTEGER NOT NULL UNIQUE,
    seen_through INTEGER NOT NULL,
    rewriter TEXT NOT NULL CHECK (rewriter IN ('recombine', 'model')),
    state TEXT NOT NULL CHECK (state IN (
        'open', 'proposed', 'ready',
        'admitted', 'rejected', 'duplicate', 'invalid', 'failed_smoke', 'parked'
    )),
    parents TEXT NOT NULL CHECK (json_valid(parents)),
    agent_id TEXT REFERENCES agents (id),
    title TEXT,
    hypothesis TEXT,
    predicted_gain REAL,
    confidence REAL,
    edit TEXT CHECK (edit IS NULL OR json_valid(edit)),
    operation TEXT CHECK (operation IS NULL OR json_valid(operation)),
    outcome TEXT CHECK (outcome IS NULL OR json_valid(outcome)),
    reason TEXT,
    created_at REAL NOT NULL,
    decided_at REAL
) STRICT;

CREATE INDEX proposals_undecided ON proposals (idx) WHERE state IN ('open', 'proposed', 'ready');

CREATE INDEX proposals_run ON proposals (run_id, idx);

CREATE INDEX proposals_agent ON proposals (agent_id) WHERE agent_id IS NOT NULL;

CREATE TABLE gates (
    id INTEGER PRIMARY KEY,
    proposal_id INTEGER NOT NULL REFERENCES proposals (id),
    agent_id TEXT REFERENCES agents (id),
    position INTEGER NOT NULL,
    gate TEXT NOT NULL,
    rule TEXT NOT NULL,
    threshold REAL,
    value REAL,
    lower REAL,
    upper REAL,
    verdict TEXT NOT NULL CHECK (verdict IN ('pass', 'fail', 'info')),
    detail TEXT NOT NULL,
    UNIQUE (proposal_id, position)
) STRICT;

CREATE INDEX gates_agent ON gates (agent_id, proposal_id, position);

CREATE TABLE evaluations (
    id INTEGER PRIMARY KEY,
    agent_id TEXT NOT NULL REFERENCES agents (id),
    benchmark TEXT NOT NULL,
    version TEXT NOT NULL,
    stage TEXT NOT NULL,
    seed INTEGER NOT NULL,
    verdict TEXT NOT NULL CHECK (verdict IN ('scored', 'failed', 'broken')),
    reason TEXT NOT NULL,
    score REAL,
    raw REAL,
    metrics TEXT NOT NULL CHECK (json_valid(metrics)),
    flops INTEGER,
    cpu_s REAL,
    peak_bytes INTEGER,
    state_bytes INTEGER,
    wall_s REAL,
    image_digest TEXT,
    device TEXT,
    backend TEXT,
    provenance TEXT NOT NULL CHECK (json_valid(provenance)),
    created_at REAL NOT NULL,
    CHECK ((score IS NOT NULL) = (verdict = 'scored'))
) STRICT;

-- Exactly once: broken attempts are kept beside it and counted apart.
CREATE UNIQUE INDEX evaluations_once
    ON evaluations (agent_id, benchmark, version, stage, seed) WHERE verdict <> 'broken';

CREATE INDEX evaluations_agent ON evaluations (agent_id, stage);

CREATE TABLE series (
    evaluation_id INTEGER NOT NULL REFERENCES evaluations (id),
    name TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('curve', 'matrix')),
    dtype TEXT NOT NULL,
    shape TEXT NOT NULL CHECK (json_valid(shape)),
    data BLOB NOT NULL,
    PRIMARY KEY (evaluation_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE sealed_evaluations (
    id INTEGER PRIMARY KEY,
    agent_id TEXT NOT NULL REFERENCES agents (id),
    benchmark TEXT NOT NULL,
    version TEXT NOT NULL,
    stage TEXT NOT NULL,
    seed INTEGER NOT NULL,
    verdict TEXT NOT NULL CHECK (verdict IN ('scored', 'failed', 'broken')),
    reason TEXT NOT NULL,
    score REAL,
    raw REAL,
    metrics TEXT NOT NULL CHECK (json_valid(metrics)),
    flops INTEGER,
    cpu_s REAL,
    peak_bytes INTEGER,
    state_bytes INTEGER,
    wall_s REAL,
    image_digest TEXT,
    device TEXT,
    backend TEXT,
    provenance TEXT NOT NULL CHECK (json_valid(provenance)),
    created_at REAL NOT NULL,
    CHECK ((score IS NOT NULL) = (verdict = 'scored'))
) STRICT;

-- Exactly once: broken attempts are kept beside it and counted apart.
CREATE UNIQUE INDEX sealed_evaluations_once
    ON sealed_evaluations (agent_id, benchmark, version, stage, seed) WHERE verdict <> 'broken';

CREATE INDEX sealed_evaluations_agent ON sealed_evaluations (agent_id, stage);

CREATE TABLE sealed_series (
    evaluation_id INTEGER NOT NULL REFERENCES sealed_evaluations (id),
    name TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('curve', 'matrix')),
    dtype TEXT NOT NULL,
    shape TEXT NOT NULL CHECK (json_valid(shape)),
    data BLOB NOT NULL,
    PRIMARY KEY (evaluation_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE jobs (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('propose', 'evaluate', 'seal')),
    run_id INTEGER REFERENCES runs (id),
    proposal_id INTEGER REFERENCES proposals (id),
    agent_id TEXT REFERENCES agents (id),
    stage TEXT,
    payload TEXT NOT NULL CHECK (json_valid(payload)),
    priority INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'leased', 'done', 'cancelled', 'parked')),
    lease_owner TEXT,
    lease_expires REAL,
    heartbeat_at REAL,
    attempts INTEGER NOT NULL DEFAULT 0,
    last_error TEXT,
    created_at REAL NOT NULL,
    finished_at REAL,
    CHECK (proposal_id IS NOT NULL OR agent_id IS NOT NULL),
    CHECK ((lease_owner IS NOT NULL) = (state = 'leased'))
) STRICT;

-- A job is queued once for its proposal, or for its agent where there is no proposal (seeds).
CREATE UNIQUE INDEX jobs_of_proposal ON jobs (proposal_id, kind, ifnull(stage, ''))
    WHERE proposal_id IS NOT NULL;

CREATE UNIQUE INDEX jobs_of_agent ON jobs (agent_id, kind, ifnull(stage, ''))
    WHERE proposal_id IS NULL;

CREATE INDEX jobs_queued ON jobs (kind, priority, id) WHERE state = 'queued';

CREATE INDEX jobs_leased ON jobs (lease_expires) WHERE state = 'leased';

CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL,
    kind TEXT NOT NULL,
    run_id INTEGER,
    agent_id TEXT,
    proposal_id INTEGER,
    job_id INTEGER,
    data TEXT NOT NULL CHECK (json_valid(data))
) STRICT;

CREATE INDEX events_agent ON events (agent_id, seq) WHERE agent_id IS NOT NULL;

CREATE INDEX events_proposal ON events (proposal_id, seq) WHERE proposal_id IS NOT NULL;

CREATE TRIGGER events_are_never_changed BEFORE UPDATE ON events BEGIN
    SELECT RAISE(ABORT, 'events are append-only: expected an insert, came an update');
END;

CREATE TRIGGER events_are_never_deleted BEFORE DELETE ON events BEGIN
    SELECT RAISE(ABORT, 'events are append-only: expected an insert, came a delete');
END;

CREATE TABLE spend (
    id INTEGER PRIMARY KEY,
    run_id INTEGER REFERENCES runs (id),
    proposal_id INTEGER REFERENCES proposals (id),
    agent_id TEXT REFERENCES agents (id),
    phase TEXT NOT NULL,
    model TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    dollars REAL NOT NULL,
    at REAL NOT NULL
) STRICT;

CREATE INDEX spend_proposal ON spend (proposal_id) WHERE proposal_id IS NOT NULL;

CREATE TABLE answers (
    id INTEGER PRIMARY KEY,
    request_hash TEXT NOT NULL,
    proposal_id INTEGER NOT NULL REFERENCES proposals (id),
    position INTEGER NOT NULL,
    model TEXT NOT NULL,
    text TEXT NOT NULL,
    created_at REAL NOT NULL,
    UNIQUE (proposal_id, position)
) STRICT;

CREATE TABLE improver_checks (
    improver_hash TEXT PRIMARY KEY,
    valid INTEGER NOT NULL CHECK (valid IN (0, 1)),
    detail TEXT NOT NULL,
    created_at REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE tallies (name TEXT PRIMARY KEY, n INTEGER NOT NULL) STRICT, WITHOUT ROWID;

CREATE TRIGGER proposals_tally_insert AFTER INSERT ON proposals BEGIN
    INSERT INTO tallies VALUES ('proposals.' || NEW.state, 1)
        ON CONFLICT (name) DO UPDATE SET n = n + 1;
END;

CREATE TRIGGER proposals_tally_update AFTER UPDATE OF state ON proposals
WHEN OLD.state <> NEW.state BEGIN
    UPDATE tallies SET n = n - 1 WHERE name = 'proposals.' || OLD.state;
    INSERT INTO tallies VALUES ('proposals.' || NEW.state, 1)
        ON CONFLICT (name) DO UPDATE SET n = n + 1;
END;

CREATE TRIGGER agents_tally_insert AFTER INSERT ON agents BEGIN
    INSERT INTO tallies VALUES ('agents.' || NEW.status, 1)
        ON CONFLICT (name) DO UPDATE SET n = n + 1;
END;

CREATE TRIGGER agents_tally_update AFTER UPDATE OF status ON agents
WHEN OLD.status <> NEW.status BEGIN
    UPDATE tallies SET n = n - 1 WHERE name = 'agents.' || OLD.status;
    INSERT INTO tallies VALUES ('agents.' || NEW.status, 1)
        ON CONFLICT (name) DO UPDATE SET n = n + 1;
END;

CREATE TRIGGER evaluations_tally_insert AFTER INSERT ON evaluations BEGIN
    INSERT INTO tallies VALUES ('evaluations.' || NEW.verdict, 1)
        ON CONFLICT (name) DO UPDATE SET n = n + 1;
END;

CREATE TRIGGER sealed_evaluations_tally_insert AFTER INSERT ON sealed_evaluations BEGIN
    INSERT INTO tallies VALUES ('sealed_evaluations.' || NEW.verdict, 1)
        ON CONFLICT (name) DO UPDATE SET n = n + 1;
END;

-- run_id 0 holds what was spent outside a run.
CREATE TABLE spend_totals (
    run_id INTEGER PRIMARY KEY,
    calls INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    dollars REAL NOT NULL
) STRICT;

CREATE TRIGGER spend_total_insert AFTER INSERT ON spend BEGIN
    INSERT INTO spend_totals
        VALUES (ifnull(NEW.run_id, 0), 1, NEW.prompt_tokens, NEW.completion_tokens, NEW.dollars)
        ON CONFLICT (run_id) DO UPDATE SET
            calls = calls + 1,
            prompt_tokens = prompt_tokens + excluded.prompt_tokens,
            completion_tokens = completion_tokens + excluded.completion_tokens,
            dollars = dollars + excluded.dollars;
END;
