-- The first schema. Instants are microseconds since 1970, UTC; ids are 16 bytes; small closed
-- sets are the integers of the enums in core/run.h, core/job.h and core/batch.h.

CREATE TABLE meta (
  one           INTEGER PRIMARY KEY CHECK (one = 1),
  generation    INTEGER NOT NULL,  -- high bits of every fence
  fence_counter INTEGER NOT NULL,
  last_commit   INTEGER NOT NULL,  -- newest clock that any commit carried
  last_steady   INTEGER NOT NULL,  -- steady clock of the newest commit, µs
  boot          TEXT NOT NULL,     -- what last_steady counts from
  change_floor  INTEGER NOT NULL,  -- run changes at or below it are forgotten
  run_last      INTEGER NOT NULL,  -- newest run_no that was given; none is given twice
  runs          INTEGER NOT NULL   -- rows of run
) STRICT;

CREATE TABLE lease (               -- who held which fence; attempts name their fence
  fence    INTEGER PRIMARY KEY,
  node     BLOB NOT NULL,
  taken_at INTEGER NOT NULL
) STRICT;

CREATE TABLE shard (
  shard  INTEGER PRIMARY KEY,
  cursor INTEGER NOT NULL,
  fence  INTEGER NOT NULL,
  change INTEGER NOT NULL,         -- raised by every write to one of its jobs
  seen   INTEGER NOT NULL          -- up to here its owner has committed having seen
) STRICT;

CREATE TABLE account (
  account_no     INTEGER PRIMARY KEY,
  id             BLOB NOT NULL UNIQUE,
  name           TEXT NOT NULL,
  signing_secret BLOB NOT NULL,    -- sealed
  webhook_url    TEXT,
  webhook_headers TEXT NOT NULL    -- JSON [[name, secret id], …]
) STRICT;

CREATE TABLE token (
  token_no   INTEGER PRIMARY KEY,
  id         BLOB NOT NULL UNIQUE,
  account_no INTEGER NOT NULL REFERENCES account,
  name       TEXT NOT NULL,
  digest     BLOB NOT NULL UNIQUE,
  admin      INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  UNIQUE (account_no, name)
) STRICT;

