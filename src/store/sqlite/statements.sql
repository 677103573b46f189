-- Statements of the SQLite store. Parameters are bound from left to right.

-- ---- meta and leases ---------------------------------------------------------------------------

-- name: meta_insert
INSERT INTO meta (one, generation, fence_counter, last_commit, last_steady, boot, change_floor,
                  run_last, runs)
VALUES (1, ?, 0, ?, ?, ?, 0, 0, 0);

-- name: shard_insert
INSERT INTO shard (shard, cursor, fence, change, seen) VALUES (?, ?, 0, 0, 0);

-- name: meta_read
SELECT generation, fence_counter, last_commit, change_floor, last_steady, boot, run_last, runs
FROM meta WHERE one = 1;

-- name: meta_mark
SELECT generation, last_commit FROM meta WHERE one = 1;

-- name: meta_generation
UPDATE meta SET generation = ? WHERE one = 1;

-- name: meta_commit
UPDATE meta SET last_commit = ?1, last_steady = ?2, boot = ?3, run_last = ?4, runs = ?5
WHERE one = 1;

-- name: fence_next
UPDATE meta SET fence_counter = fence_counter + 1 WHERE one = 1
RETURNING generation * (1 << 36) + fence_counter;

-- name: lease_insert
INSERT INTO lease (fence, node, taken_at) VALUES (?, ?, ?);

-- name: shards_take
UPDATE shard SET fence = ?;

-- name: shards_read
SELECT shard, cursor, fence, change, seen FROM shard ORDER BY shard;

-- name: shard_advance
UPDATE shard SET cursor = max(cursor, ?2), seen = max(seen, ?3) WHERE shard = ?1;

-- Not RETURNING, which opens a statement journal each time: half of a bulk create went there.
-- name: shard_change
UPDATE shard SET change = change + 1 WHERE shard = ?;

-- name: shard_change_read
SELECT change FROM shard WHERE shard = ?;

-- ---- planning ----------------------------------------------------------------------------------

-- name: plans_to_start
SELECT job_no, id, shard, revision, name, schedule, zone, dst, anchor, changed_at, change,
       planned_revision, paused, gone <> 0, last_change, delivery, attempts, backoff_min,
       backoff_max, age_max, catch_up, catch_up_window, catch_up_limit, destination,
       planned_revision < revision AND EXISTS (
         SELECT 1 FROM job_revision d WHERE d.job_no = job.job_no
           AND d.revision > job.planned_revision AND d.owed_from IS NOT NULL)
FROM job WHERE job_no > ?1 AND job_no <= ?2 AND (gone = 0 OR planned_revision < revision);

-- name: job_newest
SELECT max(job_no) FROM job;

-- name: plans_changed
SELECT job_no, id, shard, revision, name, schedule, zone, dst, anchor, changed_at, change,
       planned_revision, paused, gone <> 0, last_change, delivery, attempts, backoff_min,
       backoff_max, age_max, catch_up, catch_up_window, catch_up_limit, destination,
       planned_revision < revision AND EXISTS (
         SELECT 1 FROM job_revision d WHERE d.job_no = job.job_no
           AND d.revision > job.planned_revision AND d.owed_from IS NOT NULL)
FROM job WHERE shard = ? AND change > ? ORDER BY change;

-- name: revisions_unplanned
SELECT d.job_no, d.revision, d.definition, d.anchor, d.changed_at, d.owed_from
FROM job j CROSS JOIN job_revision d ON d.job_no = j.job_no
WHERE j.job_no = ?1 AND d.revision >= j.planned_revision AND d.revision <= ?2
ORDER BY d.revision;

-- name: job_guard
SELECT revision, paused, gone <> 0, planned_revision, changed_at FROM job WHERE job_no = ?;

-- name: job_planned
UPDATE job SET planned_revision = ?2 WHERE job_no = ?1;

-- ---- runs --------------------------------------------------------------------------------------

-- name: claim_insert
INSERT INTO run (run_no, id, job_no, shard, revision, kind, key, scheduled_at, due, state, reason,
                 fence, attempt, send_at, failures, unknowns)
VALUES (?1, ?2, ?3, ?4, ?5, 0, '', ?6, ?7, 1, 0, ?8, 1, ?7, 0, 0)
ON CONFLICT DO NOTHING;

-- name: claim_find
SELECT run_no, id FROM run WHERE job_no = ? AND due = ? AND key = '';

-- name: skip_insert
INSERT INTO skipped_span (job_no, revision, after, until, reason) VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING;

