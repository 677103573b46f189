// The public JSON of jobs and runs: what the API takes and gives, and what manifests hold.
//
// Reading is complete: every fault is reported at once, each at its JSON pointer, and a definition
// that comes out is valid by construction. Pure: zones and the present come in as values.
//
//   {"name": "report", "schedule": "0 9 * * MON-FRI", "zone": "Europe/Riga",
//    "target": {"type": "http", "url": "https://example.com/report"}}
//
// A missing field and null mean the default. Secrets come in plain and leave as "***"; a
// "***" that comes in means "as it is stored". All fields and limits: docs/api.md.
#pragma once

#include <cctz/time_zone.h>

#include <boost/json.hpp>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "base/time.h"
#include "core/job.h"
#include "core/run.h"

namespace cronally::core {

// How a secret stands in every answer.
inline constexpr std::string_view secret_mask = "***";

// Limits that are this file's; those of single fields stand in core/job.h.
inline constexpr std::size_t name_chars_max = 200;
inline constexpr std::size_t description_bytes_max = 4096;
inline constexpr std::size_t labels_max = 64;
inline constexpr std::size_t label_key_bytes_max = 63;
inline constexpr std::size_t label_value_bytes_max = 255;
inline constexpr std::size_t url_bytes_max = 8 * 1024;
inline constexpr std::size_t headers_max = 64;  // plain and secret ones together
inline constexpr std::size_t header_value_bytes_max = 8 * 1024;
inline constexpr std::size_t body_bytes_max = 256 * 1024;  // and of an SNS message
inline constexpr std::size_t sns_subject_chars_max = 99;
inline constexpr std::size_t sns_group_chars_max = 128;
inline constexpr std::size_t sns_attribute_chars_max = 1024;
// With raw delivery a queue takes ten attributes of a message (Amazon SNS Developer Guide, "Message
// attributes"); five are Cronally's.
inline constexpr std::size_t sns_attributes_max = 5;

using ZoneResolver = std::function<Result<cctz::time_zone>(std::string_view)>;

// What reading needs besides the text.
struct ReadContext {
  ZoneResolver zone;
  Instant now;                  // an `@at` at or before it is refused
  const Job* stored = nullptr;  // the job that this replaces: what "***" refers to
};

struct PlainSecret {
  std::string name;  // of one of secrets_of(definition.target), whose id is still zero
  SecretText value;
};

struct ReadJob {
  JobDefinition definition;
  std::vector<PlainSecret> secrets;  // to seal, and to give ids to, by the caller
};

// Reads a whole job. Code "invalid_job"; `fields` has every fault, with pointers that start with
// `prefix` ("/items/3"). An anchor that only repeats the stored effective one is not a given one;
// an `@at` that has passed is no fault while the stored job has the same schedule.
Result<ReadJob> read_job(const boost::json::object& object, const ReadContext& context,
                         std::string_view prefix = {});

// `patch` laid over the stored definition by RFC 7396, to be read by read_job. Besides: a patch
// that gives target.type replaces the whole target; names of headers compare without case; and the
// default of retry.attempts follows `delivery` if it was not set apart.
boost::json::object patch_job(const JobDefinition& stored, const boost::json::object& patch);

// Merges by RFC 7396 §2.
void merge_patch(boost::json::object& target, const boost::json::object& patch);

// All fields that a person writes, in the order of the documentation, the defaults written out.
// Definitions that mean the same give the same, but for the order of labels and headers.
boost::json::object write_manifest(const JobDefinition& definition);

// All fields, in the order of the documentation.
boost::json::object write_job(const Job& job, std::optional<Instant> next_at);

// The next instant that the job owes after `now`; nullopt when it is paused, is over, or its zone
// cannot be loaded.
std::optional<Instant> next_of(const Job& job, const ZoneResolver& zone, Instant now);

// All fields. Of each attempt's response at most `response_max` bytes, made valid UTF-8.
boost::json::object write_run(const Run& run, std::size_t response_max);

// Rules that other manifests share (the account's failure webhook). Each returns the fault as a
// sentence, or nullopt.
std::optional<std::string> url_fault(std::string_view url);
std::optional<std::string> header_name_fault(std::string_view name);
std::optional<std::string> header_value_fault(std::string_view value);

// Trims blanks at both ends; code "invalid_name" with what is wrong.
Result<std::string> read_name(std::string_view text);

// One token of a JSON pointer (RFC 6901 §3): "a/b" is "a~1b".
std::string pointer_token(std::string_view name);

// The same text with bytes that are not UTF-8 replaced by U+FFFD.
std::string valid_utf8(std::string_view text);

}  // namespace cronally::core
