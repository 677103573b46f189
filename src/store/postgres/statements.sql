-- Statements of the PostgreSQL store. Rows of a batch come as one array for each column. Every
-- integer parameter is a bigint. Partitions are found by the row's own `due` where rows are joined to
-- a batch's, and by two parameters that bound `due` elsewhere. Sessions join by index alone
-- (docs/design/postgres.md), so a join's bounds would only tempt the planner to begin at the table.

-- ---- transactions ------------------------------------------------------------------------------

-- name: begin
BEGIN;

-- name: begin_read
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;

-- name: commit
COMMIT;

-- name: rollback
ROLLBACK;

-- name: savepoint
SAVEPOINT work;

-- name: savepoint_undo
ROLLBACK TO SAVEPOINT work;

-- name: savepoint_release
RELEASE SAVEPOINT work;

-- name: unlimited
SET LOCAL statement_timeout = 0;

-- name: clock_read
SELECT clock_us();

-- name: notify
SELECT pg_notify('cronally', $1);

-- name: listen
LISTEN cronally;

-- ---- meta --------------------------------------------------------------------------------------

-- name: schema_version_insert
INSERT INTO schema_version (version) VALUES ($1);

-- name: meta_read
SELECT last_stamp FROM meta WHERE one = 1;

-- name: meta_lock
SELECT last_stamp FROM meta WHERE one = 1 FOR NO KEY UPDATE;

-- name: meta_stamp
UPDATE meta SET last_stamp = greatest(last_stamp, $1) WHERE one = 1;

-- name: commit_mark_insert
INSERT INTO commit_mark (id, at) VALUES ($1, clock_us()) ON CONFLICT DO NOTHING RETURNING id;

-- name: commit_marks_prune
DELETE FROM commit_mark WHERE at < $1;

-- name: commit_clock_write
INSERT INTO commit_clock (writer, boot, last_commit, last_steady) VALUES ($1, $2, $3, $4)
ON CONFLICT (writer) DO UPDATE SET last_commit = excluded.last_commit,
                                   last_steady = excluded.last_steady;

-- name: commit_clocks_read
SELECT boot, last_commit, last_steady FROM commit_clock;

-- A day behind the newest, a row no longer says anything.
-- name: commit_clocks_prune
DELETE FROM commit_clock
WHERE last_commit < (SELECT max(last_commit) FROM commit_clock) - 86400000000;

-- name: run_block_next
SELECT nextval('run_block');

-- name: run_day_make
SELECT make_run_day($1);

-- ---- planning ----------------------------------------------------------------------------------

-- name: plans_to_start
SELECT job_no, id, shard, revision, name, schedule, zone, dst, anchor, changed_at, change,
       planned_revision, paused, gone <> 0, last_change, delivery, attempts, backoff_min,
       backoff_max, age_max, catch_up, catch_up_window, catch_up_limit, destination,
       planned_revision < revision AND EXISTS (
         SELECT 1 FROM job_revision d WHERE d.job_no = job.job_no
           AND d.revision > job.planned_revision AND d.owed_from IS NOT NULL)
FROM job WHERE job_no > $1 AND shard = ANY ($3::bigint[]) AND (gone = 0 OR planned_revision < revision)
ORDER BY job_no LIMIT $2;

-- name: plans_changed
SELECT job_no, id, j.shard, revision, name, schedule, zone, dst, anchor, changed_at, change,
       planned_revision, paused, gone <> 0, last_change, delivery, attempts, backoff_min,
       backoff_max, age_max, catch_up, catch_up_window, catch_up_limit, destination,
       planned_revision < revision AND EXISTS (
         SELECT 1 FROM job_revision d WHERE d.job_no = j.job_no
           AND d.revision > j.planned_revision AND d.owed_from IS NOT NULL)
FROM unnest($1::bigint[], $2::bigint[]) AS since (shard, known)
     JOIN job j ON j.shard = since.shard AND j.change > since.known
ORDER BY j.shard, j.change;

-- name: revisions_unplanned
SELECT d.job_no, d.revision, d.definition, d.anchor, d.changed_at, d.owed_from
FROM unnest($1::bigint[], $2::bigint[]) AS p (job_no, newest)
     JOIN job j USING (job_no) JOIN job_revision d USING (job_no)
WHERE d.revision >= j.planned_revision AND d.revision <= p.newest
ORDER BY d.job_no, d.revision;

-- ---- runs --------------------------------------------------------------------------------------

