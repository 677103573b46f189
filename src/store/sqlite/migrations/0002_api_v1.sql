-- API v1: accounts that sign their requests, and what v1 calls a job where that is not its name.

ALTER TABLE account ADD COLUMN email TEXT;       -- null: none
ALTER TABLE account ADD COLUMN api_key BLOB;     -- null: no credentials
ALTER TABLE account ADD COLUMN api_secret BLOB;  -- sealed
CREATE UNIQUE INDEX account_email ON account (email COLLATE NOCASE) WHERE email IS NOT NULL;
CREATE UNIQUE INDEX account_api_key ON account (api_key) WHERE api_key IS NOT NULL;

ALTER TABLE job ADD COLUMN v1_name TEXT;         -- null: its name
