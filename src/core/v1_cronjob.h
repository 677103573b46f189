// What API v1 calls a cronjob: its form fields as a job of core/manifest, and its name.
//
//   name=report&cron=0 9 * * *&delivery_type=http&delivery_http_url=https://example.com/
//   is {"schedule": "0 9 * * *",
//       "target": {"type": "http", "url": "https://example.com/", "method": "GET"}}
//
// with the name apart: names of v1 need not be unique, and may hold what names of jobs may not.
// Fields that v1 does not know are left alone. All fields: docs/api-v1.md.
#pragma once

#include <boost/json.hpp>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/ids.h"
#include "base/result.h"
#include "core/form_body.h"
#include "core/target.h"

namespace cronally::core {

inline constexpr std::size_t v1_name_bytes_max = 4096;

struct V1Cronjob {
  std::optional<std::string> name;  // as v1 shows it
  boost::json::object manifest;     // schedule and target, as far as they are given
};

// A new cronjob: name and cron are there, and what its delivery_type needs. Code
// "invalid_cronjob", with every fault by the pointer of its field ("/cron").
Result<V1Cronjob> read_v1_cronjob(const Form& form);

// A change of a cronjob with the target `stored`, as a merge patch for patch_job(). A delivery_type
// replaces the whole target, so what it needs must be there; without one, the fields must be of
// the stored type. Code "invalid_cronjob".
Result<V1Cronjob> read_v1_change(const Form& form, const Target& stored);

// The same with faults that core/manifest found ("/target/topic_arn"), as those of form fields.
Error v1_error(Error error);

// A name under which a job may be stored whose v1 name cannot be, or is another job's: what names
// may not hold is left out, at most 191 characters are kept, and the last eight hexadecimal digits
// of the job's id follow: "report" is "report-bc1f54e0".
std::string v1_stored_name(std::string_view name, const JobId& id);

}  // namespace cronally::core
