-- The first schema. Instants are microseconds since 1970, UTC; small closed sets are the integers of
-- the enums in core/run.h, core/job.h and core/batch.h. Texts compare byte by byte.
-- No foreign keys: the check of one locks the row it leads to, on every insert.

-- The only clock of this store.
CREATE FUNCTION clock_us() RETURNS bigint LANGUAGE sql VOLATILE
  AS 'SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint';

-- Which cluster this is, and how often one of its standbys was promoted: the first 8 digits of the
-- name of the log file that is written to.
CREATE FUNCTION server_identity(OUT system bigint, OUT timeline bigint) LANGUAGE sql VOLATILE
  AS 'SELECT system_identifier,
             (''x'' || lpad(left(pg_walfile_name(pg_current_wal_lsn()), 8), 16, ''0''))::bit(64)::bigint
      FROM pg_control_system()';

CREATE TABLE meta (                -- one row; who edits holds its lock
  one        smallint PRIMARY KEY CHECK (one = 1),
  last_stamp bigint NOT NULL       -- newest instant of an edit; no two edits share one
);

CREATE TABLE fence_source (        -- one row
  one        smallint PRIMARY KEY CHECK (one = 1),
  generation bigint NOT NULL,      -- high bits of every fence
  counter    bigint NOT NULL,
  timeline   bigint NOT NULL,      -- of the server, when the generation was last judged
  system     bigint NOT NULL       -- its system identifier
);

-- Run numbers are given to processes in blocks.
CREATE SEQUENCE run_block AS bigint MINVALUE 0 START 0 CACHE 1;

