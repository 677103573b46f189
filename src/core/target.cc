#include "core/target.h"

#include <algorithm>

#include "base/check.h"
#include "core/aws_endpoint.h"

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

std::string destination_of(const Target& target) {
  if (const auto* http = std::get_if<HttpTarget>(&target)) return destination_of(http->url);
  return aws_destination("sns", region_of(std::get<SnsTarget>(target)));
}

std::vector<StoredSecret> secrets_of(const Target& target) {
  if (const auto* http = std::get_if<HttpTarget>(&target)) return http->secret_headers;
  const auto& credentials = std::get<SnsTarget>(target).credentials;
  if (!credentials) return {};
  return {{std::string(sns_secret_name), credentials->secret_access_key}};
}

std::size_t text_bytes(const Target& target) {
  std::size_t bytes = 0;
  if (const auto* http = std::get_if<HttpTarget>(&target)) {
    bytes += http->url.size() + (http->body ? http->body->size() : 0);
    for (const Header& header : http->headers) bytes += header.name.size() + header.value.size();
    return bytes;
  }
  const auto& sns = std::get<SnsTarget>(target);
  bytes += sns.topic_arn.size() + (sns.message ? sns.message->size() : 0);
  for (const SnsAttribute& attribute : sns.message_attributes) {
    const auto* text = std::get_if<std::string>(&attribute.value);
    bytes += attribute.name.size() + (text ? text->size() : 0);
  }
  return bytes;
}

void set_secret(Target& target, std::string_view name, SecretId id) {
  if (auto* http = std::get_if<HttpTarget>(&target)) {
    const auto header = std::ranges::find(http->secret_headers, name, &SecretHeader::name);
    CHECK(header != http->secret_headers.end(), "the target has no secret header of this name");
    header->secret = id;
    return;
  }
  auto& credentials = std::get<SnsTarget>(target).credentials;
  CHECK(credentials && name == sns_secret_name, "the target has no secret of this name");
  credentials->secret_access_key = id;
}

}  // namespace cronally::core
