// Whether a request carries a right AWS Signature Version 4, judged as strictly as AWS does and
// written without the product's signer. Pure.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "net/http_server.h"

namespace cronally::support {

struct AwsKey {
  std::string secret;
  std::string token;                  // empty: a long-lived key
  std::optional<Instant> expires_at;  // nullopt: never
};

struct AwsRefusal {
  int status = 403;
  std::string code;
  std::string message;
};

struct AwsExpected {
  std::string service;
  std::string region;  // empty: any
  Instant now;
  std::function<std::optional<AwsKey>(const std::string& access_key_id)> key_of;
};

// nullopt: the signature is right. Checked, in this order: the form of Authorization and of
// X-Amz-Date; that host, x-amz-date, content-type and x-amz-security-token are signed where they
// are there, sorted and each once; the scope's day, region, service and end; the key; its token;
// the time (within 15 minutes); the signature, byte for byte; the key's end.
std::optional<AwsRefusal> check_signature(const net::Request& request, const AwsExpected& expected);

// The access key id of a request whose Authorization is well-formed; else empty.
std::string access_key_of(const net::Request& request);

}  // namespace cronally::support
