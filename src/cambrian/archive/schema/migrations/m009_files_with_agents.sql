CREATE TABLE texts (
    id INTEGER PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE CHECK (length(hash) = 64),
    size INTEGER NOT NULL,
    content BLOB NOT NULL
) STRICT;

INSERT INTO texts (hash, size, content) SELECT hash, size, content FROM sources;

ALTER TABLE agents ADD COLUMN files TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(files));

UPDATE agents SET files = (
    SELECT json_group_object(f.path, t.id)
    FROM (SELECT path, source_hash FROM agent_files WHERE agent_id = agents.id ORDER BY path) f
    JOIN texts t ON t.hash = f.source_hash);

DROP TABLE agent_files;

DROP TABLE sources;

ALTER TABLE texts RENAME TO sources;

CREATE VIEW agent_files AS
    SELECT a.id AS agent_id, f.key AS path, s.hash AS source_hash
    FROM agents a, json_each(a.files) f JOIN sources s ON s.id = f.value;

CREATE TRIGGER agent_files_insert INSTEAD OF INSERT ON agent_files BEGIN
    UPDATE agents SET files = json_set(files, '$."' || NEW.path || '"',
        (SELECT id FROM sources WHERE hash = NEW.source_hash)) WHERE id = NEW.agent_id;
END;

DROP INDEX proposals_agent;
