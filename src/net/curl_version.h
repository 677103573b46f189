// Which libcurl runs in this process; for `version` and bug reports.
#pragma once

#include <string>

namespace cronally::net {

// "7.88.1 OpenSSL/3.0.15": libcurl's version and its TLS library (curl_version_info(3)).
std::string curl_version();

}  // namespace cronally::net