CREATE TABLE commit_clock (        -- what resume_at is computed from; a row for each process
  writer      uuid PRIMARY KEY,
  boot        text NOT NULL,       -- what last_steady counts from
  last_commit bigint NOT NULL,     -- newest clock that any of its batches carried
  last_steady bigint NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE commit_mark (         -- answers whether a transaction of unknown fate did commit
  id uuid PRIMARY KEY,
  at bigint NOT NULL
);
CREATE INDEX commit_mark_at ON commit_mark (at);

CREATE TABLE node (                -- processes, and until when each is taken to live
  node     uuid PRIMARY KEY,
  draining boolean NOT NULL,
  ends     bigint NOT NULL         -- of what it holds, too
);

CREATE TABLE lease (               -- who held which fence; attempts name their fence
  fence    bigint PRIMARY KEY,
  node     uuid NOT NULL,
  taken_at bigint NOT NULL
);

-- Who may write for a shard. Every batch locks the rows of its shards against being taken; nothing of
-- them changes while a lease is only kept.
CREATE TABLE shard_lease (
  shard  smallint PRIMARY KEY,
  fence  bigint NOT NULL,          -- 0: never held
  holder uuid                      -- null: given back or freed
) WITH (fillfactor = 10);

-- What only the owner of a shard writes.
CREATE TABLE shard (
  shard  smallint PRIMARY KEY,
  cursor bigint NOT NULL,
  seen   bigint NOT NULL           -- up to this change its owner has committed having seen
) WITH (fillfactor = 10);

-- Raised by every edit of one of the shard's jobs, in the edit's own transaction.
CREATE TABLE shard_change (
  shard  smallint PRIMARY KEY,
  change bigint NOT NULL
) WITH (fillfactor = 10);

-- Raised by every commit that changes runs of the shard, last in its transaction.
CREATE TABLE shard_tally (
  shard smallint PRIMARY KEY,
  last  bigint NOT NULL,           -- number of the newest change of a run
  runs  bigint NOT NULL            -- rows of run
) WITH (fillfactor = 10);

CREATE TABLE change_floor (        -- changes of runs at or below it are forgotten
  shard smallint PRIMARY KEY,
  floor bigint NOT NULL
);

CREATE TABLE account (
  account_no     bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  id             uuid NOT NULL UNIQUE,
  name           text NOT NULL,
  signing_secret bytea NOT NULL,   -- sealed
  webhook_url    text,
  webhook_headers text NOT NULL,   -- JSON [[name, secret id], …]
  email      text COLLATE "C",     -- null: none
  api_key    uuid UNIQUE,          -- null: no credentials
  api_secret bytea                 -- sealed
);
CREATE UNIQUE INDEX account_email ON account (lower(email));

CREATE TABLE token (
  token_no   bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  id         uuid NOT NULL UNIQUE,
  account_no bigint NOT NULL,
  name       text COLLATE "C" NOT NULL,
  digest     bytea NOT NULL UNIQUE,
  admin      boolean NOT NULL,
  created_at bigint NOT NULL,
  UNIQUE (account_no, name)
);

CREATE TABLE secret (
  id     uuid PRIMARY KEY,
  job_no bigint,                   -- null: of an account
  sealed bytea NOT NULL
);
CREATE INDEX secret_job ON secret (job_no) WHERE job_no IS NOT NULL;

-- The newest revision of each job, in the columns that planning and lists need. No index names
-- planned_revision, so that a replan does not touch one.
CREATE TABLE job (
  job_no           bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  id               uuid NOT NULL UNIQUE,
  account_no       bigint NOT NULL,
  shard            smallint NOT NULL,
  name             text COLLATE "C" NOT NULL,
  labels           jsonb NOT NULL,
  revision         integer NOT NULL,
  planned_revision integer NOT NULL,
  change           bigint NOT NULL,
  last_change      smallint NOT NULL,
  paused           boolean NOT NULL,
  gone             bigint NOT NULL,   -- 0: live; else its job_no: deleted, and its name is free
  created_at       bigint NOT NULL,
  changed_at       bigint NOT NULL,
  schedule         text NOT NULL,
  zone             text NOT NULL,
  dst              smallint NOT NULL,
  anchor           bigint NOT NULL,
  delivery         smallint NOT NULL,
  attempts         integer NOT NULL,
  backoff_min      bigint NOT NULL,
  backoff_max      bigint NOT NULL,
  age_max          bigint,
  catch_up         smallint NOT NULL,
  catch_up_window  bigint NOT NULL,
  catch_up_limit   integer NOT NULL,
  destination      text NOT NULL,
  v1_name          bytea              -- what API v1 calls it, any bytes; null: its name
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX job_name ON job (account_no, name, gone);
CREATE INDEX job_change ON job (shard, change);
CREATE INDEX job_labels ON job USING gin (labels jsonb_path_ops);

CREATE TABLE job_revision (        -- append-only
  job_no     bigint NOT NULL,
  revision   integer NOT NULL,
  definition text NOT NULL,        -- core/definition_json
  schedule   text NOT NULL,
  zone       text NOT NULL,
  dst        smallint NOT NULL,
  anchor     bigint NOT NULL,
  name       text NOT NULL,
  changed_at bigint NOT NULL,
  PRIMARY KEY (job_no, revision)
);

-- What stays of a run. It is written when the run is made and once more when it ends; no index names
-- a column that the end writes, and half of each page is left for it (HOT). A partition is one day
-- of `due`; run_no >> 40 is that day. While verdict is null, the rest stands in run_open.
CREATE TABLE run (
  run_no       bigint NOT NULL,
  due          bigint NOT NULL,
  id           uuid NOT NULL,      -- UUIDv7 of due: found through run_due
  job_no       bigint NOT NULL,
  shard        smallint NOT NULL,
  revision     integer NOT NULL,
  kind         smallint NOT NULL,
  key          text COLLATE "C" NOT NULL,  -- '' for scheduled
  scheduled_at bigint NOT NULL,
  verdict      smallint,
  reason       smallint NOT NULL,
  fence        bigint NOT NULL,
  attempt      integer NOT NULL,
  ended_at     bigint,
  PRIMARY KEY (run_no, due),
  -- Scheduled runs share the key '': one of them per (job, due).
  CONSTRAINT run_occurrence UNIQUE (job_no, due, key)
) PARTITION BY RANGE (due);
CREATE INDEX run_due ON run (due, run_no);

CREATE TABLE run_open (            -- the runs without a verdict
  run_no       bigint PRIMARY KEY,
  due          bigint NOT NULL,
  id           uuid NOT NULL,
  job_no       bigint NOT NULL,
  shard        smallint NOT NULL,
  revision     integer NOT NULL,
  kind         smallint NOT NULL,
  scheduled_at bigint NOT NULL,
  state        smallint NOT NULL,  -- requested, claimed or begun
  fence        bigint NOT NULL,
  attempt      integer NOT NULL,   -- the number reserved for the next, or current, request
  send_at      bigint NOT NULL,    -- least of all while it is requested
  failures     integer NOT NULL,
  unknowns     integer NOT NULL,
  first_attempt_at bigint,
  left_until   bigint NOT NULL DEFAULT 0  -- the owner before may record its request until then
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 2000);
CREATE INDEX run_open_send ON run_open (shard, send_at, run_no);
CREATE INDEX run_open_job ON run_open (job_no);

CREATE TABLE occurrence_key (      -- outlives its run
  job_no bigint NOT NULL,
  key    text COLLATE "C" NOT NULL,
  run_no bigint NOT NULL,
  due    bigint NOT NULL,
  PRIMARY KEY (job_no, key)
);
CREATE INDEX occurrence_key_due ON occurrence_key (due);

-- A partition holds the attempts of one day's runs.
CREATE TABLE attempt (
  run_no        bigint NOT NULL,
  number        integer NOT NULL,
  revision      integer NOT NULL,
  fence         bigint NOT NULL,
  fate          smallint NOT NULL,
  status        integer NOT NULL,
  first_byte_at bigint,
  ended_at      bigint NOT NULL,
  error         bytea NOT NULL,
  response      bytea NOT NULL,
  PRIMARY KEY (run_no, number)
) PARTITION BY RANGE (run_no);

CREATE TABLE run_day (             -- the partitions that exist
  day bigint PRIMARY KEY
);

-- Makes a day's partitions, unless they exist. Attached, not made in place, which would lock the
-- whole table.
CREATE FUNCTION make_run_day(wanted bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('cronally.run_day'));
  INSERT INTO run_day (day) VALUES (wanted) ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN RETURN; END IF;
  EXECUTE format('CREATE TABLE run_%s (LIKE run INCLUDING ALL) WITH (fillfactor = 60)', wanted);
  EXECUTE format('ALTER TABLE run ATTACH PARTITION run_%s FOR VALUES FROM (%s) TO (%s)',
                 wanted, wanted * 86400000000, (wanted + 1) * 86400000000);
  EXECUTE format('CREATE TABLE attempt_%s (LIKE attempt INCLUDING ALL)', wanted);
  EXECUTE format('ALTER TABLE attempt ATTACH PARTITION attempt_%s FOR VALUES FROM (%s) TO (%s)',
                 wanted, wanted << 40, (wanted + 1) << 40);
END $$;

-- Drops a day's partitions, unless a run of it is open; true: they are gone. Who holds the tables longer
-- than a moment is not waited for: everybody else would wait behind.
CREATE FUNCTION drop_run_day(unwanted bigint) RETURNS boolean LANGUAGE plpgsql
SET lock_timeout = '100ms' AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('cronally.run_day'));
  LOCK TABLE run, attempt IN ACCESS EXCLUSIVE MODE;
  IF EXISTS (SELECT 1 FROM run_open o WHERE o.due >= unwanted * 86400000000
                                        AND o.due < (unwanted + 1) * 86400000000) THEN
    RETURN false;
  END IF;
  DELETE FROM run_day WHERE day = unwanted;
  IF NOT FOUND THEN RETURN false; END IF;
  EXECUTE format('DROP TABLE run_%s, attempt_%s', unwanted, unwanted);
  RETURN true;
EXCEPTION WHEN lock_not_available THEN
  RETURN false;
END $$;

CREATE TABLE run_change (          -- which runs changed, for each shard in commit order; 10 minutes
  shard smallint NOT NULL,
  last  bigint NOT NULL,           -- number of the last of them; they are numbered upwards to it
  runs  bigint[] NOT NULL,
  at    bigint NOT NULL,
  PRIMARY KEY (shard, last)
);
CREATE INDEX run_change_at ON run_change (at);

CREATE TABLE skipped_span (
  span_no  bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  job_no   bigint NOT NULL,
  revision integer NOT NULL,
  after    bigint NOT NULL,        -- exclusive
  until    bigint NOT NULL,        -- inclusive
  reason   smallint NOT NULL,
  count    bigint,
  UNIQUE (job_no, after, until)
);
CREATE INDEX skipped_uncounted ON skipped_span (span_no) WHERE count IS NULL;
CREATE INDEX skipped_until ON skipped_span (until);

CREATE TABLE notice (              -- a failed run its account has to be told of
  notice_no  bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  account_no bigint NOT NULL,
  run_id     uuid NOT NULL,
  at         bigint NOT NULL,
  batch      uuid                  -- the batch that holds it; null: it waits for the next
);
CREATE INDEX notice_account ON notice (account_no, batch, notice_no);

CREATE TABLE notice_batch (        -- at most one open per account
  account_no bigint PRIMARY KEY,
  id         uuid NOT NULL,
  attempt    integer NOT NULL,
  send_at    bigint NOT NULL
);

CREATE TABLE idempotency (
  account_no bigint NOT NULL,
  key        text COLLATE "C" NOT NULL,
  digest     bytea NOT NULL,
  answer     text NOT NULL,
  at         bigint NOT NULL,
  PRIMARY KEY (account_no, key)
);
CREATE INDEX idempotency_age ON idempotency (at);

-- The number of days since 2026-01-01 starts the generation: fences of a database made later are
-- greater than those of one made before (DESIGN, fence).
INSERT INTO fence_source (one, generation, counter, timeline, system)
SELECT 1, greatest(clock_us() / 86400000000 - 20454, 0) + 1, 0, timeline, system
FROM server_identity();
INSERT INTO meta (one, last_stamp) VALUES (1, 0);
INSERT INTO shard (shard, cursor, seen) SELECT n, clock_us(), 0 FROM generate_series(0, 63) n;
INSERT INTO shard_lease (shard, fence) SELECT n, 0 FROM generate_series(0, 63) n;
INSERT INTO shard_change (shard, change) SELECT n, 0 FROM generate_series(0, 63) n;
INSERT INTO shard_tally (shard, last, runs) SELECT n, 0, 0 FROM generate_series(0, 63) n;
INSERT INTO change_floor (shard, floor) SELECT n, 0 FROM generate_series(0, 63) n;
