-- What a server that was put back in time is noticed by, and what follows (docs/design/journal.md):
-- when the generation was raised last, and until when nobody is granted a shard because of that.
ALTER TABLE fence_source ADD COLUMN quiet_since bigint NOT NULL DEFAULT 0;
ALTER TABLE fence_source ADD COLUMN quiet_until bigint NOT NULL DEFAULT 0;
