-- What came of trying a model's variants before they were recorded: `problem` is what the model was told,
-- empty where the variant ran.
CREATE TABLE trials (
    proposal_id INTEGER NOT NULL REFERENCES proposals (id),
    attempt INTEGER NOT NULL,
    identity TEXT NOT NULL,
    problem TEXT NOT NULL,
    PRIMARY KEY (proposal_id, attempt)
) STRICT, WITHOUT ROWID;