-- name: claims_insert
WITH claim AS (
  SELECT c.* FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::uuid[],
                         $6::bigint[], $7::bigint[], $8::bigint[])
                  AS c (run_no, job_no, shard, revision, id, scheduled_at, due, fence)
             JOIN job j USING (job_no)
  WHERE j.revision = c.revision AND (NOT j.paused OR c.due <= j.changed_at) AND j.gone = 0
    AND c.due <= clock_us() + $9
), made AS (
  INSERT INTO run (run_no, due, id, job_no, shard, revision, kind, key, scheduled_at, reason, fence,
                   attempt)
  SELECT run_no, due, id, job_no, shard, revision, 0, '', scheduled_at, 0, fence, 1 FROM claim
  ON CONFLICT (job_no, due, key) DO NOTHING
  RETURNING run_no, due, id, job_no, shard, revision, scheduled_at, fence
), opened AS (
  INSERT INTO run_open (run_no, due, id, job_no, shard, revision, kind, scheduled_at, state, fence,
                        attempt, send_at, failures, unknowns)
  SELECT run_no, due, id, job_no, shard, revision, 0, scheduled_at, 1, fence, 1, due, 0, 0 FROM made
)
SELECT run_no FROM made;

-- Of claims that were not inserted: the run that holds the occurrence, and whether the job still
-- plans this revision.
-- name: claims_find
SELECT c.place, r.run_no, r.id,
       coalesce(j.revision = c.revision AND (NOT j.paused OR c.due <= j.changed_at)
                AND j.gone = 0, false)
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[])
       AS c (place, job_no, revision, due)
     LEFT JOIN job j USING (job_no)
     LEFT JOIN run r ON r.job_no = c.job_no AND r.due = c.due AND r.key = '';

-- name: skips_insert
WITH skip AS (
  SELECT s.* FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[],
                         $6::bigint[])
                  AS s (place, job_no, revision, after, until, reason)
             JOIN job j USING (job_no)
  WHERE j.revision = s.revision AND NOT j.paused AND j.gone = 0
), made AS (
  INSERT INTO skipped_span (job_no, revision, after, until, reason)
  SELECT job_no, revision, after, until, reason FROM skip ORDER BY place
  ON CONFLICT (job_no, after, until) DO NOTHING
)
SELECT place FROM skip;

-- Less what a run, or a span of the revision, accounts for: pieces of (after, until] between those.
-- name: skips_before_insert
WITH s AS (
  SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
                WITH ORDINALITY AS s (job_no, revision, after, until, reason, place)
), known AS (
  SELECT s.*, r.due - 1 AS since, r.due AS upto
  FROM s JOIN run r ON r.job_no = s.job_no AND r.due > s.after AND r.due <= s.until AND r.key = ''
  UNION ALL
  SELECT s.*, k.after, k.until
  FROM s JOIN skipped_span k ON k.job_no = s.job_no AND k.revision = s.revision
                            AND k.until > s.after AND k.after < s.until
  UNION ALL
  SELECT s.*, s.until, s.until FROM s
), piece AS (
  SELECT job_no, revision, reason, place, since,
         greatest(after, max(upto) OVER (PARTITION BY place ORDER BY since, upto
                                         ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) AS after
  FROM known
)
INSERT INTO skipped_span (job_no, revision, after, until, reason)
SELECT job_no, revision, after, since, reason FROM piece WHERE after < since ORDER BY place, since
ON CONFLICT (job_no, after, until) DO NOTHING;

-- name: replans_begin
UPDATE job j SET planned_revision = j.revision
FROM unnest($1::bigint[], $2::bigint[]) AS p (job_no, revision)
WHERE j.job_no = p.job_no AND j.revision = p.revision AND j.planned_revision < j.revision
RETURNING j.job_no, j.paused, j.gone <> 0;

-- name: replans_find
SELECT job_no, planned_revision FROM job WHERE job_no = ANY ($1::bigint[]);

-- name: open_runs_of_jobs
SELECT run_no, job_no, due, kind, fence, failures, unknowns FROM run_open
WHERE job_no = ANY ($1::bigint[]) ORDER BY run_no;

-- name: runs_rebind
WITH b AS (
  SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS b (run_no, due, revision)
), opened AS (
  UPDATE run_open o SET revision = b.revision FROM b WHERE o.run_no = b.run_no
)
UPDATE run r SET revision = b.revision FROM b
WHERE r.run_no = b.run_no AND r.due = b.due;

-- name: runs_delete
WITH b AS (
  SELECT * FROM unnest($1::bigint[], $2::bigint[]) AS b (run_no, due)
), opened AS (
  DELETE FROM run_open o USING b WHERE o.run_no = b.run_no
)
DELETE FROM run r USING b
WHERE r.run_no = b.run_no AND r.due = b.due;

-- name: runs_accept
UPDATE run_open o SET state = 1, fence = a.fence, send_at = o.due
FROM unnest($1::bigint[], $2::bigint[]) AS a (run_no, fence)
WHERE o.run_no = a.run_no AND o.state = 0
RETURNING o.run_no;

-- name: runs_begin
UPDATE run_open o SET state = b.state
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[])
       AS b (run_no, fence, attempt, state)