CREATE TABLE secret (
  id     BLOB PRIMARY KEY,
  job_no INTEGER,                  -- null: of an account
  sealed BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX secret_job ON secret (job_no);

-- The newest revision of each job, in the columns that planning and lists need.
CREATE TABLE job (
  job_no           INTEGER PRIMARY KEY,
  id               BLOB NOT NULL UNIQUE,
  account_no       INTEGER NOT NULL REFERENCES account,
  shard            INTEGER NOT NULL REFERENCES shard,
  name             TEXT NOT NULL,
  revision         INTEGER NOT NULL,
  planned_revision INTEGER NOT NULL,
  change           INTEGER NOT NULL,
  last_change      INTEGER NOT NULL,
  paused           INTEGER NOT NULL,
  gone             INTEGER NOT NULL,  -- 0: live; else its job_no: deleted, and its name is free
  created_at       INTEGER NOT NULL,
  changed_at       INTEGER NOT NULL,
  schedule         TEXT NOT NULL,
  zone             TEXT NOT NULL,
  dst              INTEGER NOT NULL,
  anchor           INTEGER NOT NULL,
  delivery         INTEGER NOT NULL,
  attempts         INTEGER NOT NULL,
  backoff_min      INTEGER NOT NULL,
  backoff_max      INTEGER NOT NULL,
  age_max          INTEGER,
  catch_up         INTEGER NOT NULL,
  catch_up_window  INTEGER NOT NULL,
  catch_up_limit   INTEGER NOT NULL,
  destination      TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX job_name ON job (account_no, name, gone);
CREATE INDEX job_change ON job (shard, change);

CREATE TABLE job_label (           -- of the newest revision; lists go along it, newest job first
  account_no INTEGER NOT NULL,
  key        TEXT NOT NULL,
  value      TEXT NOT NULL,
  job_no     INTEGER NOT NULL REFERENCES job,
  PRIMARY KEY (account_no, key, value, job_no)
) STRICT, WITHOUT ROWID;

CREATE TABLE job_revision (        -- append-only
  job_no     INTEGER NOT NULL REFERENCES job,
  revision   INTEGER NOT NULL,
  definition TEXT NOT NULL,        -- core/definition_json
  schedule   TEXT NOT NULL,
  zone       TEXT NOT NULL,
  dst        INTEGER NOT NULL,
  anchor     INTEGER NOT NULL,
  name       TEXT NOT NULL,
  changed_at INTEGER NOT NULL,
  PRIMARY KEY (job_no, revision)
) STRICT, WITHOUT ROWID;

CREATE TABLE run (
  run_no       INTEGER PRIMARY KEY,
  id           BLOB NOT NULL,      -- UUIDv7 of due: found through run_due
  job_no       INTEGER NOT NULL REFERENCES job,
  shard        INTEGER NOT NULL,
  revision     INTEGER NOT NULL,
  kind         INTEGER NOT NULL,
  key          TEXT NOT NULL,      -- '' for scheduled
  scheduled_at INTEGER NOT NULL,
  due          INTEGER NOT NULL,
  state        INTEGER NOT NULL,
  verdict      INTEGER,
  reason       INTEGER NOT NULL,
  fence        INTEGER NOT NULL,
  attempt      INTEGER NOT NULL,   -- the number reserved for the next, or current, request
  send_at      INTEGER NOT NULL,
  failures     INTEGER NOT NULL,
  unknowns     INTEGER NOT NULL,
  first_attempt_at INTEGER,
  ended_at     INTEGER,
  CHECK ((kind = 0) = (key = ''))
) STRICT;
-- Scheduled runs share the key '': one of them per (job, due). It is also how a job's runs are listed.
CREATE UNIQUE INDEX run_occurrence ON run (job_no, due, key);
CREATE INDEX run_due ON run (due);
CREATE INDEX run_verdict ON run (verdict, due) WHERE verdict IS NOT NULL;
CREATE INDEX run_open ON run (send_at) WHERE state IN (1, 2);
CREATE INDEX run_open_job ON run (job_no) WHERE state < 3;
CREATE INDEX run_requested ON run (run_no) WHERE state = 0;

CREATE TABLE occurrence_key (      -- outlives its run
  job_no INTEGER NOT NULL REFERENCES job,
  key    TEXT NOT NULL,
  run_no INTEGER NOT NULL,
  due    INTEGER NOT NULL,
  PRIMARY KEY (job_no, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX occurrence_key_due ON occurrence_key (due);

CREATE TABLE attempt (
  run_no        INTEGER NOT NULL,
  number        INTEGER NOT NULL,
  revision      INTEGER NOT NULL,
  fence         INTEGER NOT NULL,
  fate          INTEGER NOT NULL,
  status        INTEGER NOT NULL,
  first_byte_at INTEGER,
  ended_at      INTEGER NOT NULL,
  error         TEXT NOT NULL,
  response      BLOB NOT NULL,
  PRIMARY KEY (run_no, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE run_change (          -- which run changed, in commit order; kept 10 minutes
  change INTEGER PRIMARY KEY AUTOINCREMENT,
  run_no INTEGER NOT NULL,
  at     INTEGER NOT NULL
) STRICT;

CREATE TABLE skipped_span (
  span_no  INTEGER PRIMARY KEY,
  job_no   INTEGER NOT NULL REFERENCES job,
  revision INTEGER NOT NULL,
  after    INTEGER NOT NULL,       -- exclusive
  until    INTEGER NOT NULL,       -- inclusive
  reason   INTEGER NOT NULL,
  count    INTEGER,
  UNIQUE (job_no, after, until)
) STRICT;
CREATE INDEX skipped_uncounted ON skipped_span (span_no) WHERE count IS NULL;
CREATE INDEX skipped_until ON skipped_span (until);

CREATE TABLE notice (              -- a failed run its account has to be told of
  notice_no  INTEGER PRIMARY KEY,
  account_no INTEGER NOT NULL REFERENCES account,
  run_id     BLOB NOT NULL,
  at         INTEGER NOT NULL
) STRICT;
CREATE INDEX notice_account ON notice (account_no, notice_no);

CREATE TABLE notice_batch (        -- at most one open per account
  account_no INTEGER PRIMARY KEY REFERENCES account,
  id         BLOB NOT NULL,
  attempt    INTEGER NOT NULL,
  send_at    INTEGER NOT NULL,
  last_notice INTEGER NOT NULL     -- holds the account's notices up to this one
) STRICT;

CREATE TABLE idempotency (
  account_no INTEGER NOT NULL REFERENCES account,
  key        TEXT NOT NULL,
  digest     BLOB NOT NULL,
  answer     TEXT NOT NULL,
  at         INTEGER NOT NULL,
  PRIMARY KEY (account_no, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_age ON idempotency (at);