-- Less what a run, or a span of the revision, accounts for: pieces of (?3, ?4] between those.
-- name: skip_before_insert
WITH known (since, upto) AS (
  SELECT due - 1, due FROM run WHERE job_no = ?1 AND key = '' AND due > ?3 AND due <= ?4
  UNION ALL
  SELECT after, until FROM skipped_span
  WHERE job_no = ?1 AND revision = ?2 AND until > ?3 AND after < ?4
  UNION ALL
  SELECT ?4, ?4
), piece (after, until) AS (
  SELECT max(?3, ifnull(max(upto) OVER (ORDER BY since, upto
                                        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), ?3)),
         since
  FROM known
)
INSERT INTO skipped_span (job_no, revision, after, until, reason)
SELECT ?1, ?2, after, until, ?5 FROM piece WHERE after < until
ON CONFLICT DO NOTHING;

-- name: open_runs_of_job
SELECT run_no, due, kind, fence, failures, unknowns FROM run INDEXED BY run_open_job
WHERE shard = ? AND job_no = ? AND state < 3;

-- name: run_rebind
UPDATE run SET revision = ?2 WHERE run_no = ?1;

-- name: run_delete
DELETE FROM run WHERE run_no = ?;

-- name: run_accept
UPDATE run SET state = 1, fence = ?2, send_at = due WHERE run_no = ?1 AND state = 0;

-- name: run_begin
UPDATE run SET state = ?4
WHERE run_no = ?1 AND fence = ?2 AND attempt = ?3 AND state IN (1, 2);

-- name: run_takeover
UPDATE run SET fence = ?2, attempt = attempt + ?4, unknowns = unknowns + ?4
WHERE run_no = ?1 AND fence < ?2 AND attempt = ?3 AND state IN (1, 2);

-- name: run_end_outcome
UPDATE run SET state = 3, verdict = ?4, reason = ?5, ended_at = ?6,
               first_attempt_at = coalesce(first_attempt_at, ?7)
WHERE run_no = ?1 AND fence = ?2 AND attempt = ?3 AND state IN (1, 2);

-- name: run_again
UPDATE run SET state = 2, attempt = attempt + 1, send_at = ?4, failures = failures + 1,
               first_attempt_at = coalesce(first_attempt_at, ?5)
WHERE run_no = ?1 AND fence = ?2 AND attempt = ?3 AND state IN (1, 2);

-- name: run_end
UPDATE run SET state = 3, verdict = ?3, reason = ?4, ended_at = ?5
WHERE run_no = ?1 AND fence <= ?2 AND state < 3;

-- name: run_guard
SELECT state, fence, attempt, send_at, verdict, reason FROM run WHERE run_no = ?;

-- name: run_identity
SELECT r.id, j.account_no, r.fence, r.revision, r.send_at
FROM run r JOIN job j USING (job_no) WHERE r.run_no = ?;

-- name: attempt_insert
INSERT INTO attempt (run_no, number, revision, fence, fate, status, first_byte_at, ended_at,
                     error, response)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (run_no, number) DO UPDATE SET
  fate = excluded.fate, status = excluded.status, first_byte_at = excluded.first_byte_at,
  ended_at = excluded.ended_at, error = excluded.error, response = excluded.response
WHERE attempt.fence = excluded.fence;

-- name: runs_changed
INSERT INTO run_change (run_no, at) SELECT value, ?2 FROM json_each(?1);

-- name: open_runs_due
SELECT r.run_no, r.id, r.job_no, r.shard, r.revision, r.kind, r.state, r.scheduled_at, r.due,
       r.fence, r.attempt, r.send_at, r.failures, r.unknowns, r.first_attempt_at
FROM run r JOIN job j USING (job_no)
WHERE r.state IN (1, 2) AND r.send_at <= ?1
  AND NOT (j.paused AND j.gone = 0 AND r.due <= j.changed_at)
  AND (?3 >> r.shard) & 1
ORDER BY r.send_at, r.run_no LIMIT ?2;

-- name: cursor_oldest
SELECT min(cursor) FROM shard;

-- What its shard's owner has not taken over, or not taken on. Of those only the oldest are looked at.
-- name: run_left_alone
SELECT min(since) FROM (
  SELECT r.send_at AS since
  FROM (SELECT job_no, shard, fence, due, send_at FROM run
        WHERE state IN (1, 2) AND send_at <= ?1 ORDER BY send_at LIMIT 1000) r
       JOIN job j USING (job_no) JOIN shard s ON s.shard = r.shard
  WHERE r.fence <> s.fence AND NOT (j.paused AND j.gone = 0 AND r.due <= j.changed_at)
  UNION ALL
  SELECT r.due
  FROM (SELECT job_no, due FROM run WHERE state = 0 ORDER BY run_no LIMIT 1000) r
       JOIN job j USING (job_no)
  WHERE NOT (j.paused AND j.gone = 0 AND r.due <= j.changed_at));

