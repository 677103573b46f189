// Runs, attempts and skipped spans, as the API reads them.
#pragma once

#include "store/database.h"
#include "store/postgres/engine.h"

namespace cronally::store::postgres {

class PostgresLedger : public Ledger {
 public:
  explicit PostgresLedger(Engine& engine) : engine_(engine) {}

  std::optional<core::Run> find_run(AccountNo account, RunId run) override;
  Result<Page<core::Run>> list_runs(AccountNo account, const RunFilter& filter) override;
  Result<Page<core::Run>> run_changes(AccountNo account, std::optional<std::string> after,
                                      const RunFilter& filter) override;
  std::vector<core::SkippedSpan> list_skipped(AccountNo account, std::optional<JobId> job,
                                              std::size_t limit) override;

 private:
  Engine& engine_;
};

}  // namespace cronally::store::postgres