WHERE o.run_no = b.run_no AND o.fence = b.fence AND o.attempt = b.attempt AND o.state IN (1, 2)
RETURNING o.run_no;

-- The ledger names the attempt whose fate nobody can tell any more.
-- name: runs_takeover
WITH t AS (
  SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[])
                AS t (run_no, fence, attempt_was, sent)
), was AS (
  SELECT t.*, o.fence AS fence_was, o.revision
  FROM t JOIN run_open o USING (run_no)
  WHERE o.fence < t.fence AND o.attempt = t.attempt_was AND o.state IN (1, 2)
  FOR NO KEY UPDATE OF o
), taken AS (
  UPDATE run_open o SET fence = was.fence, attempt = o.attempt + was.sent,
                        unknowns = o.unknowns + was.sent, left_until = 0
  FROM was WHERE o.run_no = was.run_no
  RETURNING o.run_no
), noted AS (
  INSERT INTO attempt (run_no, number, revision, fence, fate, status, ended_at, error, response)
  SELECT run_no, attempt_was, revision, fence_was, 2, 0, clock_us(),
         'whether it left is not known: its server ended before recording it', ''
  FROM was WHERE sent = 1
  ON CONFLICT (run_no, number) DO NOTHING
)
SELECT run_no FROM taken;

-- name: attempts_insert
INSERT INTO attempt AS a (run_no, number, revision, fence, fate, status, first_byte_at, ended_at,
                          error, response)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[],
                     $6::bigint[], $7::bigint[], $8::bigint[], $9::bytea[], $10::bytea[])
ON CONFLICT (run_no, number) DO UPDATE SET
  fate = excluded.fate, status = excluded.status, first_byte_at = excluded.first_byte_at,
  ended_at = excluded.ended_at, error = excluded.error, response = excluded.response
WHERE a.fence = excluded.fence;

-- name: outcomes_end
WITH o AS (
  SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
                AS o (run_no, fence, attempt, verdict, reason)
), ended AS (
  DELETE FROM run_open r USING o
  WHERE r.run_no = o.run_no AND r.fence = o.fence AND r.attempt = o.attempt AND r.state IN (1, 2)
  RETURNING r.run_no, r.due, r.id, r.job_no, r.fence, r.attempt, o.verdict, o.reason
), written AS (
  UPDATE run r SET verdict = e.verdict, reason = e.reason, fence = e.fence, attempt = e.attempt,
                   ended_at = clock_us()
  FROM ended e WHERE r.run_no = e.run_no AND r.due = e.due
), told AS (
  INSERT INTO notice (account_no, run_id, at)
  SELECT a.account_no, e.id, clock_us()
  FROM ended e JOIN job j USING (job_no) JOIN account a USING (account_no)
  WHERE e.verdict IN (1, 2) AND a.webhook_url IS NOT NULL ORDER BY e.run_no
)
SELECT run_no FROM ended;

-- name: outcomes_again
UPDATE run_open r SET state = 2, attempt = r.attempt + 1, send_at = o.send_at,
                      failures = r.failures + 1, left_until = 0,
                      first_attempt_at = coalesce(r.first_attempt_at, o.tried_at)
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
     AS o (run_no, fence, attempt, send_at, tried_at)
WHERE r.run_no = o.run_no AND r.fence = o.fence AND r.attempt = o.attempt AND r.state IN (1, 2)
RETURNING r.run_no;

-- name: runs_end
WITH o AS (
  SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[])
                AS o (run_no, fence, verdict, reason)
), ended AS (
  DELETE FROM run_open r USING o
  WHERE r.run_no = o.run_no AND r.fence <= o.fence
  RETURNING r.run_no, r.due, r.id, r.job_no, r.fence, r.attempt, o.verdict, o.reason
), written AS (
  UPDATE run r SET verdict = e.verdict, reason = e.reason, fence = e.fence, attempt = e.attempt,
                   ended_at = clock_us()
  FROM ended e WHERE r.run_no = e.run_no AND r.due = e.due
), told AS (
  INSERT INTO notice (account_no, run_id, at)
  SELECT a.account_no, e.id, clock_us()
  FROM ended e JOIN job j USING (job_no) JOIN account a USING (account_no)
  WHERE e.verdict IN (1, 2) AND a.webhook_url IS NOT NULL ORDER BY e.run_no
)
SELECT run_no FROM ended;

-- How runs stand now, open (0 to 2) or ended (3): what a repeated item is compared with.
-- name: runs_guard
SELECT run_no, state, fence, attempt, send_at, NULL::bigint, NULL::bigint
FROM run_open WHERE run_no = ANY ($1::bigint[])
UNION ALL
SELECT run_no, 3, fence, attempt, NULL, verdict, reason
FROM run WHERE run_no = ANY ($1::bigint[]) AND verdict IS NOT NULL AND due >= $2 AND due < $3;

