-- What models were asked, as it was delivered (zlib of JSON: a list of role and content each), and what
-- was left out of the evidence for it; and each change of their answers, and whether it could be made.
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
