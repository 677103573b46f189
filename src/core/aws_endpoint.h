// Where the services of AWS answer: names of topics, regions and endpoints. Pure.
//
// Endpoints are those of the AWS SDKs' endpoint rules: https://<service>.<region>.<suffix>, with
// "-fips" behind the service and the dual-stack suffixes where the environment asks for them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "core/target.h"

namespace cronally::core {

// The variables of the environment that concern AWS, by name; empty ones count as not set.
using AwsVariables = std::map<std::string, std::string, std::less<>>;

// The variable's value; nullptr when it is not set or empty.
const std::string* find_variable(const AwsVariables& variables, std::string_view name);

// "true" in any case.
bool is_on(const AwsVariables& variables, std::string_view name);

// The fault of a topic's ARN as a sentence, or nullopt. A topic is
// arn:<partition>:sns:<region>:<12 digits>:<1 to 256 letters, digits, - and _, then .fifo or not>.
std::optional<std::string> topic_fault(std::string_view arn);

// The fault of a region's name, or nullopt: 1 to 63 lower-case letters, digits and "-", since it
// becomes part of a host's name.
std::optional<std::string> region_fault(std::string_view region);

// Of an ARN without a fault.
std::string_view topic_region(std::string_view arn);
bool is_fifo_topic(std::string_view arn);

// The target's own region, else the topic's.
std::string region_of(const SnsTarget& target);

// "aws:sns:eu-west-1": the destination of jobs to that service and region, whatever its endpoint.
std::string aws_destination(std::string_view service, std::string_view region);

// What a signature says of a URL (without query): the Host field as HTTP clients write it, with the
// port unless it is the scheme's own, and the path, "/" at least.
struct UrlParts {
  std::string host;
  std::string path;
};
UrlParts url_parts(std::string_view url);

// How the environment of the server leads to the services.
class AwsEndpoints {
 public:
  AwsEndpoints() = default;

  // Reads AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_<SERVICE> (unless
  // AWS_IGNORE_CONFIGURED_ENDPOINT_URLS is true), AWS_USE_FIPS_ENDPOINT and
  // AWS_USE_DUALSTACK_ENDPOINT. Code "invalid_endpoint" names the variable that holds no http or
  // https URL.
  static Result<AwsEndpoints> of(const AwsVariables& variables);

  // The URL of a service ("sns", "sts"), without a slash at its end.
  std::string url(std::string_view service, std::string_view region) const;

  // (scheme, host, port) of a job's stored destination: "aws:…" becomes its endpoint's, any other
  // is itself.
  std::string origin(std::string_view destination) const;

 private:
  std::map<std::string, std::string, std::less<>> urls_;  // by service; "": of all others
  bool fips_ = false;
  bool dualstack_ = false;
};

}  // namespace cronally::core
