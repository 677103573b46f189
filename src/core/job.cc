#include "core/job.h"

namespace cronally::core {

namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return out;
}

}  // namespace

// By hand, since a URL may still hold placeholders, which no URL parser accepts; manifest has
// checked the rest.
std::string destination_of(std::string_view url) {
  auto mark = url.find("://");
  std::string scheme = lower(url.substr(0, mark));
  std::string_view rest = mark == std::string_view::npos ? "" : url.substr(mark + 3);
  std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
  auto colon = authority.rfind(':');
  bool has_port =
      colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos;
  std::string host = lower(has_port ? authority.substr(0, colon) : authority);
  std::string port(has_port ? authority.substr(colon + 1) : "");
  if (port.empty()) port = scheme == "https" ? "443" : "80";
  return scheme + "://" + host + ":" + port;
}

}  // namespace cronally::core
