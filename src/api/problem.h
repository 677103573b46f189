// Errors as answers: RFC 9457 problems with a stable `code`, the faulty fields by JSON pointer,
// and what to do next in `detail`.
#pragma once

#include <span>
#include <string_view>

#include "base/error.h"
#include "net/http_server.h"

namespace cronally::api {

struct ProblemCode {
  std::string_view code;
  int status;
};

// Every code that an answer of the API may carry; openapi.json lists the same.
std::span<const ProblemCode> problem_codes();

// 500 for a code that is not one of them.
int status_of(std::string_view code);

// The answer of an error. A code that is not one of problem_codes() is a bug: 500, and a log line.
net::Response problem_of(const Error& error);

}  // namespace cronally::api
