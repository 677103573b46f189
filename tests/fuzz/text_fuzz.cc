// Durations, instants and what messages quote: what is read can be written and read again as the
// same, and a quoted text is one short printable line of UTF-8.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/percent.h"
#include "base/text.h"

using namespace cronally;

namespace {

void check_duration(std::string_view text) {
  const auto length = parse_duration(text);
  if (!length) {
    CHECK(length.error().message.contains("column"), "a fault names its column");
    return;
  }
  CHECK(*length >= Duration{0} && *length <= duration_max, "a duration is out of its span");
  const std::string written = format_duration(*length);
  CHECK(parse_duration(written) == length, "a duration does not read back");
  CHECK(format_duration(*parse_duration(written)) == written, "a duration has two texts");
}

void check_instant(std::string_view text) {
  const auto at = parse_instant(text);
  if (!at) {
    CHECK(at.error().message.contains("column"), "a fault names its column");
    return;
  }
  const std::string written = format_instant(*at);
  // The offset may carry an instant out of the four digits of a year.
  if (written.size() < 20 || written.front() == '-' || written[4] != '-') return;
  CHECK(parse_instant(written) == at, "an instant does not read back");
}

void check_quote(std::string_view text) {
  std::string_view quoted;
  const std::string whole = quote(text);
  quoted = whole;
  CHECK(quoted.starts_with('\'') && whole.size() <= 4 * 60 + 8, "a quoted text is long");
  while (!quoted.empty()) {
    const std::size_t length = utf8_length(quoted);
    CHECK(length > 0, "a quoted text is no UTF-8");
    CHECK(length > 1 || (quoted[0] >= ' ' && quoted[0] != '\x7f'), "a quoted text has controls");
    quoted.remove_prefix(length);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  check_duration(text);
  check_instant(text);
  check_quote(text);
  CHECK(percent_decode(percent_encode(text)) == text, "percent-encoding loses something");
  constexpr std::array<std::string_view, 4> words{"schedule", "zone", "@daily", "MON"};
  if (const auto near = near_match(text, words)) {
    CHECK(near->size() < text.size() + text.size() / 3 + 2, "a near match is far");
  }
  return 0;
}
