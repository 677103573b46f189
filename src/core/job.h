// A job: what is declared once and owed at every occurrence.
//
// JobDefinition is the part a person writes; every change of it is a new revision, kept for ever.
// core/manifest reads and writes it as JSON and checks every rule of it; a JobDefinition that
// came out of manifest is valid by construction.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/ids.h"
#include "base/time.h"
#include "core/target.h"
#include "cron/schedule.h"

namespace cronally::core {

enum class DeliveryMode : std::uint8_t { at_least_once, at_most_once };
enum class Overlap : std::uint8_t { allow };
enum class CatchUpMode : std::uint8_t { latest, all, skip };

// What happens to occurrences that fell due while nobody could claim them.
struct CatchUp {
  CatchUpMode mode = CatchUpMode::latest;
  // How late a run may still begin; older occurrences are skipped(window). 1 s to 30 days.
  Duration window = std::chrono::hours{1};
  // Mode `all` claims at most so many per outage, oldest first; the rest is skipped(limit).
  std::int32_t limit = 1000;  // 1 to 10,000
  friend bool operator==(const CatchUp&, const CatchUp&) = default;
};

struct Retry {
  std::int32_t attempts = 5;  // recorded failures until the run fails; 1 to 185
  Duration backoff_min = std::chrono::seconds{1};
  Duration backoff_max = std::chrono::minutes{5};
  // From the first recorded attempt. Without one: the smaller of 1 h and the time from this
  // occurrence to the next.
  std::optional<Duration> age_max;
  friend bool operator==(const Retry&, const Retry&) = default;
};

struct JobDefinition {
  std::string name;
  std::string description;
  std::map<std::string, std::string> labels;
  std::string schedule;           // as written; parse_schedule() accepts it
  std::optional<Instant> anchor;  // given by the user; else the edit's commit time
  std::string zone = "UTC";
  cron::Dst dst = cron::Dst::run;
  Target target;
  DeliveryMode delivery = DeliveryMode::at_least_once;
  Overlap overlap = Overlap::allow;
  Retry retry;
  CatchUp catch_up;
  bool paused = false;
  friend bool operator==(const JobDefinition&, const JobDefinition&) = default;
};

// A definition as the store keeps it.
struct Job {
  JobId id;
  JobNo no;
  AccountNo account;
  ShardNo shard;
  Revision revision = 0;
  JobDefinition definition;
  Instant anchor;  // the effective one: definition.anchor, or the commit time (whole ms)
                   // of the edit that set the schedule
  Instant created_at;
  Instant updated_at;       // commit time of this revision: nothing at or before it is owed
  std::int64_t change = 0;  // the shard's change number of this revision (acks wait for it)
  // What API v1 calls it, where that is not the definition's name: names of v1 may be taken, or
  // none that a job can have.
  std::optional<std::string> v1_name;
};

}  // namespace cronally::core
