-- Whom a time of quiet waits for: the generation for which a node has put everything back (NULL: its
-- version does not say), and the one for which another told that it lived.
ALTER TABLE node ADD COLUMN back bigint;
ALTER TABLE node ADD COLUMN awaited bigint NOT NULL DEFAULT 0;