-- name: open_runs_all
SELECT run_no, shard FROM run INDEXED BY run_open_job WHERE state < 3;

-- name: runs_requested
SELECT run_no, id, job_no, shard, revision, kind, state, scheduled_at, due, fence, attempt,
       send_at, failures, unknowns, first_attempt_at
FROM run WHERE state = 0 AND run_no > ? ORDER BY run_no;

-- ---- deliveries --------------------------------------------------------------------------------

-- name: deliverable_read
SELECT j.id, j.account_no, d.definition
FROM job j
     JOIN job_revision d ON d.job_no = j.job_no AND d.revision = ifnull(nullif(?2, 0), j.revision)
WHERE j.job_no = ?1;

-- name: secret_read
SELECT sealed FROM secret WHERE id = ?;

-- name: spans_uncounted
SELECT s.span_no, s.after, s.until, j.id, d.schedule, d.zone, d.dst, d.anchor, d.name
FROM skipped_span s JOIN job j USING (job_no)
     JOIN job_revision d ON d.job_no = s.job_no AND d.revision = s.revision
WHERE s.count IS NULL ORDER BY s.span_no LIMIT ?;

-- name: span_count_set
UPDATE skipped_span SET count = ?2 WHERE span_no = ?1;

-- ---- jobs --------------------------------------------------------------------------------------

-- name: job_insert
INSERT INTO job (id, account_no, shard, name, revision, planned_revision, change, last_change,
                 paused, gone, created_at, changed_at, schedule, zone, dst, anchor, delivery,
                 attempts, backoff_min, backoff_max, age_max, catch_up, catch_up_window,
                 catch_up_limit, destination, v1_name)
VALUES (?, ?, ?, ?, 1, 0, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- A pause or resumption on top of a change that is not planned yet (0 created, 1 changed) must not
-- keep alive what that change withdraws.
-- name: job_update
UPDATE job SET name = ?2, revision = ?3, change = ?4,
               last_change = iif(planned_revision < revision AND last_change < 2, last_change, ?5),
               paused = ?6,
               changed_at = ?7, schedule = ?8, zone = ?9, dst = ?10, anchor = ?11, delivery = ?12,
               attempts = ?13, backoff_min = ?14, backoff_max = ?15, age_max = ?16,
               catch_up = ?17, catch_up_window = ?18, catch_up_limit = ?19, destination = ?20,
               v1_name = ?21
WHERE job_no = ?1;

-- name: job_v1_name_set
UPDATE job SET v1_name = ?2 WHERE job_no = ?1;

-- name: job_count
SELECT count(*) FROM job INDEXED BY job_name WHERE account_no = ? AND gone = 0;

-- name: label_insert
INSERT INTO job_label (account_no, key, value, job_no) VALUES (?, ?, ?, ?);

-- name: label_delete
DELETE FROM job_label WHERE account_no = ? AND key = ? AND value = ? AND job_no = ?;

-- name: job_delete
UPDATE job SET gone = job_no, revision = revision + 1, change = ?2, last_change = ?3, changed_at = ?4
WHERE job_no = ?1;

-- name: revision_insert
INSERT INTO job_revision (job_no, revision, definition, schedule, zone, dst, anchor, name,
                          changed_at, owed_from)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10);

-- What nobody has planned of the newest revision, by now: the job's row is still as it was.
-- name: owed_from_read
SELECT iif(j.planned_revision = j.revision, max(s.cursor, j.changed_at), j.changed_at)
FROM job j JOIN shard s ON s.shard = j.shard WHERE j.job_no = ? AND j.paused = 0;

-- name: revision_repeat
INSERT INTO job_revision (job_no, revision, definition, schedule, zone, dst, anchor, name,
                          changed_at, owed_from)
SELECT job_no, revision + 1, definition, schedule, zone, dst, anchor, name, ?3, ?4
FROM job_revision WHERE job_no = ?1 AND revision = ?2;

-- name: job_by_id
SELECT j.job_no, j.id, j.account_no, j.shard, j.revision, j.anchor, j.created_at, j.changed_at,
       j.change, d.definition, j.v1_name
FROM job j JOIN job_revision d ON d.job_no = j.job_no AND d.revision = j.revision
WHERE j.account_no = ? AND j.id = ? AND j.gone = 0;

-- name: job_by_name
SELECT j.job_no, j.id, j.account_no, j.shard, j.revision, j.anchor, j.created_at, j.changed_at,
       j.change, d.definition, j.v1_name
