-- A suite is a weighted set of benchmarks at their versions. One is current: `agents` and `nodes`
-- hold a copy of its scores, and count its evaluations.
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

-- `vector` holds the mean score over the search's seeds by benchmark.
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

ALTER TABLE runs ADD COLUMN suite_id INTEGER REFERENCES suites (id);

CREATE VIEW suite_scores AS
SELECT s.name AS suite, substr(s.hash, 1, 12) AS hash, s.current, a.id, a.number, a.kind, a.title,
       c.score, c.lower, c.upper, c.vector
FROM scores c JOIN suites s ON s.id = c.suite_id JOIN agents a ON a.number = c.number;
