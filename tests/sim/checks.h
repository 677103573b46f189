// What the promises of README mean over a history. Each objection names the promise it breaks.
//
//   check_requests.cc  at each first byte: P1, P3, P4, P5, P10
//   check_ledger.cc    at the end: P2, P9, P10 (due = runs + skips, nothing is stuck)
//   check_lateness.cc  at the end of a world of deaths: P7
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/lease.h"
#include "tests/sim/history.h"
#include "tests/sim/model_store.h"

namespace cronally::sim {

class World;

class Checks {
 public:
  explicit Checks(World& world) : world_(world) {}

  void first_byte(const FirstByte& byte);
  // The node let go of the run's shard while this attempt was out.
  void left(int node, const core::LeftRun& run);
  void incident(bool graceful);
  // After the calm.
  void finally();

  // "after 12.5 s: P4: ...".
  const std::vector<std::string>& objections() const { return objections_; }

 private:
  void object(const std::string& what);

  // check_requests.cc
  void check_claimed(const FirstByte& byte, const std::string& which);
  void check_once(const FirstByte& byte, const std::string& which);
  void check_lease(const FirstByte& byte, const std::string& which);
  void check_time(const FirstByte& byte, const std::string& which);
  void check_edits(const FirstByte& byte, const std::string& which);

  // check_ledger.cc
  void index();
  void check_ledger(const JobRecord& record);
  void check_owed(const JobRecord& record, const DefinitionSpan& span);
  void check_unowed(const JobRecord& record, const RunRecord& run);
  void check_skipped(const JobRecord& record, const SkipRecord& skip);
  void check_nothing_stuck();
  void check_nothing_lost();

  // check_lateness.cc
  void check_lateness();
  Duration lateness_max(Instant due) const;

  struct Left {
    int node = 0;
    Instant until;
    int server = 0;  // which the store may have forgotten since
  };

  World& world_;
  std::vector<std::string> objections_;
  std::map<std::pair<RunId, std::int32_t>, int> sent_numbers_;
  std::map<RunId, Fence> fences_;
  std::map<RunId, Instant> first_bytes_;
  std::map<std::pair<JobNo, Instant>, RunId> sent_occurrences_;
  std::map<RunId, int> at_most_once_sent_;
  std::map<std::pair<RunNo, std::int32_t>, Left> left_;
  std::vector<Incident> incidents_;
  std::map<JobNo, std::vector<const RunRecord*>> runs_of_;
  std::map<JobNo, std::vector<const SkipRecord*>> skips_of_;
};

// "12.345678 s".
std::string seconds(Duration at);

// The oracle of intervals, apart from the code under test: the length of "@every 1500ms".
Duration interval_of(const std::string& schedule);

}  // namespace cronally::sim