FROM job j JOIN job_revision d ON d.job_no = j.job_no AND d.revision = j.revision
WHERE j.account_no = ? AND j.name = ? AND j.gone = 0;

-- name: job_list
SELECT j.job_no, j.id, j.account_no, j.shard, j.revision, j.anchor, j.created_at, j.changed_at,
       j.change, d.definition, j.v1_name
FROM job j NOT INDEXED CROSS JOIN job_revision d
       ON d.job_no = j.job_no AND d.revision = j.revision
WHERE j.account_no = ?1 AND j.gone = 0 AND j.job_no < ?2
ORDER BY j.job_no DESC LIMIT ?3;

-- Along one label, in order; ?5 has the other labels, ?6 and ?7 bound the name.
-- name: job_list_by_label
SELECT j.job_no, j.id, j.account_no, j.shard, j.revision, j.anchor, j.created_at, j.changed_at,
       j.change, d.definition, j.v1_name
FROM job_label l CROSS JOIN job j ON j.job_no = l.job_no
     CROSS JOIN job_revision d ON d.job_no = j.job_no AND d.revision = j.revision
WHERE l.account_no = ?1 AND l.job_no < ?2 AND l.key = ?3 AND l.value = ?4 AND j.gone = 0
  AND (?6 IS NULL OR (j.name >= ?6 AND j.name < ?7))
  AND (?5 IS NULL OR NOT EXISTS (SELECT 1 FROM json_each(?5) want
                  WHERE NOT EXISTS (SELECT 1 FROM job_label has
                                    WHERE has.account_no = ?1 AND has.key = want.key
                                      AND has.value = want.value AND has.job_no = l.job_no)))
ORDER BY l.job_no DESC LIMIT ?8;

-- All names of the prefix, of which the newest jobs are kept: the index alone is read for it.
-- name: job_list_by_name
SELECT j.job_no, j.id, j.account_no, j.shard, j.revision, j.anchor, j.created_at, j.changed_at,
       j.change, d.definition, j.v1_name
FROM (SELECT job_no FROM job INDEXED BY job_name
      WHERE account_no = ?1 AND name >= ?3 AND name < ?4 AND gone = 0 AND job_no < ?2
        AND (?5 IS NULL OR NOT EXISTS (SELECT 1 FROM json_each(?5) want
                      WHERE NOT EXISTS (SELECT 1 FROM job_label has
                                        WHERE has.account_no = ?1 AND has.key = want.key
                                          AND has.value = want.value AND has.job_no = job.job_no)))
      ORDER BY job_no DESC LIMIT ?6) m
     CROSS JOIN job j ON j.job_no = m.job_no
     CROSS JOIN job_revision d ON d.job_no = j.job_no AND d.revision = j.revision
ORDER BY j.job_no DESC;

-- Among the newest jobs: where a prefix is common, its newest names are there.
-- name: job_list_among
SELECT j.job_no, j.id, j.account_no, j.shard, j.revision, j.anchor, j.created_at, j.changed_at,
       j.change, d.definition, j.v1_name
FROM (SELECT * FROM job NOT INDEXED
      WHERE account_no = ?1 AND job_no < ?2 ORDER BY job_no DESC LIMIT 10000) j
     CROSS JOIN job_revision d ON d.job_no = j.job_no AND d.revision = j.revision
WHERE j.gone = 0 AND j.name >= ?3 AND j.name < ?4
  AND (?5 IS NULL OR NOT EXISTS (SELECT 1 FROM json_each(?5) want
                  WHERE NOT EXISTS (SELECT 1 FROM job_label has
                                    WHERE has.account_no = ?1 AND has.key = want.key
                                      AND has.value = want.value AND has.job_no = j.job_no)))
ORDER BY j.job_no DESC LIMIT ?6;

-- name: jobs_of_label
SELECT job_no FROM job_label WHERE account_no = ? AND key = ? AND value = ? LIMIT ?;

-- name: jobs_of_name
SELECT job_no FROM job INDEXED BY job_name
WHERE account_no = ? AND name >= ? AND name < ? LIMIT ?;

-- name: job_matches
SELECT 1 FROM job j WHERE j.job_no = ?2
  AND (?4 IS NULL OR (j.name >= ?4 AND j.name < ?5))
  AND (?3 IS NULL OR NOT EXISTS (SELECT 1 FROM json_each(?3) want
                  WHERE NOT EXISTS (SELECT 1 FROM job_label has
                                    WHERE has.account_no = ?1 AND has.key = want.key
                                      AND has.value = want.value AND has.job_no = ?2)));

