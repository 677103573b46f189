// From the flags of `job add` and `job edit` to the JSON that the API takes. Pure.
#pragma once

#include <cctz/time_zone.h>

#include <boost/json.hpp>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/problem.h"

namespace cronally::cli {

// As given; nullopt or empty: not given.
struct JobFlags {
  std::optional<std::string> name;  // add: NAME; edit: --name, the new one
  std::optional<std::string> cron;
  std::optional<std::string> every;
  std::optional<std::string> at;
  bool never = false;
  std::optional<std::string> zone;
  std::optional<std::string> dst;
  std::optional<std::string> anchor;
  std::optional<std::string> url;
  std::optional<std::string> method;
  std::vector<std::string> headers;         // "K:V"
  std::vector<std::string> secret_headers;  // "K=@FILE" or "K=-"
  std::optional<std::string> body;
  std::optional<std::string> body_file;
  std::optional<std::string> sns_topic;
  std::optional<std::string> sns_region;
  std::optional<std::string> sns_access_key_id;
  std::optional<std::string> sns_secret_access_key;  // "@FILE" or "-"
  std::optional<std::string> message;
  std::optional<std::string> message_file;
  std::optional<std::string> subject;
  std::optional<std::string> message_group_id;
  std::vector<std::string> message_attributes;  // "K=V"
  std::optional<std::string> timeout;
  std::optional<std::string> attempts;
  std::optional<std::string> backoff_min;
  std::optional<std::string> backoff_max;
  std::optional<std::string> age_max;
  std::optional<std::string> catch_up;
  std::optional<std::string> catch_up_window;
  std::optional<std::string> catch_up_limit;
  std::optional<std::string> delivery;
  std::optional<std::string> description;
  std::vector<std::string> labels;  // "k=v"
  bool paused = false;
  std::vector<std::string> remove_headers;             // edit only
  std::vector<std::string> remove_message_attributes;  // edit only
  std::vector<std::string> remove_labels;              // edit only
};

// What the flags need from outside.
struct JobInputs {
  std::function<Outcome<std::string>(const std::string& text)> instant;  // --at, --anchor: RFC 3339
  std::function<Outcome<std::string>(const std::string& source)> secret;  // "@FILE" or "-"
  // --body-file, --message-file
  std::function<Outcome<std::string>(const std::string& path)> file;
};

enum class JobUse { add, edit };

// The body of POST /v2/jobs, or, for edit, the merge patch (RFC 7396) of PATCH /v2/jobs/{job} that
// holds only what was given; there the value `default` puts a field back to its default (null).
// Each refusal is a usage problem that names the flag and what it takes.
Outcome<boost::json::object> job_body(const JobFlags& flags, JobUse use, const JobInputs& inputs);

// A secret as it may stand in the argument list: a name and where its value is read from. The
// value itself is refused, without repeating it: every user of the machine can read arguments.
struct SecretSource {
  std::string name;
  std::string source;  // "@FILE" or "-"
};
Outcome<SecretSource> parse_secret_header(std::string_view flag, std::string_view text);

// {"K": value, ...} of --secret-header and --failure-secret-header.
Outcome<boost::json::object> secret_headers(
    std::string_view flag, const std::vector<std::string>& texts,
    const std::function<Outcome<std::string>(const std::string&)>& read);

}  // namespace cronally::cli