-- name: runs_changed
WITH t AS (
  SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[])
                AS t (shard, low, high, added)
), locked AS (
  SELECT k.shard FROM shard_tally k JOIN t USING (shard) ORDER BY k.shard FOR NO KEY UPDATE OF k
), raised AS (
  UPDATE shard_tally k SET last = k.last + (t.high - t.low + 1), runs = k.runs + t.added
  FROM t JOIN locked USING (shard) WHERE k.shard = t.shard
  RETURNING k.shard, k.last, t.low, t.high
)
INSERT INTO run_change (shard, last, runs, at)
SELECT shard, last, ($5::bigint[])[low:high], $6 FROM raised WHERE high >= low;

-- name: changes_prune
WITH alone AS MATERIALIZED (
  SELECT pg_try_advisory_xact_lock(hashtext('cronally.prune')) AS yes
), gone AS (
  DELETE FROM run_change c USING alone WHERE alone.yes AND c.at < $1 RETURNING c.shard, c.last
)
UPDATE change_floor f SET floor = greatest(f.floor, m.last)
FROM (SELECT shard, max(last) AS last FROM gone GROUP BY shard) m WHERE f.shard = m.shard;

-- The oldest cursor, and the oldest open run that no owner who lives has under its fence; of each
-- shard only the oldest runs are looked at.
-- name: behind_read
WITH clock AS MATERIALIZED (SELECT clock_us() AS now)
SELECT clock.now, (SELECT min(cursor) FROM shard), (
  SELECT min(CASE WHEN o.state = 0 THEN o.due ELSE o.send_at END)
  FROM shard_lease l LEFT JOIN node n ON n.node = l.holder AND n.ends > clock.now
       CROSS JOIN LATERAL (
         SELECT r.* FROM run_open r WHERE r.shard = l.shard AND r.send_at <= clock.now
         ORDER BY r.send_at, r.run_no LIMIT 100) o
  WHERE (o.state = 0 OR o.fence <> l.fence OR n.node IS NULL) AND o.left_until <= clock.now
    AND NOT (SELECT j.paused AND j.gone = 0 AND o.due <= j.changed_at
             FROM job j WHERE j.job_no = o.job_no))
FROM clock;

-- name: open_runs_due
SELECT r.run_no, r.id, r.job_no, r.shard, r.revision, r.kind, r.state, r.scheduled_at, r.due,
       r.fence, r.attempt, r.send_at, r.failures, r.unknowns, r.first_attempt_at, r.left_until
FROM unnest($1::bigint[]) AS s (shard)
     CROSS JOIN LATERAL (
       SELECT o.* FROM run_open o JOIN job j USING (job_no)
       WHERE o.shard = s.shard AND o.send_at > $4 AND o.send_at <= $2
         AND NOT (j.paused AND j.gone = 0 AND o.due <= j.changed_at)
       ORDER BY o.send_at, o.run_no LIMIT $3) r
ORDER BY r.send_at, r.run_no LIMIT $3;

-- name: runs_requested
SELECT run_no, id, job_no, o.shard, revision, kind, state, scheduled_at, due, fence, attempt,
       due, failures, unknowns, first_attempt_at, left_until
FROM unnest($1::bigint[]) AS s (shard)
     JOIN run_open o ON o.shard = s.shard AND o.send_at <= $2
ORDER BY due, run_no;

-- name: requested_any
SELECT 1 FROM shard s JOIN run_open o ON o.shard = s.shard AND o.send_at = -9223372036854775808
LIMIT 1;

-- ---- what was forgotten ------------------------------------------------------------------------

-- For each run that a node remembers: its job, and the run that holds its occurrence. Runs on request
-- have no occurrence but their own.
-- name: reassert_find
SELECT c.place, j.job_no, j.shard, j.revision, r.run_no, r.id, r.verdict,
       o.state, coalesce(o.attempt, r.attempt), coalesce(o.fence, r.fence),
       o.fence >> 36 = (SELECT generation FROM fence_source WHERE one = 1)
FROM unnest($1::bigint[], $2::uuid[], $3::uuid[], $4::bigint[], $5::bigint[])
       AS c (place, job, id, due, kind)
     LEFT JOIN job j ON j.id = c.job
     LEFT JOIN LATERAL (
       SELECT s.* FROM run s
       WHERE c.kind = 0 AND s.job_no = j.job_no AND s.due = c.due AND s.key = ''
       UNION ALL
       SELECT s.* FROM run s WHERE c.kind <> 0 AND s.due = c.due AND s.id = c.id
     ) r ON true
     LEFT JOIN run_open o ON o.run_no = r.run_no;