-- name: secret_insert
INSERT INTO secret (id, job_no, sealed) VALUES (?, ?, ?);

-- name: secrets_of_job
SELECT id FROM secret WHERE job_no = ?;

-- name: secret_delete
DELETE FROM secret WHERE id = ?;

-- name: definition_newest
SELECT d.definition FROM job j
JOIN job_revision d ON d.job_no = j.job_no AND d.revision = j.revision WHERE j.job_no = ?;

-- name: key_find
SELECT run_no, due FROM occurrence_key WHERE job_no = ? AND key = ?;

-- name: key_insert
INSERT INTO occurrence_key (job_no, key, run_no, due) VALUES (?, ?, ?, ?);

-- name: request_insert
INSERT INTO run (run_no, id, job_no, shard, revision, kind, key, scheduled_at, due, state, reason,
                 fence, attempt, send_at, failures, unknowns)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, 0, 0, 0, 1, ?8, 0, 0);

-- name: idempotency_find
SELECT digest, answer FROM idempotency WHERE account_no = ? AND key = ? AND at > ?;

-- name: idempotency_insert
INSERT OR REPLACE INTO idempotency (account_no, key, digest, answer, at) VALUES (?, ?, ?, ?, ?);

-- name: idempotency_prune
DELETE FROM idempotency WHERE at <= ?;

-- ---- ledger ------------------------------------------------------------------------------------

-- name: run_by_id
SELECT r.run_no, r.id, j.id, r.job_no, j.name, r.revision, r.kind, r.key, r.scheduled_at, r.due,
       r.state, r.verdict, r.reason, r.fence, r.ended_at
FROM run r JOIN job j USING (job_no)
WHERE j.account_no = ?1 AND r.due >= ?2 AND r.due < ?3 AND r.id = ?4;

-- name: run_by_no
SELECT r.run_no, r.id, j.id, r.job_no, j.name, r.revision, r.kind, r.key, r.scheduled_at, r.due,
       r.state, r.verdict, r.reason, r.fence, r.ended_at
FROM run r JOIN job j USING (job_no)
WHERE r.run_no = ?;

-- The lists of runs: parameters 1 to 10 are the same, the ways through the table differ.
-- name: run_list
SELECT r.run_no, r.id, j.id, r.job_no, j.name, r.revision, r.kind, r.key, r.scheduled_at, r.due,
       r.state, r.verdict, r.reason, r.fence, r.ended_at
FROM run r INDEXED BY run_due CROSS JOIN job j ON j.job_no = r.job_no
WHERE j.account_no = ?1
  AND r.due >= ?4 AND (r.due, r.run_no) < (?2, ?3)
  AND (?5 IS NULL OR r.verdict = ?5)
  AND (?6 IS NULL OR r.state = ?6)
  AND (?8 IS NULL OR (j.name >= ?8 AND j.name < ?9))
  AND (?7 IS NULL OR NOT EXISTS (SELECT 1 FROM json_each(?7) want
                  WHERE NOT EXISTS (SELECT 1 FROM job_label has
                                    WHERE has.account_no = ?1 AND has.key = want.key
                                      AND has.value = want.value AND has.job_no = r.job_no)))
ORDER BY r.due DESC, r.run_no DESC LIMIT ?10;

-- name: run_list_by_verdict
SELECT r.run_no, r.id, j.id, r.job_no, j.name, r.revision, r.kind, r.key, r.scheduled_at, r.due,
       r.state, r.verdict, r.reason, r.fence, r.ended_at
FROM run r INDEXED BY run_verdict CROSS JOIN job j ON j.job_no = r.job_no
WHERE j.account_no = ?1 AND r.verdict IS NOT NULL AND r.verdict = ?5
  AND (?11 IS NULL OR r.job_no = ?11)
  AND r.due >= ?4 AND (r.due, r.run_no) < (?2, ?3)
  AND (?5 IS NULL OR r.verdict = ?5)
  AND (?6 IS NULL OR r.state = ?6)
  AND (?8 IS NULL OR (j.name >= ?8 AND j.name < ?9))
  AND (?7 IS NULL OR NOT EXISTS (SELECT 1 FROM json_each(?7) want
                  WHERE NOT EXISTS (SELECT 1 FROM job_label has
                                    WHERE has.account_no = ?1 AND has.key = want.key
                                      AND has.value = want.value AND has.job_no = r.job_no)))
ORDER BY r.due DESC, r.run_no DESC LIMIT ?10;

-- name: run_list_open
SELECT r.run_no, r.id, j.id, r.job_no, j.name, r.revision, r.kind, r.key, r.scheduled_at, r.due,
       r.state, r.verdict, r.reason, r.fence, r.ended_at
