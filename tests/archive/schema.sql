CREATE TABLE migrations (name TEXT PRIMARY KEY, applied_at REAL NOT NULL) STRICT;
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
, suite_id INTEGER REFERENCES suites (id)) STRICT;
CREATE UNIQUE INDEX runs_unfinished ON runs (1) WHERE state IN ('running', 'stopped');
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
    decided_at REAL, files TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(files)), fingerprint BLOB, learner BLOB,
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
    finished_at REAL, not_before REAL,
    CHECK (proposal_id IS NOT NULL OR agent_id IS NOT NULL),
    CHECK ((lease_owner IS NOT NULL) = (state = 'leased'))
) STRICT;
CREATE UNIQUE INDEX jobs_of_proposal ON jobs (proposal_id, kind, ifnull(stage, ''))
    WHERE proposal_id IS NOT NULL;
CREATE UNIQUE INDEX jobs_of_agent ON jobs (agent_id, kind, ifnull(stage, ''))
    WHERE proposal_id IS NULL;
CREATE INDEX jobs_queued ON jobs (kind, priority, id) WHERE state = 'queued';
CREATE INDEX jobs_leased ON jobs (lease_expires) WHERE state = 'leased';
CREATE TABLE sqlite_sequence(name,seq);
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
, estimated INTEGER NOT NULL DEFAULT 0 CHECK (estimated IN (0, 1)), position INTEGER, refused TEXT) STRICT;
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
CREATE VIEW "stepping_stones" AS WITH RECURSIVE up (id) AS (
    SELECT p.parent_id FROM parents p WHERE p.child_id = (
SELECT id FROM agents
WHERE status IN ('seed', 'admitted') AND lower IS NOT NULL
ORDER BY lower DESC, number LIMIT 1
)
    UNION
    SELECT p.parent_id FROM up JOIN parents p ON p.child_id = up.id
)
SELECT id, number, title, score, lower, upper, decided_at, id IN (SELECT id FROM up) AS used
FROM agents WHERE kind = 'stepping_stone' AND status = 'admitted';
CREATE VIEW "leaderboard" AS SELECT id, number, kind, title, score, lower, upper, depth
FROM agents
WHERE status IN ('seed', 'admitted') AND lower IS NOT NULL
ORDER BY lower DESC, number;
CREATE VIEW "spend_by_day" AS SELECT date(at, 'unixepoch') AS day, model, count(*) AS calls,
       sum(prompt_tokens) AS prompt_tokens, sum(completion_tokens) AS completion_tokens,
       sum(dollars) AS dollars
FROM spend GROUP BY day, model;
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
CREATE TABLE nodes (
    number INTEGER PRIMARY KEY REFERENCES agents (number),
    parent INTEGER REFERENCES nodes (number),
    member INTEGER NOT NULL CHECK (member IN (0, 1)),
    proposal_index INTEGER,
    score REAL,
    children INTEGER NOT NULL,
    successes INTEGER NOT NULL,
    trials INTEGER NOT NULL,
    clade_successes INTEGER NOT NULL,
    clade_trials INTEGER NOT NULL,
    clade_members INTEGER NOT NULL
) STRICT;
CREATE INDEX nodes_parent ON nodes (parent, number);
CREATE INDEX nodes_proposal ON nodes (proposal_index) WHERE proposal_index IS NOT NULL;
CREATE TABLE behaviours (
    number INTEGER PRIMARY KEY REFERENCES agents (number),
    measure INTEGER NOT NULL,
    vector BLOB NOT NULL
) STRICT;
CREATE TRIGGER proposals_tally_reason AFTER UPDATE OF state ON proposals
WHEN NEW.state = 'admitted' AND OLD.state <> 'admitted' BEGIN
    INSERT INTO tallies VALUES ('admitted.' || ifnull(NEW.reason, ''), 1)
        ON CONFLICT (name) DO UPDATE SET n = n + 1;
END;
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
CREATE VIEW "clade" AS SELECT n.number, a.id, a.title, n.clade_members AS members, n.children,
       n.clade_trials AS trials, n.clade_successes / 1000000.0 AS successes,
       n.clade_successes / 1000000.0 / nullif(n.clade_trials, 0) AS mean,
       n.trials AS own_trials, n.successes / 1000000.0 AS own_successes
