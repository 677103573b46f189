// The headers of a signed request: key, date and signature, a line each, then the path. Nothing but
// the one right signature is taken, and a date that is read is written as it was.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/hmac.h"
#include "core/v1_signature.h"

using namespace cronally;

namespace {

// The lines of the input; the last one holds the rest.
std::array<std::string_view, 4> lines_of(std::string_view text) {
  std::array<std::string_view, 4> lines;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::size_t end = i + 1 < lines.size() ? text.find('\n') : text.npos;
    lines[i] = text.substr(0, end);
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
  }
  return lines;
}

void check_date(std::string_view text) {
  if (const auto date = core::parse_v1_date(text)) {
    CHECK(core::format_v1_date(*date) == text, "a date does not read back");
    CHECK(core::is_v1_date_current(*date, *date, Duration{0}), "a date is not its own");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto [secret, date, signature, path] =
      lines_of({reinterpret_cast<const char*>(data), size});
  check_date(date);
  const auto given = core::parse_v1_secret(secret);
  if (given) CHECK(!given->reveal().empty(), "a secret is empty");
  const core::V1Key key = given ? *given : core::V1Key("key");
  for (const std::string_view base : {"", "/cron"}) {
    const auto paths = core::v1_paths(path, base);
    bool is_one = false;
    for (const std::string& one : paths) {
      const std::string right = core::sign_v1(key, one, "GET", date);
      CHECK(core::verify_v1(key, right, paths, "GET", date), "a right signature is refused");
      const std::string mac = *base64_decode(right);
      is_one =
          is_one || signature == right || signature == right.substr(0, 43) || signature == hex(mac);
    }
    CHECK(core::verify_v1(key, signature, paths, "GET", date) == is_one,
          "a signature that is none is taken");
  }
  return 0;
}
