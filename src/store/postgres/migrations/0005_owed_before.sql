-- Since when nobody had planned what the revision before this one owed, if that was before this one's
-- commit: no owner had planned that revision, or the shard's cursor was behind. Null: nothing is open,
-- and so says a version that does not know the column.
ALTER TABLE job_revision ADD COLUMN owed_from bigint;