-- name: run_oldest
SELECT min(due) FROM run;

-- name: reassert_insert
WITH c AS (
  SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::uuid[], $4::bigint[], $5::bigint[],
                       $6::bigint[], $7::bigint[], $8::text[], $9::bigint[], $10::bigint[],
                       $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[],
                       $16::bigint[], $17::bigint[], $18::bigint[])
    AS c (run_no, due, id, job_no, shard, revision, kind, key, scheduled_at, state, fence, attempt,
          send_at, failures, unknowns, first_attempt_at, verdict, reason)
), made AS (
  INSERT INTO run (run_no, due, id, job_no, shard, revision, kind, key, scheduled_at, verdict,
                   reason, fence, attempt, ended_at)
  SELECT run_no, due, id, job_no, shard, revision, kind, key, scheduled_at, verdict, reason, fence,
         attempt, CASE WHEN verdict IS NOT NULL THEN $19 END FROM c
  ON CONFLICT (job_no, due, key) DO NOTHING
  RETURNING run_no
), whole AS (
  SELECT c.* FROM made JOIN c USING (run_no)
), opened AS (
  INSERT INTO run_open (run_no, due, id, job_no, shard, revision, kind, scheduled_at, state, fence,
                        attempt, send_at, failures, unknowns, first_attempt_at)
  SELECT run_no, due, id, job_no, shard, revision, kind, scheduled_at, state, fence, attempt,
         send_at, failures, unknowns, first_attempt_at FROM whole WHERE verdict IS NULL
), keyed AS (
  INSERT INTO occurrence_key (job_no, key, run_no, due)
  SELECT job_no, key, run_no, due FROM whole WHERE key <> ''
  ON CONFLICT DO NOTHING
), told AS (
  INSERT INTO notice (account_no, run_id, at)
  SELECT a.account_no, w.id, $19
  FROM whole w JOIN job j USING (job_no) JOIN account a USING (account_no)
  WHERE w.verdict IN (1, 2) AND a.webhook_url IS NOT NULL
)
SELECT run_no FROM made;

-- name: reassert_raise
UPDATE run_open o SET state = greatest(o.state, c.state), fence = c.fence, attempt = c.attempt,
                      send_at = c.send_at, failures = greatest(o.failures, c.failures),
                      unknowns = greatest(o.unknowns, c.unknowns),
                      first_attempt_at = coalesce(o.first_attempt_at, c.first_attempt_at)
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
            $7::bigint[], $8::bigint[])
       AS c (run_no, state, fence, attempt, send_at, failures, unknowns, first_attempt_at)
WHERE o.run_no = c.run_no AND o.fence <= c.fence AND o.attempt <= c.attempt
RETURNING o.run_no;

-- Of a run that has ended otherwise, or is at a higher number and nobody acts on it, only a success
-- is written.
-- name: reassert_end
WITH c AS (
  SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[],
                       $6::bigint[])
                AS c (run_no, due, fence, attempt, verdict, reason)
), ended AS (
  DELETE FROM run_open o USING c
  WHERE o.run_no = c.run_no
        AND ((o.fence <= c.fence AND o.attempt <= c.attempt) OR
             (c.verdict = 0 AND
              o.fence >> 36 < (SELECT generation FROM fence_source WHERE one = 1)))
  RETURNING o.run_no, o.due, o.id, o.job_no, greatest(o.fence, c.fence) AS fence,
            greatest(o.attempt, c.attempt) AS attempt, c.verdict, c.reason
), written AS (
  UPDATE run r SET verdict = e.verdict, reason = e.reason, fence = e.fence, attempt = e.attempt,
                   ended_at = $7
  FROM ended e WHERE r.run_no = e.run_no AND r.due = e.due
), told AS (
  INSERT INTO notice (account_no, run_id, at)
  SELECT a.account_no, e.id, $7
  FROM ended e JOIN job j USING (job_no) JOIN account a USING (account_no)
  WHERE e.verdict IN (1, 2) AND a.webhook_url IS NOT NULL
), succeeded AS (
  UPDATE run r SET verdict = c.verdict, reason = c.reason, fence = greatest(r.fence, c.fence),
                   attempt = greatest(r.attempt, c.attempt), ended_at = $7
  FROM c WHERE r.run_no = c.run_no AND r.due = c.due AND r.verdict <> 0 AND c.verdict = 0
  RETURNING r.run_no
)
SELECT run_no FROM ended UNION ALL SELECT run_no FROM succeeded;

-- name: reassert_attempts
INSERT INTO attempt (run_no, number, revision, fence, fate, status, first_byte_at, ended_at, error,
                     response)
SELECT a.*, $9, ''
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
            $7::bigint[], $8::bigint[]) AS a
