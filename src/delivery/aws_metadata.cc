#include "delivery/aws_metadata.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/manifest.h"
#include "runtime/files.h"

namespace cronally::delivery {
namespace {

constexpr int tries_max = 3;
constexpr Duration container_timeout = std::chrono::seconds{2};
// Answers of the metadata service end after one hop: inside a container there may be none.
constexpr Duration instance_timeout = std::chrono::seconds{1};
constexpr std::size_t token_file_max = 64 * 1024;
constexpr std::string_view role_path = "/latest/meta-data/iam/security-credentials/";

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' '))
    text.pop_back();
  return text;
}

bool is_loopback(const std::string& host) {
  in_addr v4{};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  return host == "localhost" || host == "[::1]";
}

bool plain_allowed(const std::string& host) {
  constexpr std::array<std::string_view, 3> aws{"169.254.170.2", "169.254.170.23",
                                                "[fd00:ec2::23]"};
  return is_loopback(host) || std::ranges::find(aws, host) != aws.end();
}

Result<std::string> container_url(const core::AwsVariables& variables) {
  if (const auto* path = core::find_variable(variables, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"))
    return "http://169.254.170.2" + *path;
  const auto* url = core::find_variable(variables, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
  if (!url) return fail("not_configured", "AWS_CONTAINER_CREDENTIALS_… is not set");
  if (const auto fault = core::url_fault(*url))
    return fail("container_failed", "AWS_CONTAINER_CREDENTIALS_FULL_URI " + *fault);
  std::string host = core::url_parts(*url).host;
  if (const std::size_t colon = host.rfind(':');
      colon != std::string::npos && host.find(']', colon) == std::string::npos)
    host.resize(colon);
  if (url->starts_with("http:") && !plain_allowed(host))
    return fail("container_failed",
                "AWS_CONTAINER_CREDENTIALS_FULL_URI leads elsewhere than to this host and is not "
                "https");
  return *url;
}

// The file may be renewed at any time, so it is read each time.
Result<std::string> container_authorization(const core::AwsVariables& variables) {
  if (const auto* path = core::find_variable(variables, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")) {
    auto token = runtime::read_file(*path, token_file_max);
    if (!token) return fail("container_failed", token.error().message);
    return trimmed(std::move(*token));
  }
  const auto* token = core::find_variable(variables, "AWS_CONTAINER_AUTHORIZATION_TOKEN");
  return token ? *token : std::string();
}

// The answer of the first try that got one below 500.
Result<net::CallAnswer> try_call(const HttpCall& call, const net::Call& request) {
  Result<net::CallAnswer> answer = fail("no_answer", "");
  for (int tries = 0; tries < tries_max; ++tries) {
    answer = call(request);
    if (answer && answer->status < 500) break;
  }
  return answer;
}

std::string why(const Result<net::CallAnswer>& answer) {
  return answer ? fmt::format("HTTP {}", answer->status) : answer.error().message;
}

}  // namespace

Result<core::AwsSession> container_credentials(const core::AwsVariables& variables,
                                               const HttpCall& call) {
  const auto url = container_url(variables);
  if (!url) return fail(url.error());
  const auto authorization = container_authorization(variables);
  if (!authorization) return fail(authorization.error());
  net::Call request{.url = *url, .timeout = container_timeout, .proxies = false};
  if (!authorization->empty()) request.headers.push_back({"Authorization", *authorization});
  const auto answer = try_call(call, request);
  if (!answer || answer->status != 200)
    return fail("container_failed", fmt::format("{} gives no credentials: {}", *url, why(answer)));
  auto session = core::read_endpoint_answer(answer->body);
  if (!session) return fail("container_failed", *url + ": " + session.error().message);
  return session;
}

InstanceMetadata::InstanceMetadata(const core::AwsVariables& variables, const HttpCall& call)
    : call_(call),
      disabled_(core::is_on(variables, "AWS_EC2_METADATA_DISABLED")),
      v1_allowed_(!core::is_on(variables, "AWS_EC2_METADATA_V1_DISABLED")) {
  const auto* endpoint = core::find_variable(variables, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
  const auto* mode = core::find_variable(variables, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
  const bool v6 = mode && (*mode == "IPv6" || *mode == "ipv6");
  endpoint_ = endpoint ? *endpoint : v6 ? "http://[fd00:ec2::254]" : "http://169.254.169.254";
  while (endpoint_.ends_with('/')) endpoint_.pop_back();
}

// A refusal, or no answer at all, leads to version 1, where that is allowed.
Result<void> InstanceMetadata::renew_token() {
  token_.clear();
  const net::Call request{.method = "PUT",
                          .url = endpoint_ + "/latest/api/token",
                          .headers = {{"X-aws-ec2-metadata-token-ttl-seconds", "21600"}},
                          .timeout = instance_timeout,
                          .proxies = false};
  const auto answer = try_call(call_, request);
  token_asked_ = true;
  if (answer && answer->status == 200 && !answer->body.empty()) {
    token_ = trimmed(answer->body);
    return {};
  }
  const bool old =
      !answer || answer->status == 403 || answer->status == 404 || answer->status == 405;
  if (old && v1_allowed_) return {};
  token_asked_ = false;
  return fail("instance_failed", fmt::format("{} gives no token: {}", request.url, why(answer)));
}

Result<net::CallAnswer> InstanceMetadata::get_once(const std::string& path) {
  net::Call request{.url = endpoint_ + path, .timeout = instance_timeout, .proxies = false};
  if (token_.empty()) return call_(request);  // after a token in vain: one try
  request.headers.push_back({"X-aws-ec2-metadata-token", token_});
  return try_call(call_, request);
}

Result<net::CallAnswer> InstanceMetadata::get(const std::string& path) {
  if (!token_asked_)
    if (auto renewed = renew_token(); !renewed) return fail(renewed.error());
  auto answer = get_once(path);
  if (answer && answer->status == 401) {  // the token has expired
    if (auto renewed = renew_token(); !renewed) return fail(renewed.error());
    answer = get_once(path);
  }
  if (!answer || answer->status != 200) {
    token_asked_ = !token_.empty();  // version 2 is looked for anew
    return fail("instance_failed", fmt::format("{}{}: {}", endpoint_, path, why(answer)));
  }
  return answer;
}

Result<core::AwsSession> InstanceMetadata::credentials() {
  if (disabled_) return fail("not_configured", "AWS_EC2_METADATA_DISABLED is true");
  const auto roles = get(std::string(role_path));
  if (!roles) return fail(roles.error());
  const std::string role = trimmed(roles->body.substr(0, roles->body.find('\n')));
  if (role.empty()) return fail("instance_failed", "the instance has no role");
  const auto answer = get(std::string(role_path) + role);
  if (!answer) return fail(answer.error());
  auto session = core::read_endpoint_answer(answer->body);
  if (!session) return fail("instance_failed", session.error().message);
  return session;
}

}  // namespace cronally::delivery
