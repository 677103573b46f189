// The files that AWS's tools share: ~/.aws/config and ~/.aws/credentials. Pure; any bytes may come
// in. Source: AWS SDKs and Tools Reference Guide, "Shared config and credentials files".
//
//   [profile build]                     in config; in credentials it is [build]
//   role_arn = arn:aws:iam::123456789012:role/build
//   source_profile = default            # a remark begins with # or ; at the line's start or
//   s3 =                                # behind a blank
//     max_concurrent_requests = 20      a deeper line belongs to the one before, and is left out
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cronally::core {

// Settings by name (in lower case).
using AwsProfile = std::map<std::string, std::string, std::less<>>;
using AwsProfiles = std::map<std::string, AwsProfile, std::less<>>;

enum class AwsFile : bool { config, credentials };

// Reads a file. Of config only [default] and [profile NAME] are profiles; other sections are left
// out. A section that stands there twice is one; of a setting twice the later holds. Code
// "invalid_config" names the line, never what stands in it.
Result<AwsProfiles> read_aws_file(std::string_view text, AwsFile kind);

// Both files as one: where both have a setting of a profile, `credentials` holds.
AwsProfiles merge_aws_files(AwsProfiles config, const AwsProfiles& credentials);

}  // namespace cronally::core
