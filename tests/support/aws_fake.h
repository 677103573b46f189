// A stand-in for AWS, as strict as AWS: SNS Publish with verified signatures and checked fields,
// STS, the credential endpoint of containers, and the metadata service of instances, all on one
// port.
//
// The name of a topic chooses what becomes of its messages: `missing`, `forbidden`, `throttled`,
// `broken` (500), `slow` (after --delay), `garbage` (a 200 that is no answer of SNS), each with
// .fifo or anything after a '-' behind it; any other name takes them.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "aws_check.h"
#include "base/time.h"
#include "net/http_server.h"
#include "runtime/clock.h"

namespace cronally::support {

enum class Imds : std::uint8_t { v2, v1, off };

struct AwsFakeOptions {
  std::string log_file;                                // appended to; empty: none
  std::string access_key_id = "AKIAIOSFODNN7EXAMPLE";  // a long-lived key that is known
  std::string secret_access_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
  int throttle_every = 0;  // of the publishes, each n-th; 0: none
  int fail_every = 0;      // 500
  int slow_every = 0;      // answered after `delay`
  Duration delay = std::chrono::seconds{2};
  Duration lifetime = std::chrono::hours{1};  // of credentials that are given
  Duration early_end{};                       // they are refused so long before their end
  Duration clock_ahead{};                     // of this stand-in's clock
  std::string container_token;                // what Authorization must hold
  std::string web_identity_token = "web-identity-token";
  std::string external_id;  // what AssumeRole must give
  Imds imds = Imds::v2;
};

// Thread-safe.
class AwsFake {
 public:
  AwsFake(AwsFakeOptions options, const runtime::Clock& clock);
  ~AwsFake();

  net::Reply handle(const net::Request& request);

 private:
  using Form = std::map<std::string, std::string>;
  struct Issued {
    std::string id, secret, token;
    Instant expires_at;
  };

  net::Response publish(const net::Request& request, const Form& form);
  std::optional<AwsRefusal> injected(const std::string& topic);
  net::Response assume(const net::Request& request, const Form& form);
  net::Response container(const net::Request& request);
  net::Response metadata(const net::Request& request);

  Issued issue();
  std::optional<AwsKey> key_of(const std::string& id);
  std::optional<AwsRefusal> judge(const net::Request& request, std::string service,
                                  std::string region);
  Instant now() const { return clock_.wall() + options_.clock_ahead; }
  std::string message_id(const Form& form, bool& repeated);
  void log(const net::Request& request, const Form& form, const net::Response& response,
           bool repeated);

  const AwsFakeOptions options_;
  const runtime::Clock& clock_;
  std::mutex mutex_;
  int log_fd_ = -1;
  std::uint64_t publishes_ = 0;
  std::uint64_t issued_count_ = 0;
  std::uint64_t message_count_ = 0;
  std::map<std::string, Issued> issued_;
  std::set<std::string> metadata_tokens_;
  std::map<std::pair<std::string, std::string>, std::string> deduplicated_;  // topic, id -> message
};

}  // namespace cronally::support
