// What a store hands to the conformance suites: a fresh database, its clock, and its own death.
//
// A suite is a header of TEST_P over StoreFactory. Who has a store includes the suite in one
// source file and names its factories:
//
//   #include "tests/conformance/spine_conformance.h"
//   INSTANTIATE_TEST_SUITE_P(Sqlite, SpineConformance, ::testing::Values(sqlite()), store_name);
//
//   spine_conformance.h   Spine, and the verbs of Jobs that feed it: also the simulation's model
//   ledger_conformance.h  lists, cursors, accounts, tokens, notices, backup: whole databases
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "base/ids.h"
#include "core/run.h"
#include "runtime/clock_manual.h"
#include "store/database.h"

namespace cronally::conformance {

// One store under test. Its clock starts at `start_instant` and stands still.
class World {
 public:
  virtual ~World() = default;
  virtual store::Spine& spine() = 0;
  virtual store::Jobs& jobs() = 0;
  virtual AccountNo account() const = 0;  // one account, without a failure webhook
  virtual runtime::ManualClock& clock() = 0;
  // Ends the store and starts it again on what it had committed.
  virtual void reopen() = 0;
  // The run with its attempts, and the spans of skips, oldest first.
  virtual std::optional<core::Run> find_run(RunId run) = 0;
  virtual std::vector<core::SkippedSpan> skipped() = 0;
  // The whole database; null where there is only a spine.
  virtual store::Database* database() { return nullptr; }
};

struct StoreFactory {
  std::string name;
  std::function<std::unique_ptr<World>()> make;  // null: what it needs is not on this machine
  friend void PrintTo(const StoreFactory& factory, std::ostream* out) { *out << factory.name; }
};

// How an instance of a suite is called.
inline std::string store_name(const ::testing::TestParamInfo<StoreFactory>& info) {
  return info.param.name;
}

// 2026-12-01T10:00:00Z.
inline constexpr Instant start_instant{std::chrono::sys_days{std::chrono::year{2026} / 12 / 1} +
                                       std::chrono::hours{10}};

}  // namespace cronally::conformance
