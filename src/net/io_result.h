// What one call on a socket that does not block came to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace cronally::net {

enum class Io : std::uint8_t {
  ok,      // `count` bytes, at least one
  wait,    // nothing now; again when the socket is ready
  end,     // the peer sends no more
  failed,  // `error` says why, in one line
};

struct IoResult {
  Io io = Io::wait;
  std::size_t count = 0;
  std::string error{};
};

}  // namespace cronally::net
