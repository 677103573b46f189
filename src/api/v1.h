// API v1: the paths of 2015, with and without a slash at their end.
#pragma once

#include <string_view>

#include "api/call.h"

namespace cronally::api {

// Whether a path is v1's to answer: /account, /cronjob, /cronjobs, and what lies beneath them.
bool is_v1(std::string_view path);

// Answers a request to such a path; `path` is the request's without a base path. Outages are
// thrown.
net::Response answer_v1(Shared& shared, const net::Request& request, std::string_view path);

}  // namespace cronally::api
