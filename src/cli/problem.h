// Why a command did not do what was asked: one sentence, the places of the faults, what to do
// next, and the exit code that goes with it.
#pragma once

#include <expected>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "cli/exit_code.h"
#include "net/http_call.h"

namespace cronally::cli {

struct Problem {
  ExitCode exit = ExitCode::failure;
  std::string code;
  std::string message;
  std::vector<FieldError> fields{};
  std::string advice{};
};

template <class T>
using Outcome = std::expected<T, Problem>;

// A fault of the command line itself; exit code usage.
[[nodiscard]] std::unexpected<Problem> usage(std::string message, std::string advice = {});
[[nodiscard]] std::unexpected<Problem> usage(Error error);

// An error of an exchange with the server: "server_unreachable" is unreachable, else failure.
Problem problem_of_call(const Error& error);

// What an answer that is not 2xx says: an RFC 9457 problem document, or at least its status.
Problem problem_of_answer(const net::CallAnswer& answer);

// As it goes to stderr, with the line's end:
//   cronally: the job cannot be created
//     /schedule: column 3: found '61', allowed are 0-59
//   Next: correct the fields above.
std::string text_of(const Problem& problem);

}  // namespace cronally::cli