FROM run r INDEXED BY run_open_job CROSS JOIN job j ON j.job_no = r.job_no
WHERE j.account_no = ?1 AND r.state < 3
  AND r.due >= ?4 AND (r.due, r.run_no) < (?2, ?3)
  AND (?5 IS NULL OR r.verdict = ?5)
  AND (?6 IS NULL OR r.state = ?6)
  AND (?8 IS NULL OR (j.name >= ?8 AND j.name < ?9))
  AND (?7 IS NULL OR NOT EXISTS (SELECT 1 FROM json_each(?7) want
                  WHERE NOT EXISTS (SELECT 1 FROM job_label has
                                    WHERE has.account_no = ?1 AND has.key = want.key
                                      AND has.value = want.value AND has.job_no = r.job_no)))
ORDER BY r.due DESC, r.run_no DESC LIMIT ?10;

-- name: run_list_of_job
SELECT r.run_no, r.id, j.id, r.job_no, j.name, r.revision, r.kind, r.key, r.scheduled_at, r.due,
       r.state, r.verdict, r.reason, r.fence, r.ended_at
FROM run r INDEXED BY run_occurrence CROSS JOIN job j ON j.job_no = r.job_no
WHERE j.account_no = ?1 AND r.job_no = ?11
  AND r.due >= ?4 AND (r.due, r.run_no) < (?2, ?3)
  AND (?5 IS NULL OR r.verdict = ?5)
  AND (?6 IS NULL OR r.state = ?6)
  AND (?8 IS NULL OR (j.name >= ?8 AND j.name < ?9))
  AND (?7 IS NULL OR NOT EXISTS (SELECT 1 FROM json_each(?7) want
                  WHERE NOT EXISTS (SELECT 1 FROM job_label has
                                    WHERE has.account_no = ?1 AND has.key = want.key
                                      AND has.value = want.value AND has.job_no = r.job_no)))
ORDER BY r.due DESC, r.run_no DESC LIMIT ?10;

-- The newest runs of a job, as far as a list of several jobs needs them.
-- name: run_places_of_job
SELECT due, run_no FROM run INDEXED BY run_occurrence
WHERE job_no = ?1 AND due >= ?4 AND (due, run_no) < (?2, ?3)
  AND (?5 IS NULL OR verdict = ?5) AND (?6 IS NULL OR state = ?6)
ORDER BY due DESC, run_no DESC LIMIT ?7;

-- name: runs_of_verdict
SELECT count(*) FROM (SELECT 1 FROM run INDEXED BY run_verdict
                      WHERE verdict IS NOT NULL AND verdict = ?1 AND due >= ?2 AND due <= ?3
                      LIMIT ?4);

-- name: job_no_of
SELECT job_no FROM job WHERE account_no = ? AND id = ?;

-- name: attempts_of_run
SELECT a.number, a.revision, a.fence, l.node, a.fate, a.status, a.first_byte_at, a.ended_at,
       a.error, a.response
FROM attempt a JOIN lease l ON l.fence = a.fence WHERE a.run_no = ? ORDER BY a.number;

-- name: change_newest
SELECT ifnull(max(seq), 0) FROM sqlite_sequence WHERE name = 'run_change';

-- name: changes_after
SELECT c.change, r.run_no, r.id, j.id, r.job_no, j.name, r.revision, r.kind, r.key,
       r.scheduled_at, r.due, r.state, r.verdict, r.reason, r.fence, r.ended_at,
       j.account_no = ?1
         AND (?3 IS NULL OR j.id = ?3)
         AND (?4 IS NULL OR r.verdict = ?4)
         AND (?5 IS NULL OR r.state = ?5)
         AND (?7 IS NULL OR (j.name >= ?7 AND j.name < ?8))
         AND (?6 IS NULL OR NOT EXISTS (SELECT 1 FROM json_each(?6) want
                         WHERE NOT EXISTS (SELECT 1 FROM job_label has
                                           WHERE has.account_no = ?1 AND has.key = want.key
                                             AND has.value = want.value AND has.job_no = r.job_no)))
FROM run_change c LEFT JOIN run r USING (run_no) LEFT JOIN job j USING (job_no)
WHERE c.change > ?2 ORDER BY c.change LIMIT ?9;

-- name: change_prune
DELETE FROM run_change WHERE change IN
  (SELECT change FROM run_change WHERE at < ?1 ORDER BY change LIMIT ?2)
RETURNING change;

-- name: change_floor_set
UPDATE meta SET change_floor = max(change_floor, ?) WHERE one = 1;

