// What AWS answers, read and judged: errors of the query protocol (XML), what STS and the
// credential endpoints give, and whether another try may help. Pure; any bytes may come in.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "core/aws_signature.h"

namespace cronally::core {

// The text of the first element that stands at the end of `path`, from the outermost element
// named to the innermost: {"Error", "Code"} finds <…><Error><Code>text</Code>. Namespaces,
// comments, CDATA, character references and the five named entities are understood; a document
// type or anything else beyond that ends the search. Bytes that are not XML: nullopt.
std::optional<std::string> xml_text(std::string_view xml,
                                    std::initializer_list<std::string_view> path);

struct AwsError {
  std::string code;     // "InvalidParameter"; empty when the answer names none
  std::string message;  // one line
};

// <ErrorResponse><Error><Code>, as SNS and STS answer a failure; what is no such document gives
// an empty error.
AwsError read_aws_error(std::string_view xml);

// "InvalidParameter: the message", or "HTTP 502" where AWS named no code.
std::string aws_error_text(const AwsError& error, int status);

// What may help after a failure. The rules are those of the SDKs' standard retry mode: AWS SDKs
// and Tools Reference Guide, "Retry behavior".
enum class AwsRemedy : std::uint8_t {
  wait,         // throttling, 5xx, 408 and 429: again, later
  credentials,  // the credentials have expired or are not known any more: again with new ones
  clock,        // our time is too far from theirs: again with theirs
  none,         // it would be refused each time
};

AwsRemedy aws_remedy(const AwsError& error, int status);

// What AWS's clock says more than ours, from the message of a refused signature, in which AWS
// states its own time: "Signature expired: 20260831T120000Z is now earlier than 20260831T122500Z
// (20260831T124000Z - 15 min.)". `sent` is the time that was signed.
std::optional<Duration> aws_clock_offset(std::string_view message, Instant sent);

// Credentials with an end.
struct AwsSession {
  AwsCredentials credentials;
  std::optional<Instant> expires_at;  // nullopt: they do not end
};

// <Credentials> of AssumeRole and AssumeRoleWithWebIdentity. Code "invalid_answer".
Result<AwsSession> read_sts_answer(std::string_view xml);

// {"AccessKeyId", "SecretAccessKey", "Token", "Expiration"} of the container endpoint and of
// IMDS. Code "invalid_answer"; an answer whose "Code" is not "Success" gives its own message.
Result<AwsSession> read_endpoint_answer(std::string_view json);

}  // namespace cronally::core