FROM nodes n JOIN agents a ON a.number = n.number
WHERE n.member;
CREATE VIEW "evaluations_by_benchmark" AS SELECT benchmark, version, stage, count(DISTINCT agent_id) AS agents,
       sum(verdict = 'scored') AS scored, sum(verdict = 'failed') AS failed,
       sum(verdict = 'broken') AS broken, avg(score) AS mean_score, max(score) AS best_score,
       sum(cpu_s) AS cpu_s, sum(wall_s) AS wall_s, sum(flops * 1.0) AS flops
FROM evaluations GROUP BY benchmark, version, stage;
CREATE VIEW "agent_tree" AS WITH RECURSIVE tree (number, level) AS (
    SELECT number, 0 FROM nodes WHERE parent IS NULL AND member
    UNION ALL
    SELECT n.number, tree.level + 1
    FROM tree JOIN nodes n ON n.parent = tree.number AND n.member
    ORDER BY 2 DESC, 1 LIMIT -1
)
SELECT a.id, p.parent_id, tree.level, tree.number, a.status, a.kind, a.title,
       a.score, a.lower, a.upper,
       printf('%*s', 2 * tree.level, '') || '#' || tree.number || ' ' || substr(a.id, 1, 12)
           || ' ' || a.title AS name
FROM tree CROSS JOIN agents a ON a.number = tree.number
LEFT JOIN parents p ON p.child_id = a.id AND p.position = 0;
CREATE VIEW "lineage" AS SELECT a.id AS agent, up.key AS ancestor, up.value AS distance
FROM agents a, json_each((
    WITH RECURSIVE up (id, distance) AS (
        SELECT parent_id, 1 FROM parents WHERE child_id = a.id
        UNION
        SELECT p.parent_id, up.distance + 1 FROM up JOIN parents p ON p.child_id = up.id
    )
    SELECT json_group_object(id, distance)
    FROM (SELECT id, min(distance) AS distance FROM up GROUP BY id)
)) up;
CREATE TABLE gate_rules (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE gate_rows (
    proposal_id INTEGER NOT NULL REFERENCES proposals (id),
    position INTEGER NOT NULL,
    gate TEXT NOT NULL,
    rule INTEGER NOT NULL REFERENCES gate_rules (id),
    threshold REAL,
    value REAL,
    lower REAL,
    upper REAL,
    verdict TEXT NOT NULL CHECK (verdict IN ('pass', 'fail', 'info')),
    detail TEXT NOT NULL,
    PRIMARY KEY (proposal_id, position)
) STRICT, WITHOUT ROWID;
CREATE VIEW gates AS
    SELECT g.proposal_id * 1000 + g.position AS id, g.proposal_id, a.id AS agent_id, g.position,
           g.gate, r.text AS rule, g.threshold, g.value, g.lower, g.upper, g.verdict, g.detail
    FROM gate_rows g JOIN gate_rules r ON r.id = g.rule
    LEFT JOIN agents a ON a.proposal_id = g.proposal_id;
CREATE TRIGGER gates_insert INSTEAD OF INSERT ON gates BEGIN
    INSERT OR IGNORE INTO gate_rules (text) VALUES (NEW.rule);
    INSERT INTO gate_rows
        SELECT NEW.proposal_id, NEW.position, NEW.gate, id, NEW.threshold, NEW.value, NEW.lower,
               NEW.upper, NEW.verdict, NEW.detail
        FROM gate_rules WHERE text = NEW.rule;
END;
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
CREATE UNIQUE INDEX evaluations_once ON evaluations
    (agent_id, benchmark, version, stage, seed, CASE verdict WHEN 'broken' THEN id ELSE 0 END);
CREATE TABLE parents (
    child_id TEXT NOT NULL REFERENCES agents (id),
    position INTEGER NOT NULL,
    parent_id TEXT NOT NULL REFERENCES agents (id),
    PRIMARY KEY (child_id, position)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX parents_children ON parents (parent_id, child_id);
CREATE TABLE "sources" (
    id INTEGER PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE CHECK (length(hash) = 64),
    size INTEGER NOT NULL,
    content BLOB NOT NULL
) STRICT;
CREATE VIEW agent_files AS
    SELECT a.id AS agent_id, f.key AS path, s.hash AS source_hash
    FROM agents a, json_each(a.files) f JOIN sources s ON s.id = f.value;
CREATE TRIGGER agent_files_insert INSTEAD OF INSERT ON agent_files BEGIN
    UPDATE agents SET files = json_set(files, '$."' || NEW.path || '"',
        (SELECT id FROM sources WHERE hash = NEW.source_hash)) WHERE id = NEW.agent_id;
END;
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
CREATE INDEX events_proposal ON events (proposal_id, seq) WHERE proposal_id IS NOT NULL;
CREATE TRIGGER events_are_never_changed BEFORE UPDATE ON events BEGIN
    SELECT RAISE(ABORT, 'events are append-only: expected an insert, came an update');
END;
CREATE TRIGGER events_are_never_deleted BEFORE DELETE ON events BEGIN
    SELECT RAISE(ABORT, 'events are append-only: expected an insert, came a delete');
END;
CREATE INDEX agents_fingerprint ON agents (fingerprint) WHERE fingerprint IS NOT NULL;
CREATE INDEX agents_learner ON agents (learner, number)
    WHERE learner IS NOT NULL AND status IN ('seed', 'admitted');
CREATE INDEX agents_without_fingerprint ON agents (status) WHERE fingerprint IS NULL;
CREATE TABLE suites (
    id INTEGER PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE CHECK (length(hash) = 64),
    name TEXT NOT NULL,
    definition TEXT NOT NULL CHECK (json_valid(definition)),
    current INTEGER NOT NULL CHECK (current IN (0, 1)),
    created_at REAL NOT NULL,
    opened_at REAL NOT NULL
) STRICT;
CREATE UNIQUE INDEX suites_current ON suites (current) WHERE current = 1;
CREATE TABLE scores (
    suite_id INTEGER NOT NULL REFERENCES suites (id),
    number INTEGER NOT NULL REFERENCES agents (number),
    score REAL NOT NULL,
    lower REAL NOT NULL,
    upper REAL NOT NULL,
    vector TEXT NOT NULL CHECK (json_valid(vector)),
    PRIMARY KEY (suite_id, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX scores_number ON scores (number);
CREATE VIEW suite_scores AS
SELECT s.name AS suite, substr(s.hash, 1, 12) AS hash, s.current, a.id, a.number, a.kind, a.title,
       c.score, c.lower, c.upper, c.vector
FROM scores c JOIN suites s ON s.id = c.suite_id JOIN agents a ON a.number = c.number;
CREATE TABLE screen_answers (
    evaluation_id INTEGER PRIMARY KEY REFERENCES evaluations (id),
    digest BLOB NOT NULL
) STRICT;
CREATE INDEX screen_answers_digest ON screen_answers (digest);
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
CREATE TABLE questions (
    proposal_id INTEGER NOT NULL REFERENCES proposals (id),
    position INTEGER NOT NULL,
    asked BLOB NOT NULL,
    cut TEXT NOT NULL CHECK (json_valid(cut)),
    PRIMARY KEY (proposal_id, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE edit_changes (
    proposal_id INTEGER NOT NULL REFERENCES proposals (id),
    attempt INTEGER NOT NULL,
    position INTEGER NOT NULL,
    model TEXT NOT NULL,
    format TEXT NOT NULL,
    size INTEGER NOT NULL,
    made INTEGER NOT NULL CHECK (made IN (0, 1)),
    PRIMARY KEY (proposal_id, attempt, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE trials (
    proposal_id INTEGER NOT NULL REFERENCES proposals (id),
    attempt INTEGER NOT NULL,
    identity TEXT NOT NULL,
    problem TEXT NOT NULL,
    PRIMARY KEY (proposal_id, attempt)
) STRICT, WITHOUT ROWID;
