// What stands in a request's line and headers: paths, queries, cursors, keys, entity tags. What is
// taken is UTF-8 and within its bounds, and a cursor that is taken is one that a list wrote.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "api/call.h"
#include "api/job_answers.h"
#include "api/query.h"
#include "api/router.h"
#include "base/check.h"
#include "base/text.h"
#include "store/cursor.h"

using namespace cronally;

namespace {

void check_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    CHECK(length > 0, "a text that is no UTF-8 was taken");
    text.remove_prefix(length);
  }
}

void check_query(std::string_view text) {
  static constexpr std::array<std::string_view, 5> known{"cursor", "label", "limit", "since", "x"};
  const auto query = api::Query::parse(text, known);
  if (!query) {
    CHECK(query.error().code == "invalid_parameter", "a query is refused as one");
    return;
  }
  for (const std::string_view name : known) check_utf8(query->find(name).value_or(""));
  if (const auto limit = query->limit()) CHECK(*limit >= 1 && *limit <= 1000, "a limit is out");
  if (const auto labels = query->labels())
    for (const auto& [name, value] : *labels) CHECK(!name.empty(), "a label has no name");
  if (const auto since = query->instant("since"); since && *since) {
    const auto again = parse_instant(format_instant(**since));
    CHECK(!again || *again == **since, "an instant of a query does not read back");
  }
}

template <std::size_t n>
void check_cursor(std::string_view text) {
  const auto numbers = store::read_cursor<n>(text);
  if (!numbers) return;
  CHECK(store::read_cursor<n>(store::write_cursor<n>(*numbers)) == numbers,
        "a cursor does not read back");
  CHECK(store::write_cursor<n>(*numbers) == text, "a cursor has two texts");
}

void check_headers(std::string_view text) {
  net::Request request;
  request.headers.add("Idempotency-Key", std::string{text});
  if (const auto key = api::idempotency_key(request); key && *key) {
    CHECK(!(*key)->empty() && (*key)->size() <= 200, "a key is out of its bounds");
    for (const char c : **key) CHECK(c >= ' ' && c < '\x7f', "a key holds a strange character");
  }
  if (text.find_first_of(",*\"") == std::string_view::npos)
    CHECK(!api::names_etag(text, "\"1\"", true), "a tag without quotes names a revision");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  check_query(text);
  check_cursor<1>(text);
  check_cursor<2>(text);
  check_headers(text);
  for (const std::string_view method : {"GET", "POST", "PUT"}) {
    const api::Match match = api::match_route(method, text);
    CHECK(!match.route || match.params.size() <= 1, "a route has too many parts");
    for (const std::string& part : match.params) {
      CHECK(!part.empty(), "a part of a path is empty");
      check_utf8(part);
    }
  }
  return 0;
}
