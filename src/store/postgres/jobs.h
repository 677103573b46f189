// Jobs, their revisions and requested runs, in PostgreSQL.
#pragma once

#include "store/database.h"
#include "store/postgres/engine.h"

namespace cronally::store::postgres {

class PostgresJobs : public Jobs {
 public:
  explicit PostgresJobs(Engine& engine) : engine_(engine) {}

  Result<Created> create_jobs(AccountNo account, std::vector<JobDraft> drafts, Existing existing,
                              std::optional<Idempotency> idempotency) override;
  Result<core::Job> change_job(AccountNo account, JobDraft draft, Revision expected) override;
  Result<core::Job> delete_job(AccountNo account, JobId job,
                               std::optional<Revision> expected) override;
  bool await_seen(ShardNo shard, std::int64_t change, Duration timeout) override;
  std::optional<core::Job> find_job(AccountNo account, JobId job) override;
  std::optional<core::Job> find_job(AccountNo account, std::string_view name) override;
  Result<Page<core::Job>> list_jobs(AccountNo account, const JobFilter& filter) override;
  Result<core::Run> request_run(AccountNo account, JobId job, core::RunKind kind, std::string key,
                                RunId id) override;

 private:
  Engine& engine_;
};

}  // namespace cronally::store::postgres
