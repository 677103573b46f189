// How a plan is shown: to people, as a difference of YAML lines, and to programs. Pure.
#pragma once

#include <boost/json.hpp>
#include <string>

#include "cli/plan.h"

namespace cronally::cli {

struct PlanView {
  core::ZoneResolver zone;
  bool colour = false;
};

// Each job that changes, with its fields, "old -> new", and its fires before and after:
//   ~ change report
//       schedule: 0 9 * * * -> 0 10 * * *
//       fires before: 2026-11-25T09:00:00Z, 2026-11-26T09:00:00Z, 2026-11-27T09:00:00Z
//       fires after:  2026-11-25T10:00:00Z, 2026-11-26T10:00:00Z, 2026-11-27T10:00:00Z
std::string plan_text(const Plan& plan, const PlanView& view);

// The same as lines that start with "-" and "+", under "--- NAME (live)" and "+++ NAME (files)".
std::string diff_text(const Plan& plan, const PlanView& view);

// "3 to create, 1 to change, 0 to remove, 9996 unchanged", and a line on what starts now.
std::string summary_text(const Plan& plan);

// The second of these lines: "Applying starts nothing now.", and what is due soon after.
std::string starts_text(const Plan& plan);

// {"items": [{"action", "name", "fields": [{"field", "before", "after"}], "secrets",
// "fires_before", "fires_after"}], "summary": {...}, "starts_now": [], "due_soon": [names]};
// unchanged jobs are counted only.
boost::json::object plan_json(const Plan& plan);

}  // namespace cronally::cli