-- name: skipped_list
SELECT j.id, s.revision, s.after, s.until, s.reason, s.count
FROM skipped_span s JOIN job j USING (job_no)
WHERE j.account_no = ?1 AND (?2 IS NULL OR j.id = ?2) ORDER BY s.span_no DESC LIMIT ?3;

-- ---- retention ---------------------------------------------------------------------------------

-- name: runs_oldest
SELECT run_no, due, state, job_no, key FROM run
WHERE due <= ?1 AND (due, run_no) > (?2, ?3) ORDER BY due, run_no LIMIT ?4;

-- name: run_touch
SELECT count(*) FROM run INDEXED BY run_occurrence WHERE job_no = ? AND due = ? AND key = ?;

-- name: run_prune
DELETE FROM run WHERE run_no = ?;

-- name: attempts_prune
DELETE FROM attempt WHERE run_no = ?;

-- name: spans_oldest
SELECT span_no FROM skipped_span WHERE until <= ? ORDER BY until LIMIT ?;

-- name: span_prune
DELETE FROM skipped_span WHERE span_no = ?;

-- name: keys_oldest
SELECT k.job_no, k.key, k.due FROM occurrence_key k
WHERE k.due <= ?1 AND NOT EXISTS (SELECT 1 FROM run r WHERE r.run_no = k.run_no)
ORDER BY k.due LIMIT ?2;

-- name: key_prune
DELETE FROM occurrence_key WHERE job_no = ? AND key = ?;

-- ---- accounts ----------------------------------------------------------------------------------

-- name: accounts_read
SELECT account_no, id, name, signing_secret, webhook_url, webhook_headers, email, api_key,
       api_secret
FROM account ORDER BY account_no;

-- name: account_read
SELECT account_no, id, name, signing_secret, webhook_url, webhook_headers, email, api_key,
       api_secret
FROM account WHERE account_no = ?;

-- name: account_by_id
SELECT account_no, id, name, signing_secret, webhook_url, webhook_headers, email, api_key,
       api_secret
FROM account WHERE id = ?;

-- name: account_by_key
SELECT account_no, id, name, signing_secret, webhook_url, webhook_headers, email, api_key,
       api_secret
FROM account WHERE api_key = ?;

-- name: account_by_email
SELECT account_no, id, name, signing_secret, webhook_url, webhook_headers, email, api_key,
       api_secret
FROM account WHERE email = ? COLLATE NOCASE;

-- name: account_insert
INSERT INTO account (id, name, signing_secret, webhook_url, webhook_headers, email, api_key,
                     api_secret)
VALUES (?, ?, ?, ?, ?, ?, ?, ?);

-- name: account_credentials_set
UPDATE account SET api_key = ?2, api_secret = ?3 WHERE account_no = ?1;

-- name: account_update
UPDATE account SET name = ?2, signing_secret = ?3, webhook_url = ?4, webhook_headers = ?5
WHERE account_no = ?1;

-- name: token_find
SELECT t.account_no, a.id, t.id, t.admin FROM token t JOIN account a USING (account_no)
WHERE t.digest = ?;

-- name: token_list
SELECT id, name, admin, created_at FROM token WHERE account_no = ? ORDER BY token_no;

-- name: token_insert
INSERT INTO token (id, account_no, name, digest, admin, created_at) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (account_no, name) DO NOTHING;

-- name: token_by_id
SELECT admin FROM token WHERE account_no = ? AND id = ?;

-- name: tokens_admin
SELECT count(*) FROM token WHERE account_no = ? AND admin = 1;

-- name: token_delete
DELETE FROM token WHERE account_no = ? AND id = ?;

-- ---- failure notices ---------------------------------------------------------------------------

-- name: notice_insert
INSERT INTO notice (account_no, run_id, at)
SELECT a.account_no, r.id, ?2
FROM run r JOIN job j USING (job_no) JOIN account a USING (account_no)
WHERE r.run_no = ?1 AND a.webhook_url IS NOT NULL;

-- name: notice_accounts
SELECT n.account_no, max(n.notice_no) FROM notice n
WHERE NOT EXISTS (SELECT 1 FROM notice_batch b WHERE b.account_no = n.account_no)
GROUP BY n.account_no;

-- name: notice_any
SELECT EXISTS (SELECT 1 FROM notice);

-- name: notice_batch_insert
INSERT INTO notice_batch (account_no, id, attempt, send_at, last_notice) VALUES (?, ?, 1, ?, ?);

-- name: notice_batches
SELECT b.account_no, b.id, b.attempt, b.send_at, b.last_notice, a.id, a.signing_secret,
       a.webhook_url, a.webhook_headers
