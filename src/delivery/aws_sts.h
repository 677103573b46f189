// AWS Security Token Service: from one identity to a role's credentials. Each call blocks, up to a
// bound, and is made on the thread that refreshes credentials.
//
// Source: AWS Security Token Service API Reference, AssumeRole and AssumeRoleWithWebIdentity.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "core/aws_answer.h"
#include "core/aws_endpoint.h"
#include "core/aws_signature.h"
#include "net/http_call.h"

namespace cronally::runtime {
class Clock;
}

namespace cronally::delivery {

// One HTTP exchange that blocks: net::call, or a test's.
using HttpCall = std::function<Result<net::CallAnswer>(const net::Call&)>;

struct AwsRole {
  std::string arn;
  std::string session_name = "cronally";  // shown in CloudTrail
  std::string external_id{};              // empty: none
  std::string duration_seconds{};         // empty: the role's default, an hour
};

// One thread at a time. All that it is given outlives it.
class Sts {
 public:
  Sts(const core::AwsEndpoints& endpoints, const HttpCall& call, const runtime::Clock& clock)
      : endpoints_(endpoints), call_(call), clock_(clock) {}

  // Signed with `as`. Error "sts_failed" with AWS's code and message, or why there was no answer.
  // A clock that AWS finds wrong is corrected by its own, once.
  Result<core::AwsSession> assume(const AwsRole& role, const core::AwsCredentials& as,
                                  const std::string& region);

  // With a token instead of a signature.
  Result<core::AwsSession> assume_with_token(const AwsRole& role, const std::string& token,
                                             const std::string& region);

 private:
  using Form = std::vector<std::pair<std::string, std::string>>;

  Result<core::AwsSession> send(const Form& form, const core::AwsCredentials* as,
                                const std::string& region);

  const core::AwsEndpoints& endpoints_;
  const HttpCall& call_;
  const runtime::Clock& clock_;
  core::AwsKeyring keyring_;
  Duration clock_offset_{};  // what AWS's clock shows more than ours
};

}  // namespace cronally::delivery