ON CONFLICT (run_no, number) DO NOTHING;

-- Attempts name the node of their fence.
-- name: reassert_leases
INSERT INTO lease (fence, node, taken_at)
SELECT DISTINCT ON (fence) fence, node, $3::bigint FROM unnest($1::bigint[], $2::uuid[]) AS l (fence, node)
ON CONFLICT DO NOTHING;

-- ---- deliveries --------------------------------------------------------------------------------

-- name: deliverables_read
SELECT w.place, j.id, j.account_no, d.definition
FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS w (job_no, revision, place)
     JOIN job j USING (job_no)
     JOIN job_revision d ON d.job_no = j.job_no
                            AND d.revision = coalesce(nullif(w.revision, 0), j.revision);

-- name: secrets_read
SELECT id, sealed FROM secret WHERE id = ANY ($1::uuid[]);

-- name: spans_uncounted
SELECT s.span_no, s.after, s.until, j.id, d.schedule, d.zone, d.dst, d.anchor, d.name
FROM skipped_span s JOIN job j USING (job_no)
     JOIN job_revision d ON d.job_no = s.job_no AND d.revision = s.revision
WHERE s.count IS NULL ORDER BY s.span_no LIMIT $1;

-- name: span_counts_set
UPDATE skipped_span s SET count = c.count
FROM unnest($1::bigint[], $2::bigint[]) AS c (span_no, count) WHERE s.span_no = c.span_no;

-- ---- ledger ------------------------------------------------------------------------------------

-- name: run_by_id
SELECT r.run_no, r.id, j.id, r.job_no, j.name, r.revision, r.kind, r.key, r.scheduled_at, r.due,
       coalesce(o.state, 3), r.verdict, r.reason, coalesce(o.fence, r.fence), r.ended_at
FROM run r JOIN job j USING (job_no) LEFT JOIN run_open o USING (run_no)
WHERE j.account_no = $1 AND r.due >= $2 AND r.due < $3 AND r.id = $4;

-- name: run_by_no
SELECT r.run_no, r.id, j.id, r.job_no, j.name, r.revision, r.kind, r.key, r.scheduled_at, r.due,
       coalesce(o.state, 3), r.verdict, r.reason, coalesce(o.fence, r.fence), r.ended_at
FROM run r JOIN job j USING (job_no) LEFT JOIN run_open o USING (run_no)
WHERE r.run_no = $1 AND r.due = $2;

-- The lists of runs: parameters 1 to 10 are the same, the ways through the tables differ.
-- name: run_list
SELECT r.run_no, r.id, j.id, r.job_no, j.name, r.revision, r.kind, r.key, r.scheduled_at, r.due,
       coalesce(o.state, 3), r.verdict, r.reason, coalesce(o.fence, r.fence), r.ended_at
FROM run r JOIN job j USING (job_no) LEFT JOIN run_open o USING (run_no)
WHERE j.account_no = $1
  AND r.due >= $4 AND r.due <= $2 AND (r.due, r.run_no) < ($2, $3)
  AND ($5::bigint IS NULL OR r.verdict = $5)
  AND ($6::bigint IS NULL OR coalesce(o.state, 3) = $6)
  AND ($8::text IS NULL OR (j.name >= $8 AND j.name < $9))
  AND ($7::text IS NULL OR j.labels @> $7::jsonb)
ORDER BY r.due DESC, r.run_no DESC LIMIT $10;

-- name: run_list_open
SELECT r.run_no, r.id, j.id, r.job_no, j.name, r.revision, r.kind, r.key, r.scheduled_at, r.due,
       o.state, r.verdict, r.reason, o.fence, r.ended_at
FROM run_open o JOIN job j USING (job_no)
     JOIN run r ON r.run_no = o.run_no AND r.due = o.due AND r.due >= $4 AND r.due <= $2
WHERE j.account_no = $1
  AND o.due >= $4 AND (o.due, o.run_no) < ($2, $3)
  AND ($5::bigint IS NULL OR r.verdict = $5)
  AND o.state = $6
  AND ($8::text IS NULL OR (j.name >= $8 AND j.name < $9))
  AND ($7::text IS NULL OR j.labels @> $7::jsonb)
ORDER BY o.due DESC, o.run_no DESC LIMIT $10;

-- Of a few jobs, each asked for its newest.
-- name: run_list_of_jobs
SELECT r.run_no, r.id, j.id, r.job_no, j.name, r.revision, r.kind, r.key, r.scheduled_at, r.due,
       r.state, r.verdict, r.reason, r.fence_now, r.ended_at
