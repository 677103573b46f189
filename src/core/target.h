// Where a run goes: the targets of jobs, one type each, and the variant of them.
//
// A target that came out of core/manifest is valid by construction. Texts that may hold
// placeholders (core/template) say so.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/time.h"

namespace cronally::core {

// A value that is sealed: the definition holds only its id in the store's table `secret`.
struct StoredSecret {
  std::string name;
  SecretId secret;
  friend bool operator==(const StoredSecret&, const StoredSecret&) = default;
};

using SecretHeader = StoredSecret;

struct Header {
  std::string name;
  std::string value;
  friend bool operator==(const Header&, const Header&) = default;
};

// An HTTP target. URL, header values and body may hold placeholders.
struct HttpTarget {
  std::string url;  // http or https, at most 8 KiB, no user info, no fragment
  std::string method = "POST";
  std::vector<Header> headers;
  std::vector<SecretHeader> secret_headers;
  std::optional<std::string> body;  // at most 256 KiB; without one, INTERFACES' default body
  Duration timeout = std::chrono::seconds{30};  // 1 s to 900 s
  friend bool operator==(const HttpTarget&, const HttpTarget&) = default;
};

// A message attribute of SNS: a text (String), which may hold placeholders, or a whole number.
struct SnsAttribute {
  std::string name;
  std::variant<std::string, std::int64_t> value;
  friend bool operator==(const SnsAttribute&, const SnsAttribute&) = default;
};

// A long-lived access key of the job's own.
struct SnsCredentials {
  std::string access_key_id;
  SecretId secret_access_key;
  friend bool operator==(const SnsCredentials&, const SnsCredentials&) = default;
};

// A topic of Amazon SNS. Message, subject, attribute texts and group id may hold placeholders.
struct SnsTarget {
  std::string topic_arn;               // core/aws_endpoint's topic_fault() has nothing against it
  std::optional<std::string> region;   // without one, the topic's
  std::optional<std::string> message;  // 1 byte to 256 KiB; without one, INTERFACES' default body
  std::optional<std::string> subject;  // 1 to 99 characters
  std::vector<SnsAttribute> message_attributes;  // at most 5
  // 1 to 128 characters; without one, the job's id where the topic is FIFO, else none.
  std::optional<std::string> message_group_id;
  std::optional<SnsCredentials> credentials;    // without them, those of the server
  Duration timeout = std::chrono::seconds{30};  // 1 s to 900 s
  friend bool operator==(const SnsTarget&, const SnsTarget&) = default;
};

using Target = std::variant<HttpTarget, SnsTarget>;

// How the secret of SnsCredentials is called among the secrets of a target.
inline constexpr std::string_view sns_secret_name = "secret_access_key";

// The sealed values of a target, in a fixed order.
std::vector<StoredSecret> secrets_of(const Target& target);

// The bytes of the texts that can be long: URL, headers, body, message, attributes.
std::size_t text_bytes(const Target& target);

// Gives the secret of that name its id. The name is one of secrets_of().
void set_secret(Target& target, std::string_view name, SecretId id);

// The unit of the cap on concurrent requests: of an HTTP target, destination_of(url); of an SNS
// one, "aws:sns:<region>", which stands for the endpoint that the server uses for it.
std::string destination_of(const Target& target);

// (scheme, host, port) in lower case with the port written out: "https://example.com:443".
std::string destination_of(std::string_view url);

}  // namespace cronally::core
