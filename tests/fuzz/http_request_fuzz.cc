// Any bytes, in any pieces, are read as the same requests: what is taken does not depend on how
// the network cut it, a request that is whole has one framing, one host and a path, and nothing
// behind its end is taken. What would be sent back stays one answer.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "net/http_reader.h"

using namespace cronally;

namespace {

using State = net::RequestReader::State;

constexpr std::size_t body_max = 300;

const net::ServerOptions& options() {
  static const net::ServerOptions all = [] {
    net::ServerOptions made;
    made.header_max = 600;
    made.header_count_max = 8;
    made.url_max = 100;
    made.body_max = [](std::string_view, std::string_view) { return body_max; };
    return made;
  }();
  return all;
}

struct Seen {
  std::vector<std::string> requests;
  std::optional<State> end;  // of the last one, which is not done
  friend bool operator==(const Seen&, const Seen&) = default;
};

void check_request(net::RequestReader& reader) {
  const net::Request& request = reader.request();
  const net::HttpHeaders& headers = request.headers;
  CHECK(headers.count("content-length") + headers.count("transfer-encoding") <= 1,
        "two framings were taken");
  CHECK(headers.count("host") == 1 || !reader.http11(), "a request without one host was taken");
  CHECK(headers.size() <= options().header_count_max, "too many fields were taken");
  CHECK(request.target.size() <= options().url_max, "a target that is too long was taken");
  CHECK(request.body.size() <= body_max, "a body that is too long was taken");
  CHECK(request.path == "*" || request.path.starts_with('/'), "a target that is no path was taken");
  CHECK(request.method != "HEAD", "HEAD is a GET here");
  for (const char c : request.target) CHECK(c > ' ' && c < '\x7f', "a target with a blank");
  for (const net::HttpHeader& field : headers) {
    CHECK(!field.name.empty() && std::ranges::all_of(field.name, net::is_token_char),
          "a name that is none was taken");
    CHECK(field.value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos,
          "a value of two lines was taken");
  }
}

std::string text_of(net::RequestReader& reader) {
  const net::Request& request = reader.request();
  std::string text = request.method + " " + request.path + "?" + request.query + "\n";
  for (const net::HttpHeader& field : request.headers)
    text += field.name + ":" + field.value + "\n";
  return text + (reader.keep_alive() ? "+" : "-") + request.body;
}

// Feeds `input` in pieces of the lengths that `cuts` gives in turn; none: all at once.
Seen read_all(std::string_view input, std::string_view cuts) {
  Seen seen;
  std::string kept;
  std::size_t next_cut = 0;
  while (true) {
    net::RequestReader reader{options()};
    while (reader.state() == State::header || reader.state() == State::body) {
      kept.erase(0, reader.take(kept));
      if (reader.state() == State::done || reader.state() == State::refused) break;
      if (input.empty()) {
        seen.end = reader.state();
        return seen;
      }
      const std::size_t wanted =
          cuts.empty() ? input.size()
                       : 1 + static_cast<unsigned char>(cuts[next_cut++ % cuts.size()]) % 32;
      kept += input.substr(0, wanted);
      input.remove_prefix(std::min(wanted, input.size()));
    }
    if (reader.state() == State::refused) {
      CHECK(reader.refusal().status >= 400 && !reader.refusal().detail.empty(),
            "a refusal says why");
      seen.end = State::refused;
      return seen;
    }
    check_request(reader);
    seen.requests.push_back(text_of(reader));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 4) return 0;
  const std::string_view cuts{reinterpret_cast<const char*>(data), 4};
  const std::string_view input{reinterpret_cast<const char*>(data) + 4, size - 4};
  const Seen whole = read_all(input, {});
  CHECK(whole == read_all(input, cuts), "the pieces changed what was read");
  CHECK(whole == read_all(input, std::string_view("\0", 1)), "single bytes changed what was read");
  const net::Response response{.headers = {{"Location", std::string{input}}}, .body = "b"};
  const std::string head = net::answer_head(response, {}, Instant{});
  CHECK(std::ranges::count(head, '\n') == 5, "a header's value made a line of its own");
  return 0;
}
