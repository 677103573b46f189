-- What a node says of itself, for those who look after a cluster; beat_at is of its last heartbeat.
ALTER TABLE node ADD COLUMN node_name text NOT NULL DEFAULT '';
ALTER TABLE node ADD COLUMN version text NOT NULL DEFAULT '';
ALTER TABLE node ADD COLUMN tzdata text NOT NULL DEFAULT '';
ALTER TABLE node ADD COLUMN beat_at bigint NOT NULL DEFAULT 0;

CREATE TABLE moved_in (            -- the store that was moved in here, if one was
  move uuid PRIMARY KEY,
  at   bigint NOT NULL,
  generation bigint NOT NULL       -- that it began with here
);
