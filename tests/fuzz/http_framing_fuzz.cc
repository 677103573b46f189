// Any bytes are judged as a header without harm, and what is accepted has one reading: complete
// lines, one framing, one host, a target that is a path.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/check.h"
#include "net/http_framing.h"

using namespace cronally;

namespace {

// Splits as simply as can be; the server's parser is stricter.
net::HttpHeaders fields_of(std::string_view block) {
  net::HttpHeaders out;
  while (!block.empty()) {
    const std::size_t end = std::min(block.find("\r\n"), block.size());
    const std::string_view line = block.substr(0, end);
    const std::size_t colon = std::min(line.find(':'), line.size());
    std::string_view value = line.substr(std::min(colon + 1, line.size()));
    while (value.starts_with(' ')) value.remove_prefix(1);
    if (!line.empty()) out.add(std::string{line.substr(0, colon)}, std::string{value});
    block.remove_prefix(std::min(end + 2, block.size()));
  }
  return out;
}

void check_accepted(const net::HeaderFacts& facts, const net::HttpHeaders& headers) {
  CHECK(headers.count("content-length") + headers.count("transfer-encoding") <= 1,
        "two framings were accepted");
  CHECK(headers.count("host") == 1 || !facts.http11, "a request without one host was accepted");
  const std::string_view path = net::origin_form(facts.target);
  CHECK(path == "*" || path.starts_with('/'), "a target that is no path was accepted");
  CHECK(path.find_first_of(" \t\r\n#") == std::string_view::npos, "a target with blanks");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  const net::ServerOptions options;
  const std::size_t blank = input.find("\r\n\r\n");
  std::optional<std::size_t> end;
  if (blank != std::string_view::npos) end = blank + 4;
  const auto refusal = net::judge_header_bytes(input, end, options);
  if (refusal || !end) return 0;
  const std::string_view block = input.substr(0, *end);
  CHECK(block.find('\0') == std::string_view::npos, "a NUL was accepted");
  const std::size_t line_end = block.find("\r\n");
  const std::string_view line = block.substr(0, line_end);
  const std::size_t first = std::min(line.find(' '), line.size());
  const std::size_t last = std::min(line.rfind(' '), line.size());
  if (first >= last) return 0;
  const net::HeaderFacts facts{line.substr(0, first), line.substr(first + 1, last - first - 1),
                               line.ends_with("1.1")};
  const net::HttpHeaders headers = fields_of(block.substr(line_end + 2));
  if (!net::judge_header(facts, headers, options)) check_accepted(facts, headers);
  return 0;
}
