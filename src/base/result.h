// Result<T>: a value or an Error. Functions that return one are [[nodiscard]] through the type.
#pragma once

#include <expected>
#include <utility>

#include "base/error.h"

namespace cronally {

template <class T>
using Result = std::expected<T, Error>;

// Makes the error side: `return fail("invalid_zone", "no zone named Europe/Rigga");`
[[nodiscard]] inline std::unexpected<Error> fail(std::string code, std::string message) {
  return std::unexpected(Error{std::move(code), std::move(message)});
}
[[nodiscard]] inline std::unexpected<Error> fail(Error error) {
  return std::unexpected(std::move(error));
}

}  // namespace cronally
