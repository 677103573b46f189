-- Jobs as the API edits and reads them; see statements.sql for the rest.

-- ---- jobs --------------------------------------------------------------------------------------

-- name: jobs_insert
INSERT INTO job (id, account_no, shard, name, labels, revision, planned_revision, change,
                 last_change, paused, gone, created_at, changed_at, schedule, zone, dst, anchor,
                 delivery, attempts, backoff_min, backoff_max, age_max, catch_up, catch_up_window,
                 catch_up_limit, destination, v1_name)
SELECT id, $1, shard, name, labels::jsonb, 1, 0, change, 0, paused, 0, at, at, schedule, zone, dst,
       anchor, delivery, attempts, backoff_min, backoff_max, age_max, catch_up, catch_up_window,
       catch_up_limit, destination, v1_name
FROM unnest($2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::bigint[], $7::boolean[],
            $8::bigint[], $9::text[], $10::text[], $11::bigint[], $12::bigint[], $13::bigint[],
            $14::bigint[], $15::bigint[], $16::bigint[], $17::bigint[], $18::bigint[],
            $19::bigint[], $20::bigint[], $21::text[], $22::bytea[])
     WITH ORDINALITY
     AS j (id, shard, name, labels, change, paused, at, schedule, zone, dst, anchor, delivery,
           attempts, backoff_min, backoff_max, age_max, catch_up, catch_up_window, catch_up_limit,
           destination, v1_name, place)
ORDER BY place
RETURNING id, job_no;

-- A pause or resumption on top of a change that is not planned yet (0 created, 1 changed) must not
-- keep alive what that change withdraws.
-- name: jobs_update
UPDATE job SET name = u.name, labels = u.labels::jsonb, revision = job.revision + 1,
               change = u.change,
               last_change = CASE WHEN job.planned_revision < job.revision AND job.last_change < 2
                                  THEN job.last_change ELSE u.last_change END,
               paused = u.paused, changed_at = u.at, schedule = u.schedule, zone = u.zone,
               dst = u.dst, anchor = u.anchor, delivery = u.delivery, attempts = u.attempts,
               backoff_min = u.backoff_min, backoff_max = u.backoff_max, age_max = u.age_max,
               catch_up = u.catch_up, catch_up_window = u.catch_up_window,
               catch_up_limit = u.catch_up_limit, destination = u.destination,
               v1_name = u.v1_name
FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::boolean[],
            $7::bigint[], $8::text[], $9::text[], $10::bigint[], $11::bigint[], $12::bigint[],
            $13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[], $17::bigint[],
            $18::bigint[], $19::bigint[], $20::text[], $21::bytea[])
     AS u (job_no, last_change, name, labels, change, paused, at, schedule, zone, dst, anchor,
           delivery, attempts, backoff_min, backoff_max, age_max, catch_up, catch_up_window,
           catch_up_limit, destination, v1_name)
WHERE job.job_no = u.job_no;

-- name: jobs_v1_name_set
UPDATE job SET v1_name = u.v1_name
FROM unnest($1::bigint[], $2::bytea[]) AS u (job_no, v1_name) WHERE job.job_no = u.job_no;

-- name: job_count
SELECT count(*) FROM job WHERE account_no = $1 AND gone = 0;

-- name: job_delete
UPDATE job SET gone = job_no, revision = revision + 1, change = $2, last_change = $3,
               changed_at = $4
WHERE job_no = $1;

-- What nobody has planned by now of what the revision before owes: the job's row is still as it was.
-- A batch under way may plan it meanwhile: then what it wrote shows it (skips_before_insert).
-- name: revisions_insert
INSERT INTO job_revision (job_no, revision, definition, schedule, zone, dst, anchor, name,
                          changed_at, owed_from)
SELECT r.*, owed.since
FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::bigint[],
            $7::bigint[], $8::text[], $9::bigint[])
       AS r (job_no, revision, definition, schedule, zone, dst, anchor, name, changed_at)
     LEFT JOIN LATERAL (
       SELECT CASE WHEN j.planned_revision = j.revision THEN greatest(s.cursor, j.changed_at)
                   ELSE j.changed_at END AS since
       FROM job j JOIN shard s USING (shard)
       WHERE j.job_no = r.job_no AND j.revision = r.revision - 1 AND NOT j.paused
     ) owed ON owed.since < r.changed_at;

-- name: revision_repeat
INSERT INTO job_revision (job_no, revision, definition, schedule, zone, dst, anchor, name,
                          changed_at, owed_from)
SELECT d.job_no, d.revision + 1, d.definition, d.schedule, d.zone, d.dst, d.anchor, d.name, $3,
       (SELECT o.since
        FROM (SELECT CASE WHEN j.planned_revision = j.revision THEN greatest(s.cursor, j.changed_at)
                          ELSE j.changed_at END AS since
              FROM job j JOIN shard s USING (shard) WHERE j.job_no = $1 AND NOT j.paused) o
        WHERE o.since < $3)
