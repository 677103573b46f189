-- What `migrate-store` and `doctor` ask; see statements.sql for the rest.

-- ---- moving in from another store -------------------------------------------------------------
-- The columns of each COPY are those of store/transfer.h, less those that lead to another one.

-- name: move_in_find
SELECT generation FROM moved_in WHERE move = $1;

-- name: move_in_stands_against
SELECT EXISTS (SELECT 1 FROM account) OR EXISTS (SELECT 1 FROM job) OR EXISTS (SELECT 1 FROM run);

-- name: move_in_accounts
COPY account (account_no, id, name, signing_secret, webhook_url, webhook_headers, email, api_key,
              api_secret) FROM STDIN (FORMAT binary);

-- name: move_in_tokens
COPY token (token_no, id, account_no, name, digest, admin, created_at)
FROM STDIN (FORMAT binary);

-- name: move_in_secrets
COPY secret (id, job_no, sealed) FROM STDIN (FORMAT binary);

-- name: move_in_jobs
COPY job (job_no, id, account_no, shard, name, labels, revision, planned_revision, change,
          last_change, paused, gone, created_at, changed_at, schedule, zone, dst, anchor, delivery,
          attempts, backoff_min, backoff_max, age_max, catch_up, catch_up_window, catch_up_limit,
          destination, v1_name) FROM STDIN (FORMAT binary);

-- name: move_in_revisions
COPY job_revision (job_no, revision, definition, schedule, zone, dst, anchor, name, changed_at,
                   owed_from)
FROM STDIN (FORMAT binary);

-- name: move_in_leases
COPY lease (fence, node, taken_at) FROM STDIN (FORMAT binary);

-- name: move_in_runs
COPY run (run_no, due, id, job_no, shard, revision, kind, key, scheduled_at, verdict, reason, fence,
          attempt, ended_at) FROM STDIN (FORMAT binary);

-- name: move_in_open_runs
COPY run_open (run_no, due, id, job_no, shard, revision, kind, scheduled_at, state, fence, attempt,
               send_at, failures, unknowns, first_attempt_at) FROM STDIN (FORMAT binary);

-- name: move_in_attempts
COPY attempt (run_no, number, revision, fence, fate, status, first_byte_at, ended_at, error,
              response) FROM STDIN (FORMAT binary);

-- name: move_in_keys
COPY occurrence_key (job_no, key, run_no, due) FROM STDIN (FORMAT binary);

-- name: move_in_spans
COPY skipped_span (span_no, job_no, revision, after, until, reason, count)
FROM STDIN (FORMAT binary);

-- name: move_in_notices
COPY notice (notice_no, account_no, run_id, at, batch) FROM STDIN (FORMAT binary);

-- name: move_in_batches
COPY notice_batch (account_no, id, attempt, send_at) FROM STDIN (FORMAT binary);

-- name: move_in_answers
COPY idempotency (account_no, key, digest, answer, at) FROM STDIN (FORMAT binary);

-- name: move_in_requested
UPDATE run_open SET send_at = -9223372036854775808 WHERE state = 0;

-- name: move_in_shards
WITH given AS (
  SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[],
                       $6::bigint[]) AS g (shard, cursor, fence, change, seen, runs)
), changed AS (
  UPDATE shard_change c SET change = g.change FROM given g WHERE c.shard = g.shard
), leased AS (
  UPDATE shard_lease l SET fence = g.fence, holder = NULL FROM given g WHERE l.shard = g.shard
), counted AS (
  UPDATE shard_tally t SET runs = g.runs FROM given g WHERE t.shard = g.shard
)
UPDATE shard s SET cursor = g.cursor, seen = g.seen FROM given g WHERE s.shard = g.shard;

-- Above every fence of either store, and of one that was made by the clock (DESIGN's rule).
-- name: move_in_generation
UPDATE fence_source SET counter = 0, generation =
  greatest(generation, $1, clock_us() / 86400000000 - 20454) + 1
WHERE one = 1 RETURNING generation;

-- name: move_in_numbers
SELECT setval('run_block', greatest($1, (SELECT last_value FROM run_block))),
       setval(pg_get_serial_sequence('account', 'account_no'),
              (SELECT coalesce(max(account_no), 0) FROM account) + 1),
       setval(pg_get_serial_sequence('token', 'token_no'),
              (SELECT coalesce(max(token_no), 0) FROM token) + 1),
       setval(pg_get_serial_sequence('job', 'job_no'),
              (SELECT coalesce(max(job_no), 0) FROM job) + 1),
       setval(pg_get_serial_sequence('skipped_span', 'span_no'),
              (SELECT coalesce(max(span_no), 0) FROM skipped_span) + 1),
       setval(pg_get_serial_sequence('notice', 'notice_no'),
              (SELECT coalesce(max(notice_no), 0) FROM notice) + 1);

-- name: move_in_done
INSERT INTO moved_in (move, at, generation) VALUES ($1, clock_us(), $2);

-- name: move_in_analyze
ANALYZE account, token, secret, job, job_revision, run, run_open, attempt, occurrence_key,
        skipped_span, notice;

-- ---- survey ------------------------------------------------------------------------------------
-- For `cronally doctor`; these read, and hold nothing.

-- name: survey_clock
SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;

-- Patroni's own sessions are named after it.
-- name: survey_settings
SELECT pg_is_in_recovery(), current_setting('fsync')::boolean,
       current_setting('full_page_writes')::boolean, current_setting('autovacuum')::boolean,
       current_setting('synchronous_commit'), current_setting('synchronous_standby_names'),
       EXISTS (SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'Patroni%');

-- name: survey_standbys
SELECT coalesce(application_name, ''), coalesce(sync_state, ''),
       CASE WHEN NOT pg_is_in_recovery()
            THEN pg_wal_lsn_diff(pg_current_wal_lsn(), flush_lsn)::bigint END
FROM pg_stat_replication WHERE state IS NULL OR state IN ('catchup', 'streaming')
ORDER BY 1;

-- name: survey_schema_any
SELECT to_regclass('cronally.schema_version') IS NOT NULL;

-- name: survey_schema
SELECT coalesce(max(version), 0)::bigint FROM schema_version;

-- name: survey_nodes_named
SELECT EXISTS (SELECT 1 FROM information_schema.columns
               WHERE table_schema = 'cronally' AND table_name = 'node' AND column_name = 'beat_at');

-- name: survey_nodes
SELECT n.node, n.node_name, n.version, n.tzdata, n.ends > clock_us(), n.draining,
       clock_us() - n.beat_at, n.ends - n.beat_at,
       (SELECT count(*) FROM shard_lease l WHERE l.holder = n.node)
FROM node n ORDER BY n.node_name, n.node;

-- name: survey_shards
SELECT count(*) FROM shard_lease l
WHERE NOT EXISTS (SELECT 1 FROM node n WHERE n.node = l.holder AND n.ends > clock_us());

-- name: survey_dead
SELECT relname::text, n_live_tup, n_dead_tup FROM pg_stat_user_tables
WHERE schemaname = 'cronally' AND n_dead_tup > 100000 AND n_dead_tup > 5 * n_live_tup
ORDER BY n_dead_tup DESC LIMIT 5;