FROM unnest($11::bigint[]) AS w (job_no) JOIN job j USING (job_no)
     CROSS JOIN LATERAL (
       SELECT r.*, coalesce(o.state, 3) AS state, coalesce(o.fence, r.fence) AS fence_now
       FROM run r LEFT JOIN run_open o USING (run_no)
       WHERE r.job_no = w.job_no
         AND r.due >= $4 AND r.due <= $2 AND (r.due, r.run_no) < ($2, $3)
         AND ($5::bigint IS NULL OR r.verdict = $5)
         AND ($6::bigint IS NULL OR coalesce(o.state, 3) = $6)
       ORDER BY r.due DESC, r.run_no DESC LIMIT $10) r
WHERE j.account_no = $1
  AND ($8::text IS NULL OR (j.name >= $8 AND j.name < $9))
  AND ($7::text IS NULL OR j.labels @> $7::jsonb)
ORDER BY r.due DESC, r.run_no DESC LIMIT $10;

-- name: job_no_of
SELECT job_no FROM job WHERE account_no = $1 AND id = $2;

-- name: attempts_of_runs
SELECT a.run_no, a.number, a.revision, a.fence, l.node, a.fate, a.status, a.first_byte_at,
       a.ended_at, a.error, a.response
FROM attempt a JOIN lease l ON l.fence = a.fence
WHERE a.run_no = ANY ($1::bigint[]) AND a.run_no >= $2 AND a.run_no <= $3
ORDER BY a.run_no, a.number;

-- name: changes_newest
SELECT shard, last FROM shard_tally ORDER BY shard;

-- name: change_floors
SELECT shard, floor FROM change_floor ORDER BY shard;

-- Changes above what is known of each shard, oldest first; within a shard in their order, also
-- where the clock was set back.
-- name: changes_after
SELECT c.shard, c.number, c.run_no
FROM (SELECT c.shard, c.at, c.last, c.last - cardinality(c.runs) + r.place AS number, r.run_no
      FROM unnest($1::bigint[], $2::bigint[]) AS k (shard, known)
           CROSS JOIN LATERAL (
             SELECT * FROM run_change n
             WHERE n.shard = k.shard AND n.last > k.known ORDER BY n.last LIMIT $3) c
           CROSS JOIN LATERAL unnest(c.runs) WITH ORDINALITY AS r (run_no, place)
      WHERE c.last - cardinality(c.runs) + r.place > k.known) c
ORDER BY max(c.at) OVER (PARTITION BY c.shard ORDER BY c.number), c.shard, c.number LIMIT $3;

-- name: runs_of_changes
SELECT r.run_no, r.id, j.id, r.job_no, j.name, r.revision, r.kind, r.key, r.scheduled_at, r.due,
       coalesce(o.state, 3), r.verdict, r.reason, coalesce(o.fence, r.fence), r.ended_at
FROM run r JOIN job j USING (job_no) LEFT JOIN run_open o USING (run_no)
WHERE r.run_no = ANY ($2::bigint[]) AND r.due >= $3 AND r.due < $4
  AND j.account_no = $1
  AND ($5::uuid IS NULL OR j.id = $5)
  AND ($6::bigint IS NULL OR r.verdict = $6)
  AND ($7::bigint IS NULL OR coalesce(o.state, 3) = $7)
  AND ($9::text IS NULL OR (j.name >= $9 AND j.name < $10))
  AND ($8::text IS NULL OR j.labels @> $8::jsonb);

-- name: skipped_list
SELECT j.id, s.revision, s.after, s.until, s.reason, s.count
FROM skipped_span s JOIN job j USING (job_no)
WHERE j.account_no = $1 AND ($2::uuid IS NULL OR j.id = $2) ORDER BY s.span_no DESC LIMIT $3;

-- ---- retention ---------------------------------------------------------------------------------

-- name: runs_kept
SELECT sum(runs)::bigint FROM shard_tally;

-- name: runs_oldest
SELECT r.run_no, r.due, r.shard, r.verdict IS NOT NULL FROM run r
WHERE r.due <= $1 AND (r.due, r.run_no) > ($2, $3) AND r.due >= $2
ORDER BY r.due, r.run_no LIMIT $4;

-- name: runs_prune
WITH b AS (
  SELECT * FROM unnest($1::bigint[], $2::bigint[]) AS b (run_no, due)
), tried AS (
  DELETE FROM attempt a USING b WHERE a.run_no = b.run_no
)
DELETE FROM run r USING b
WHERE r.run_no = b.run_no AND r.due = b.due
RETURNING r.shard;

-- name: spans_prune
DELETE FROM skipped_span WHERE span_no IN
  (SELECT span_no FROM skipped_span WHERE until <= $1 ORDER BY until LIMIT $2)
RETURNING span_no;

