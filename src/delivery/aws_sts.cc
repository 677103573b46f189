#include "delivery/aws_sts.h"

#include <fmt/format.h>

#include "base/percent.h"
#include "runtime/clock.h"

namespace cronally::delivery {
namespace {

constexpr Duration sts_timeout = std::chrono::seconds{5};
// A clock that was wrong, and a failure that passes.
constexpr int tries_max = 3;

core::AwsRequest request_of(const std::string& url, const std::string& body) {
  const core::UrlParts parts = core::url_parts(url + "/");
  return {.path = parts.path,
          .headers = {{"Host", parts.host},
                      {"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}},
          .body = body};
}

std::vector<std::pair<std::string, std::string>> form_of(const char* action, const AwsRole& role) {
  std::vector<std::pair<std::string, std::string>> form{{"Action", action},
                                                        {"Version", "2011-06-15"},
                                                        {"RoleArn", role.arn},
                                                        {"RoleSessionName", role.session_name}};
  if (!role.duration_seconds.empty()) form.emplace_back("DurationSeconds", role.duration_seconds);
  return form;
}

}  // namespace

Result<core::AwsSession> Sts::assume(const AwsRole& role, const core::AwsCredentials& as,
                                     const std::string& region) {
  Form form = form_of("AssumeRole", role);
  if (!role.external_id.empty()) form.emplace_back("ExternalId", role.external_id);
  return send(form, &as, region);
}

Result<core::AwsSession> Sts::assume_with_token(const AwsRole& role, const std::string& token,
                                                const std::string& region) {
  Form form = form_of("AssumeRoleWithWebIdentity", role);
  form.emplace_back("WebIdentityToken", token);
  return send(form, nullptr, region);
}

Result<core::AwsSession> Sts::send(const Form& form, const core::AwsCredentials* as,
                                   const std::string& region) {
  const std::string url = endpoints_.url("sts", region);
  const std::string body = form_encode(form);
  std::string why;
  for (int tries = 0; tries < tries_max; ++tries) {
    core::AwsRequest request = request_of(url, body);
    const Instant at = clock_.wall() + clock_offset_;
    if (as) core::sign_aws(request, *as, {region, "sts"}, at, keyring_);
    net::Call call{
        .method = "POST", .url = url + "/", .body = body, .timeout = sts_timeout, .proxies = false};
    for (core::Header& header : request.headers)
      call.headers.push_back({std::move(header.name), std::move(header.value)});
    const auto answer = call_(call);
    if (!answer) {
      why = answer.error().message;
      continue;
    }
    if (answer->status == 200) return core::read_sts_answer(answer->body);
    const core::AwsError error = core::read_aws_error(answer->body);
    why = core::aws_error_text(error, answer->status);
    const core::AwsRemedy remedy = core::aws_remedy(error, answer->status);
    const auto offset = core::aws_clock_offset(error.message, at);
    if (remedy == core::AwsRemedy::clock && offset) clock_offset_ += *offset;
    const bool helps =
        remedy == core::AwsRemedy::wait || (remedy == core::AwsRemedy::clock && offset.has_value());
    if (!helps) break;
  }
  return fail("sts_failed", fmt::format("{} of {}: {}", form[0].second, url, why));
}

}  // namespace cronally::delivery
