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

-- How a member behaves, as the novelty gate sees it: float64, little-endian. `measure` tells of
-- what. A copy of what its evaluations say, rebuilt where it is missing.
CREATE TABLE behaviours (
    number INTEGER PRIMARY KEY REFERENCES agents (number),
    measure INTEGER NOT NULL,
    vector BLOB NOT NULL
) STRICT;

-- How many were admitted for what reason: the quota for novelty reads it on every decision.
CREATE TRIGGER proposals_tally_reason AFTER UPDATE OF state ON proposals
WHEN NEW.state = 'admitted' AND OLD.state <> 'admitted' BEGIN
    INSERT INTO tallies VALUES ('admitted.' || ifnull(NEW.reason, ''), 1)
        ON CONFLICT (name) DO UPDATE SET n = n + 1;
END;

INSERT INTO tallies
    SELECT 'admitted.' || ifnull(reason, ''), count(*) FROM proposals
    WHERE state = 'admitted' GROUP BY 1;