-- name: keys_prune
DELETE FROM occurrence_key d USING (
  SELECT k.job_no, k.key FROM occurrence_key k
  WHERE k.due <= $1
    AND NOT EXISTS (SELECT 1 FROM run r WHERE r.run_no = k.run_no AND r.due = k.due)
  ORDER BY k.due LIMIT $2) g
WHERE d.job_no = g.job_no AND d.key = g.key
RETURNING d.job_no;

-- name: run_days_ended
SELECT d.day FROM run_day d
WHERE d.day < $1
  AND NOT EXISTS (SELECT 1 FROM run_open o WHERE o.due >= d.day * 86400000000
                                             AND o.due < (d.day + 1) * 86400000000)
ORDER BY d.day LIMIT 1;

-- name: run_day_count
SELECT shard, count(*) FROM run
WHERE due >= $1::bigint * 86400000000 AND due < ($1::bigint + 1) * 86400000000 GROUP BY shard;

-- name: run_day_drop
SELECT drop_run_day($1);

-- ---- accounts ----------------------------------------------------------------------------------

-- name: accounts_read
SELECT account_no, id, name, signing_secret, webhook_url, webhook_headers, email, api_key,
       api_secret
FROM account ORDER BY account_no;

-- name: account_read
SELECT account_no, id, name, signing_secret, webhook_url, webhook_headers, email, api_key,
       api_secret
FROM account WHERE account_no = $1;

-- name: account_by_id
SELECT account_no, id, name, signing_secret, webhook_url, webhook_headers, email, api_key,
       api_secret
FROM account WHERE id = $1;

-- name: account_by_key
SELECT account_no, id, name, signing_secret, webhook_url, webhook_headers, email, api_key,
       api_secret
FROM account WHERE api_key = $1;

-- name: account_by_email
SELECT account_no, id, name, signing_secret, webhook_url, webhook_headers, email, api_key,
       api_secret
FROM account WHERE lower(email) = lower($1 COLLATE "C");

-- name: account_insert
INSERT INTO account (id, name, signing_secret, webhook_url, webhook_headers, email, api_key,
                     api_secret)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING account_no;

-- name: account_credentials_set
UPDATE account SET api_key = $2, api_secret = $3 WHERE account_no = $1 RETURNING account_no;

-- name: account_update
UPDATE account SET name = $2, signing_secret = $3, webhook_url = $4, webhook_headers = $5
WHERE account_no = $1;

-- name: token_find
SELECT t.account_no, a.id, t.id, t.admin FROM token t JOIN account a USING (account_no)
WHERE t.digest = $1;

-- name: token_list
SELECT id, name, admin, created_at FROM token WHERE account_no = $1 ORDER BY token_no;

-- name: token_insert
INSERT INTO token (id, account_no, name, digest, admin, created_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (account_no, name) DO NOTHING RETURNING token_no;

-- name: token_by_id
SELECT admin FROM token WHERE account_no = $1 AND id = $2;

-- name: tokens_admin
SELECT count(*) FROM token WHERE account_no = $1 AND admin;

-- name: token_delete
DELETE FROM token WHERE account_no = $1 AND id = $2;

-- ---- failure notices ---------------------------------------------------------------------------

-- name: notice_accounts
SELECT DISTINCT n.account_no FROM notice n
WHERE n.batch IS NULL
  AND NOT EXISTS (SELECT 1 FROM notice_batch b WHERE b.account_no = n.account_no);

-- name: notice_any
SELECT EXISTS (SELECT 1 FROM notice);

-- name: notices_gather
WITH made AS (
  INSERT INTO notice_batch (account_no, id, attempt, send_at) VALUES ($1, $2, 1, $3)
)
UPDATE notice SET batch = $2 WHERE account_no = $1 AND batch IS NULL;

-- name: notice_batches
SELECT b.account_no, b.id, b.attempt, b.send_at, a.id, a.signing_secret, a.webhook_url,
       a.webhook_headers,
       (SELECT count(*) FROM notice n WHERE n.account_no = b.account_no AND n.batch = b.id),
       (SELECT min(at) FROM notice n WHERE n.account_no = b.account_no AND n.batch = b.id)
FROM notice_batch b JOIN account a USING (account_no);

-- name: notice_runs
SELECT run_id FROM notice WHERE account_no = $1 AND batch = $2 ORDER BY notice_no LIMIT 100;

-- name: notice_batch_settle
WITH gone AS (
  DELETE FROM notice_batch WHERE account_no = $1 AND id = $2
)
DELETE FROM notice WHERE account_no = $1 AND batch = $2;

-- name: notices_drop
WITH gone AS (
  DELETE FROM notice_batch WHERE account_no = $1
)
DELETE FROM notice WHERE account_no = $1;

-- name: notice_batch_postpone
UPDATE notice_batch SET attempt = attempt + 1, send_at = $3 WHERE account_no = $1 AND id = $2;
