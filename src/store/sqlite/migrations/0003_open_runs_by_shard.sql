-- Claims are made shard by shard, and of each in the order of its jobs; runs end about in the order
-- in which they were claimed. With the shard in front, both write to a few neighbouring pages of
-- this index; by job alone, each batch of a herd wrote most of its pages anew.
DROP INDEX run_open_job;
CREATE INDEX run_open_job ON run (shard, job_no) WHERE state < 3;