FROM job_revision d WHERE d.job_no = $1 AND d.revision = $2;

-- name: job_by_id
SELECT j.job_no, j.id, j.account_no, j.shard, j.revision, j.anchor, j.created_at, j.changed_at,
       j.change, d.definition, j.v1_name
FROM job j JOIN job_revision d ON d.job_no = j.job_no AND d.revision = j.revision
WHERE j.account_no = $1 AND j.id = $2 AND j.gone = 0;

-- name: jobs_by_name
SELECT j.job_no, j.id, j.account_no, j.shard, j.revision, j.anchor, j.created_at, j.changed_at,
       j.change, d.definition, j.v1_name
FROM job j JOIN job_revision d ON d.job_no = j.job_no AND d.revision = j.revision
WHERE j.account_no = $1 AND j.name = ANY ($2::text[]) AND j.gone = 0;

-- name: job_list
SELECT j.job_no, j.id, j.account_no, j.shard, j.revision, j.anchor, j.created_at, j.changed_at,
       j.change, d.definition, j.v1_name
FROM job j JOIN job_revision d ON d.job_no = j.job_no AND d.revision = j.revision
WHERE j.account_no = $1 AND j.gone = 0 AND j.job_no < $2
ORDER BY j.job_no DESC LIMIT $3;

-- Along the newest jobs: where what the filter wants is common, it is there.
-- name: job_list_filtered
SELECT j.job_no, j.id, j.account_no, j.shard, j.revision, j.anchor, j.created_at, j.changed_at,
       j.change, d.definition, j.v1_name
FROM (SELECT * FROM job
      WHERE account_no = $1 AND gone = 0 AND job_no < $2
        AND ($4::text IS NULL OR (name >= $4 AND name < $5))
        AND ($6::text IS NULL OR labels @> $6::jsonb)
      ORDER BY job_no DESC LIMIT $3) j
     JOIN job_revision d ON d.job_no = j.job_no AND d.revision = j.revision
ORDER BY j.job_no DESC;

-- name: job_list_among
SELECT j.job_no, j.id, j.account_no, j.shard, j.revision, j.anchor, j.created_at, j.changed_at,
       j.change, d.definition, j.v1_name
FROM (SELECT * FROM job WHERE job_no = ANY ($4::bigint[]) AND job_no < $2 AND gone = 0
                              AND account_no = $1
      ORDER BY job_no DESC LIMIT $3) j
     JOIN job_revision d ON d.job_no = j.job_no AND d.revision = j.revision
ORDER BY j.job_no DESC;

-- The jobs that a filter means, deleted ones too, up to a limit.
-- name: jobs_matching
SELECT job_no FROM job
WHERE account_no = $1 AND ($2::text IS NULL OR (name >= $2 AND name < $3))
  AND ($4::text IS NULL OR labels @> $4::jsonb) LIMIT $5;

-- name: secrets_insert
INSERT INTO secret (id, job_no, sealed)
SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bytea[]);

-- name: secrets_of_jobs
SELECT id, job_no FROM secret WHERE job_no = ANY ($1::bigint[]);

-- name: secrets_delete
DELETE FROM secret WHERE id = ANY ($1::uuid[]);

-- name: definitions_newest
SELECT d.job_no, d.definition FROM job j
JOIN job_revision d ON d.job_no = j.job_no AND d.revision = j.revision
WHERE j.job_no = ANY ($1::bigint[]) AND j.gone = 0;

-- name: key_find
SELECT run_no, due FROM occurrence_key WHERE job_no = $1 AND key = $2;

-- name: key_insert
INSERT INTO occurrence_key (job_no, key, run_no, due) VALUES ($1, $2, $3, $4);

-- name: request_insert
WITH made AS (
  INSERT INTO run (run_no, due, id, job_no, shard, revision, kind, key, scheduled_at, reason, fence,
                   attempt)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $2, 0, 0, 1)
)
INSERT INTO run_open (run_no, due, id, job_no, shard, revision, kind, scheduled_at, state, fence,
                      attempt, send_at, failures, unknowns)
VALUES ($1, $2, $3, $4, $5, $6, $7, $2, 0, 0, 1, $9, 0, 0);

-- name: idempotency_find
SELECT digest, answer FROM idempotency WHERE account_no = $1 AND key = $2 AND at > $3;

-- name: idempotency_insert
INSERT INTO idempotency (account_no, key, digest, answer, at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (account_no, key) DO UPDATE SET digest = excluded.digest, answer = excluded.answer,
                                            at = excluded.at;

-- name: idempotency_prune
DELETE FROM idempotency WHERE at <= $1;