FROM notice_batch b JOIN account a USING (account_no);

-- name: notice_summary
SELECT count(*), min(at) FROM notice WHERE account_no = ? AND notice_no <= ?;

-- name: notice_runs
SELECT run_id FROM notice WHERE account_no = ? AND notice_no <= ? ORDER BY notice_no LIMIT 100;

-- name: notice_batch_find
SELECT last_notice FROM notice_batch WHERE account_no = ? AND id = ?;

-- name: notices_delete
DELETE FROM notice WHERE account_no = ? AND notice_no <= ?;

-- name: notice_batch_delete
DELETE FROM notice_batch WHERE account_no = ? AND id = ?;

-- name: notice_batch_drop
DELETE FROM notice_batch WHERE account_no = ?;

-- name: notice_batch_postpone
UPDATE notice_batch SET attempt = attempt + 1, send_at = ?3 WHERE account_no = ?1 AND id = ?2;

-- ---- moving to another store ---------------------------------------------------------------------
-- The columns of each are those of store/transfer.h.

-- name: moved_read
SELECT move, target, at, ended FROM moved WHERE one = 1;

-- name: moved_write
INSERT OR REPLACE INTO moved (one, move, target, at, ended) VALUES (1, ?, ?, ?, ?);

-- name: moved_clear
DELETE FROM moved;

-- name: meta_generation_raise
UPDATE meta SET generation = max(generation, ?) WHERE one = 1;

-- name: export_days
SELECT DISTINCT due / 86400000000 FROM run INDEXED BY run_due ORDER BY 1;

-- name: export_tokens
SELECT token_no, id, account_no, name, digest, admin, created_at FROM token ORDER BY token_no;

-- name: export_secrets
SELECT id, job_no, sealed FROM secret;

-- name: export_jobs
SELECT j.job_no, j.id, j.account_no, j.shard, j.name, json_extract(d.definition, '$.labels'),
       j.revision, j.planned_revision, j.change, j.last_change, j.paused, j.gone, j.created_at,
       j.changed_at, j.schedule, j.zone, j.dst, j.anchor, j.delivery, j.attempts, j.backoff_min,
       j.backoff_max, j.age_max, j.catch_up, j.catch_up_window, j.catch_up_limit, j.destination,
       j.v1_name
FROM job j NOT INDEXED CROSS JOIN job_revision d
       ON d.job_no = j.job_no AND d.revision = j.revision
ORDER BY j.job_no;

-- name: export_revisions
SELECT job_no, revision, definition, schedule, zone, dst, anchor, name, changed_at, owed_from
FROM job_revision ORDER BY job_no, revision;

-- name: export_leases
SELECT fence, node, taken_at FROM lease ORDER BY fence;

-- name: export_runs
SELECT run_no, due, id, job_no, shard, revision, kind, key, scheduled_at, verdict, reason, fence,
       attempt, ended_at
FROM run NOT INDEXED ORDER BY run_no;

-- name: export_open_runs
SELECT run_no, due, id, job_no, shard, revision, kind, scheduled_at, state, fence, attempt, send_at,
       failures, unknowns, first_attempt_at
FROM run INDEXED BY run_open_job WHERE state < 3 ORDER BY run_no;

-- An attempt whose run was withdrawn after it is in no list, and stays behind.
-- name: export_attempts
SELECT a.run_no, r.due, a.number, a.revision, a.fence, a.fate, a.status, a.first_byte_at,
       a.ended_at, a.error, a.response
FROM run r NOT INDEXED CROSS JOIN attempt a ON a.run_no = r.run_no
ORDER BY r.run_no, a.number;

-- name: export_keys
SELECT job_no, key, run_no, due FROM occurrence_key ORDER BY job_no, key;

-- name: export_spans
SELECT span_no, job_no, revision, after, until, reason, count FROM skipped_span ORDER BY span_no;

-- name: export_notices
SELECT n.notice_no, n.account_no, n.run_id, n.at, b.id
FROM notice n LEFT JOIN notice_batch b
       ON b.account_no = n.account_no AND n.notice_no <= b.last_notice
ORDER BY n.notice_no;

-- name: export_batches
SELECT account_no, id, attempt, send_at FROM notice_batch;

-- name: export_answers
SELECT account_no, key, digest, answer, at FROM idempotency;

-- ---- survey --------------------------------------------------------------------------------------

-- name: survey_journal_mode
PRAGMA journal_mode;

-- name: survey_quick_check
PRAGMA quick_check(3);

-- name: survey_accounts
SELECT id, signing_secret FROM account ORDER BY account_no;
