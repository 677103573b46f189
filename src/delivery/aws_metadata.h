// Credentials that the surroundings of a server give: the endpoint of a container, and the
// metadata service of an instance. Each call blocks, up to a bound.
//
// Sources: AWS SDKs and Tools Reference Guide, "Container credential provider" and "IMDS credential
// provider"; Amazon EC2 User Guide, "Use IMDS".
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "core/aws_answer.h"
#include "core/aws_endpoint.h"
#include "delivery/aws_sts.h"

namespace cronally::delivery {

// AWS_CONTAINER_CREDENTIALS_RELATIVE_URI at 169.254.170.2, or _FULL_URI, with what
// AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE or _TOKEN holds. A plain http URI is asked only on
// loopback and at the addresses of ECS and EKS. Codes: "not_configured"; "container_failed".
Result<core::AwsSession> container_credentials(const core::AwsVariables& variables,
                                               const HttpCall& call);

// IMDSv2, with version 1 behind it unless AWS_EC2_METADATA_V1_DISABLED. One thread at a time; it
// keeps the token between calls.
class InstanceMetadata {
 public:
  InstanceMetadata(const core::AwsVariables& variables, const HttpCall& call);

  // Codes: "not_configured" where AWS_EC2_METADATA_DISABLED; "instance_failed".
  Result<core::AwsSession> credentials();

 private:
  Result<void> renew_token();
  Result<net::CallAnswer> get(const std::string& path);
  Result<net::CallAnswer> get_once(const std::string& path);

  const HttpCall& call_;
  std::string endpoint_;  // without a slash at its end
  bool disabled_ = false;
  bool v1_allowed_ = true;
  std::string token_;  // empty: none, version 1
  bool token_asked_ = false;
};

}  // namespace cronally::delivery
