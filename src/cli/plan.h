// What applying declarations would change: decided here, before anything is written. Pure.
//
// A declared job is held against the live job of its name by the meaning of both: read by the
// API's own rules, with the defaults written out, so that a default left out, another order or
// another notation is no change.
//
//   stored  {"name": "report", "schedule": "0 9 * * *", "zone": "UTC", ...}
//   file    name: report, schedule: 0 10 * * *, target: the same
//   plan    change report, fields {schedule: "0 9 * * *" -> "0 10 * * *"}, fires before and after
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/declared.h"
#include "cli/problem.h"
#include "core/manifest.h"

namespace cronally::cli {

enum class Step : std::uint8_t {
  create,
  change,
  secret,  // nothing but secrets whose values are given: only the server knows whether they differ
  unchanged,
  remove,
};

// "create", "change", ... as plans name them.
std::string_view text_of(Step step);

// null: the field is not there on that side. Secrets are "***" on both.
struct FieldChange {
  std::string field;  // "target.headers.X-Team"
  boost::json::value before;
  boost::json::value after;
};

// The next instants that a definition owes, as of the present.
struct Fires {
  std::string zone;
  bool paused = false;
  std::vector<Instant> at;
  friend bool operator==(const Fires&, const Fires&) = default;
};

inline constexpr std::size_t fires_shown = 3;

struct PlannedJob {
  Step step = Step::unchanged;
  std::string name;
  std::string id;             // of the live job; empty: create
  std::int64_t revision = 0;  // of the live job
  boost::json::object item;   // the body to send; empty: remove, unchanged
  boost::json::object shown;  // create: what is to be, secrets hidden, defaults written out
  std::vector<FieldChange> fields{};
  std::vector<std::string> secrets{};   // fields of secrets whose values are given
  std::optional<Fires> fires_before{};  // both only where they differ
  std::optional<Fires> fires_after{};
};

struct Plan {
  std::vector<PlannedJob> jobs;   // in the order of the files, then those to remove
  std::vector<std::string> soon;  // created or changed, and due within `soon_max`

  std::size_t count(Step step) const;
  bool changes() const;  // create, change or remove
};

// Applying starts nothing: a new, changed or resumed job owes nothing from before the change. What
// is due so soon after it looks as if it did, and is named.
inline constexpr Duration soon_max = std::chrono::seconds{10};

using Labels = std::map<std::string, std::string, std::less<>>;
using StoredJobs = std::map<std::string, boost::json::object, std::less<>>;  // by name, as answered

struct PlanContext {
  core::ZoneResolver zone;
  Instant now;
  Labels selector{};   // each declared job gets these labels
  bool prune = false;  // those of `stored` that carry them and are not declared are removed
  // The value of an environment variable, for secrets written `${env:NAME}`; null: they stay as
  // they are written, since nothing is sent.
  std::function<std::optional<std::string>(const std::string&)> env{};
};

// Faults of all documents, those of `declared` too, come as one usage problem.
Outcome<Plan> make_plan(const Declarations& declared, const StoredJobs& stored,
                        const PlanContext& context);

// The usage problem of faults in files: the first 100 of them, and how many more there are.
Problem faulty_files(std::vector<FieldError> faults);

}  // namespace cronally::cli
