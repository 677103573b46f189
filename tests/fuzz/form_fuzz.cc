// Bodies of API v1: urlencoded, multipart and JSON. What is read is UTF-8 and within its bounds,
// and what it says of a cronjob is either refused or complete. The first line is the content type.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/text.h"
#include "core/form_body.h"
#include "core/manifest.h"
#include "core/v1_cronjob.h"

using namespace cronally;

namespace {

void check_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    CHECK(length > 0, "a text that is no UTF-8 was read");
    text.remove_prefix(length);
  }
}

void check_name(std::string_view name) {
  const std::string stored = core::v1_stored_name(name, JobId{});
  const auto read = core::read_name(stored);
  CHECK(read && *read == stored, "a stored name is none that a job can have");
}

void check_cronjob(const core::Form& form) {
  const auto cronjob = core::read_v1_cronjob(form);
  if (!cronjob) {
    CHECK(!cronjob.error().fields.empty(), "a refusal names no field");
    return;
  }
  CHECK(cronjob->name && !cronjob->name->empty(), "a cronjob has no name");
  CHECK(cronjob->manifest.contains("schedule") && cronjob->manifest.contains("target"),
        "a cronjob lacks what it needs");
  check_name(*cronjob->name);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  const std::size_t line = text.find('\n');
  const std::string_view type = text.substr(0, line);
  const std::string_view body = line == text.npos ? std::string_view() : text.substr(line + 1);
  check_name(body);
  const auto form = core::read_form(type, body);
  if (!form) {
    CHECK(form.error().code == "invalid_form", "a body is refused as one");
    return 0;
  }
  CHECK(form->size() <= core::form_fields_max, "a form has too many fields");
  for (const auto& [name, value] : *form) {
    check_utf8(name);
    check_utf8(value);
  }
  check_cronjob(*form);
  for (const core::Target& stored :
       {core::Target{core::HttpTarget{}}, core::Target{core::SnsTarget{}}})
    if (const auto change = core::read_v1_change(*form, stored); !change)
      CHECK(!change.error().fields.empty(), "a refusal names no field");
  return 0;
}
