// The places where a server finds its credentials for AWS, asked in the order of AWS's own tools:
//
//   1. the environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN (not with
//      AWS_PROFILE, which names another wish)
//   2. the shared files: ~/.aws/credentials and ~/.aws/config or those that
//      AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE name; AWS_PROFILE or `default`; keys, or a
//      role (role_arn with source_profile, credential_source or web_identity_token_file)
//   3. a web identity: AWS_WEB_IDENTITY_TOKEN_FILE with AWS_ROLE_ARN
//   4. the endpoint of a container (ECS, EKS)
//   5. the metadata service of an instance (EC2)
//
// A place that is not set up is passed over; one that is and fails ends the search, so that a
// mistake leads to no other identity. Files are read anew each time.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/aws_answer.h"
#include "core/aws_config.h"
#include "core/aws_endpoint.h"
#include "delivery/aws_metadata.h"
#include "delivery/aws_sts.h"
#include "net/http_call.h"

namespace cronally::delivery {

// What of this process's environment AWS's tools heed: AWS_… and HOME.
core::AwsVariables aws_variables();

struct AwsSourcesParts {
  core::AwsVariables variables;
  core::AwsEndpoints endpoints;
  const runtime::Clock& clock;
  HttpCall call = net::call;
};

struct FetchedCredentials {
  core::AwsSession session;
  std::string source;  // "environment", "profile build", "web identity", "container", "instance"
};

// One thread at a time.
class AwsSources {
 public:
  explicit AwsSources(AwsSourcesParts parts);
  AwsSources(const AwsSources&) = delete;
  AwsSources& operator=(const AwsSources&) = delete;

  // Blocks, for seconds where something does not answer. Code "no_credentials": the message names
  // each place that was asked, and why it gave none.
  Result<FetchedCredentials> fetch();

 private:
  using Found = Result<core::AwsSession>;

  Found from_environment() const;
  Found keys_of_environment() const;
  Found from_files();
  Found from_web_identity();
  Found from_profile(const core::AwsProfiles& profiles, const std::string& name,
                     std::vector<std::string>& above);
  Found from_role(const core::AwsProfiles& profiles, const std::string& name,
                  std::vector<std::string>& above);
  Found from_credential_source(const std::string& source);
  Found with_token_file(const AwsRole& role, const std::string& file, const std::string& region);

  Result<core::AwsProfiles> read_profiles() const;
  std::string path_of(std::string_view variable, std::string_view file) const;
  std::string profile_name() const;
  std::string region(const core::AwsProfile* profile) const;

  const AwsSourcesParts parts_;
  Sts sts_;
  InstanceMetadata instance_;
};

}  // namespace cronally::delivery
