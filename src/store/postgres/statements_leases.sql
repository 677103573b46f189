-- Statements of heartbeats and leases, and of a database that forgot (docs/design/leases.md,
-- docs/design/journal.md).

-- The server as it was when the generation was last judged, and as it is.
-- name: memory_read
SELECT f.generation, f.system, f.timeline, now.system, now.timeline, f.quiet_since, f.quiet_until
FROM fence_source f, server_identity() AS now WHERE f.one = 1;

-- Whether the server is the one that the generation was judged on. If not, the next heartbeat does.
-- name: memory_judged
SELECT f.system = now.system AND f.timeline = now.timeline
FROM fence_source f, server_identity() AS now WHERE f.one = 1;

-- Whether what is open may be told: that, and it is not quiet. Else who has not heard that its leases
-- are gone would take runs of its own fence, which were sent, for such as were not.
-- name: open_runs_judged
SELECT f.system = now.system AND f.timeline = now.timeline AND f.quiet_until <= clock_us()
FROM fence_source f, server_identity() AS now WHERE f.one = 1;

-- name: cursors_behind
SELECT count(*)
FROM unnest($1::bigint[], $2::bigint[]) AS k (shard, cursor) JOIN shard s USING (shard)
WHERE s.cursor < k.cursor;

-- Where it is still $1. Every lease becomes nobody's, under a fence that no batch carries; run numbers
-- go on past every block that may have been given and forgotten (65,536 runs each).
-- name: generation_raise
WITH raised AS (
  UPDATE fence_source SET generation = generation + $2, counter = counter + 1, system = $3,
                          timeline = $4, quiet_since = $5, quiet_until = $6
  WHERE one = 1 AND generation = $1
  RETURNING generation, generation * (1::bigint << 36) + counter AS fence
), revoked AS (
  UPDATE shard_lease SET holder = NULL, fence = raised.fence FROM raised
)
SELECT generation, (SELECT setval('run_block', last_value + 1024) FROM run_block) FROM raised;

-- Of the quiet time of generation $1, unless it is over.
-- name: quiet_write
UPDATE fence_source SET quiet_until = $2
WHERE one = 1 AND generation = $1 AND quiet_until > clock_us();

-- Heartbeats stand in one line; a batch never does. No lock is held while a node is waited for.
-- name: leases_lock
SELECT pg_advisory_xact_lock(hashtext('cronally.leases'));

-- name: nodes_read
SELECT node, draining, ends, beat_at, back, awaited FROM node;

-- name: node_write
INSERT INTO node (node, draining, ends, beat_at, back)
SELECT $1, $2, now.at + $3, now.at,
       CASE WHEN $4 THEN 0 WHEN $5 = 0 THEN f.generation ELSE $5 END
FROM clock_us() AS now (at), fence_source f WHERE f.one = 1
ON CONFLICT (node) DO UPDATE SET draining = excluded.draining, ends = excluded.ends,
                                 beat_at = excluded.beat_at, back = excluded.back
RETURNING beat_at;

-- Who lived before the time of quiet of generation $1, by one that lived then.
-- name: nodes_await
INSERT INTO node (node, draining, ends, awaited)
SELECT p.node, false, clock_us(), f.generation
FROM unnest($2::uuid[]) AS p (node), fence_source f WHERE f.one = 1 AND f.generation = $1
ON CONFLICT (node) DO UPDATE SET awaited = excluded.awaited;

-- name: node_describe
UPDATE node SET node_name = $2, version = $3, tzdata = $4 WHERE node = $1;

-- name: nodes_prune
DELETE FROM node WHERE ends < clock_us() - $1;

-- name: nodes_live
SELECT count(*) FROM node WHERE ends > clock_us();

-- name: leases_read
SELECT l.shard, l.holder, l.fence, coalesce(n.ends, 0)
FROM shard_lease l LEFT JOIN node n ON n.node = l.holder;

-- Those that are still as they were read, fence and end, under one new fence. What a batch is being
-- written for is left to the next heartbeat.
-- name: leases_take
WITH free AS (
  SELECT l.shard
  FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS f (shard, fence, ends)
       JOIN shard_lease l USING (shard) LEFT JOIN node n ON n.node = l.holder
  WHERE l.fence = f.fence AND coalesce(n.ends, 0) = f.ends
  ORDER BY l.shard FOR UPDATE OF l SKIP LOCKED
), next AS (
  UPDATE fence_source SET counter = counter + 1 WHERE one = 1 AND EXISTS (SELECT FROM free)
  RETURNING generation * (1::bigint << 36) + counter AS fence
), noted AS (
  INSERT INTO lease (fence, node, taken_at) SELECT fence, $4, $5 FROM next
)
UPDATE shard_lease l SET holder = $4, fence = next.fence FROM free, next WHERE l.shard = free.shard
RETURNING l.shard, l.fence;

-- And the requests that are out and were sent under one of these leases are left to who sent them.
-- name: leases_release
WITH released AS (
  UPDATE shard_lease l SET holder = NULL
  FROM unnest($1::bigint[], $2::bigint[]) AS r (shard, fence)
  WHERE l.shard = r.shard AND l.fence = r.fence AND l.holder = $3
  RETURNING l.shard, l.fence
)
UPDATE run_open o SET left_until = r.until
FROM unnest($4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[])
       AS r (run_no, shard, attempt, until) JOIN released USING (shard)
WHERE o.run_no = r.run_no AND o.fence = released.fence AND o.attempt = r.attempt;

-- name: shards_read
SELECT s.shard, s.cursor, c.change, s.seen, t.last
FROM shard s JOIN shard_change c USING (shard) JOIN shard_tally t USING (shard) ORDER BY s.shard;

-- Whether the owner has seen the change, or there is none: who comes next begins with it. While it is
-- quiet, an owner may not have heard yet that it is none; and on a server that no heartbeat has judged
-- yet, its lease may be newer than what is shown.
-- name: shard_seen
SELECT s.seen >= $2 OR (f.system = now.system AND f.timeline = now.timeline AND
                        greatest(coalesce(n.ends, 0), f.quiet_until) <= clock_us())
FROM shard s JOIN shard_lease l USING (shard) LEFT JOIN node n ON n.node = l.holder
     CROSS JOIN fence_source f CROSS JOIN server_identity() AS now
WHERE s.shard = $1;

-- name: shards_lock
SELECT shard, fence FROM shard_lease WHERE shard = ANY ($1::bigint[]) ORDER BY shard FOR SHARE;

-- name: shards_advance
UPDATE shard s SET cursor = greatest(s.cursor, a.cursor), seen = greatest(s.seen, a.seen)
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS a (shard, cursor, seen)
WHERE s.shard = a.shard;

-- name: shards_change
UPDATE shard_change s SET change = s.change + a.count
FROM unnest($1::bigint[], $2::bigint[]) AS a (shard, count)
WHERE s.shard = a.shard
RETURNING s.shard, s.change;
