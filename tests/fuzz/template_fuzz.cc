// Any text is checked and rendered without harm, and no value breaks out of its place: a header
// stays one line, a URL stays ASCII, and what stood before and behind a placeholder stays.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "core/template.h"

using namespace cronally;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  const std::string_view name = input.substr(0, size / 2);
  const std::string_view text = input.substr(size / 2);
  const core::TemplateValues values{.run_id = "r",
                                    .job_id = "j",
                                    .job_name = std::string{name},
                                    .scheduled_at = "2026-12-01T09:00:00Z",
                                    .attempt = "1"};
  const bool fine = core::check_placeholders(text).has_value();
  for (const auto place : {core::Place::url, core::Place::json, core::Place::form,
                           core::Place::header, core::Place::text}) {
    const std::string rendered = core::render(text, values, place);
    CHECK(!fine || text.find("{{") != std::string_view::npos || rendered == text,
          "text without placeholders changed");
    const std::string alone = core::render("<{{job.name}}>", values, place);
    CHECK(alone.starts_with('<') && alone.ends_with('>'), "the text around a value changed");
    if (place == core::Place::text || place == core::Place::json) continue;
    CHECK(std::ranges::all_of(alone, [](char c) { return c >= ' ' && c <= '~'; }),
          "a value broke out of its line");
  }
  return 0;
}
