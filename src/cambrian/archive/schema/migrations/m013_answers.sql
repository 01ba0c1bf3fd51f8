-- What tells an agent's answers on the screen from any others' (16 bytes; see `measurement`), so that
-- one that answers as a known one did is not judged twice.
CREATE TABLE screen_answers (
    evaluation_id INTEGER PRIMARY KEY REFERENCES evaluations (id),
    digest BLOB NOT NULL
) STRICT;

CREATE INDEX screen_answers_digest ON screen_answers (digest);

-- Fingerprints are of the normal form of code now: made again at the next run's start.
UPDATE agents SET fingerprint = NULL, learner = NULL;
