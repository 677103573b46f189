// Placeholders in a target's URL, header values and body: {{run.id}}, {{job.id}}, {{job.name}},
// {{scheduled_at}}, {{attempt}}. Blanks inside the braces are allowed. Anything else between {{
// and }} on one line is refused when the job is written; a {{ without }} is plain text.
//
// Each value is escaped for where it stands, so that no name can break out of its place:
//
//   url     percent-encoded:               "a b" in …?n={{job.name}}  gives …?n=a%20b
//   json    as inside a JSON string:       say "hi"                   gives say \"hi\"
//   form    percent-encoded
//   header  printable ASCII stays, all else becomes %XX
//   text    as it is
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cronally::core {

enum class Place : std::uint8_t { url, json, form, header, text };

struct TemplateValues {
  std::string run_id;
  std::string job_id;
  std::string job_name;
  std::string scheduled_at;  // RFC 3339
  std::string attempt;       // decimal
};

// Error "unknown_placeholder" with a near match. The caller adds the pointer.
Result<void> check_placeholders(std::string_view text);

// `text` must have passed check_placeholders; what it did not pass is left as it stands.
std::string render(std::string_view text, const TemplateValues& values, Place place);

}  // namespace cronally::core
