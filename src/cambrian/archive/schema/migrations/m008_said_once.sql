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

INSERT INTO gate_rules (text) SELECT rule FROM gates GROUP BY rule ORDER BY min(id);

INSERT INTO gate_rows
    SELECT g.proposal_id, g.position, g.gate, r.id, g.threshold, g.value, g.lower, g.upper,
           g.verdict, g.detail
    FROM gates g JOIN gate_rules r ON r.text = g.rule ORDER BY g.proposal_id, g.position;

DROP TABLE gates;

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

DROP INDEX evaluations_once;

DROP INDEX evaluations_agent;

-- Exactly once, but for broken attempts, which are told apart by their id. Also by agent.
CREATE UNIQUE INDEX evaluations_once ON evaluations
    (agent_id, benchmark, version, stage, seed, CASE verdict WHEN 'broken' THEN id ELSE 0 END);

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

DROP INDEX events_agent;
