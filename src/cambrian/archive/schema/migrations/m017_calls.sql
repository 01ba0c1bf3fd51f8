-- Of each model call which question of its proposal it was (from 0), and why it was not answered.
ALTER TABLE spend ADD COLUMN position INTEGER;
ALTER TABLE spend ADD COLUMN refused TEXT;
