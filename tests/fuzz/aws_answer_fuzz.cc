// Whatever AWS, or something in its place, answers: errors are one valid line, credentials that are
// taken can stand in a header, and what was escaped in an element comes out of it as it was.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/text.h"
#include "core/aws_answer.h"

using namespace cronally;

namespace {

constexpr Instant now{std::chrono::seconds{1'800'000'000}};

void check_line(std::string_view text) {
  CHECK(std::ranges::none_of(text, [](char c) { return c >= 0 && c < ' '; }), "not one line");
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    CHECK(length > 0, "an error is no UTF-8");
    text.remove_prefix(length);
  }
}

void check_session(const Result<core::AwsSession>& session) {
  if (!session) {
    CHECK(session.error().code == "invalid_answer", "a refusal has another code");
    check_line(session.error().message);
    return;
  }
  const core::AwsCredentials& got = session->credentials;
  CHECK(!got.access_key_id.empty() && !got.secret_access_key.reveal().empty(), "half a key");
  for (const std::string& text : {got.access_key_id, got.session_token.reveal()})
    CHECK(std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7F; }),
          "credentials break out of a header");
}

// Text in an element, escaped as XML wants it, is that text again.
void check_round_trip(std::string_view text) {
  std::string xml = "<ErrorResponse><Error><Code>";
  for (const char c : text) {
    if (c == '<' || c == '>' || c == '&')
      xml += "&#" + std::to_string(static_cast<unsigned char>(c)) + ";";
    else
      xml += c;
  }
  xml += "</Code></Error></ErrorResponse>";
  const auto found = core::xml_text(xml, {"Error", "Code"});
  CHECK(found && *found == text, "an element's text changed");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  const core::AwsError error = core::read_aws_error(input);
  check_line(error.code);
  check_line(error.message);
  check_line(core::aws_error_text(error, 400));
  core::aws_remedy(error, 400);
  if (const auto offset = core::aws_clock_offset(input, now))
    CHECK(input.contains('('), "a time from nowhere");
  check_session(core::read_sts_answer(input));
  check_session(core::read_endpoint_answer(input));
  check_round_trip(input);
  return 0;
}
