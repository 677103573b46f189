// AWS Signature Version 4: how AWS knows who sent a request. Pure; the time comes in as a value.
//
// Source: "AWS Signature Version 4 for API requests", docs.aws.amazon.com/IAM/latest/UserGuide/
// reference_sigv.html. Written for every service but S3, which encodes its paths once only.
// tests/golden/aws_signatures.json holds what botocore signs.
//
//   canonical request  method, path, query, headers and the body's SHA-256, each in one fixed form
//   string to sign     AWS4-HMAC-SHA256, the time, the scope, SHA-256 of the canonical request
//   signing key        HMACs over day, region, service and "aws4_request", from the secret key
//   Authorization      AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=hex of the HMAC
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/secret.h"
#include "base/time.h"
#include "core/target.h"

namespace cronally::core {

struct AwsCredentials {
  std::string access_key_id;
  SecretText secret_access_key;
  SecretText session_token;  // empty: long-lived credentials have none
};

struct AwsRequest {
  std::string method = "POST";
  std::string path = "/";  // as it stands in the request line, without the query
  std::vector<std::pair<std::string, std::string>> query;  // not encoded
  std::vector<Header> headers;  // all are signed; Host must be among them
  std::string_view body;
};

// Where a signature holds, besides its day.
struct AwsScope {
  std::string region;
  std::string service;
};

// "20260831T235959Z".
std::string aws_timestamp(Instant at);

// The steps, for tests and for who wants to see what was signed. `timestamp` is aws_timestamp's.
std::string aws_canonical_request(const AwsRequest& request);
std::string aws_string_to_sign(std::string_view canonical_request, std::string_view timestamp,
                               const AwsScope& scope);

// The keys of the day, derived once for each secret, region and service. One thread at a time.
class AwsKeyring {
 public:
  // `day` is "20260831". Valid until the next call.
  std::string_view key_of(const AwsCredentials& credentials, std::string_view day,
                          const AwsScope& scope);

 private:
  struct Key {
    SecretText secret_access_key;
    std::string day;
    SecretText key;
  };
  // Some are of days gone by; beyond so many, all go.
  static constexpr std::size_t keys_max = 1'000;
  std::map<std::string, Key, std::less<>> keys_;  // by access key id, region and service
};

// Adds X-Amz-Date, X-Amz-Security-Token (where there is one) and, last, Authorization.
void sign_aws(AwsRequest& request, const AwsCredentials& credentials, const AwsScope& scope,
              Instant at, AwsKeyring& keyring);

}  // namespace cronally::core
