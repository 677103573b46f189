// Random bits that nobody can predict (libsodium: getrandom(2)). Any thread.
//
// Pure code takes random numbers as values; this is where the shell gets them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/uuid.h"

namespace cronally::runtime {

std::uint64_t random_u64();

// From [0, 1): for jitter.
double random_unit();

std::string random_bytes(std::size_t count);

Uuid random_uuid_v4();
Uuid random_uuid_v7(Instant at);  // at: from 1970 on

// Makes libsodium ready; idempotent. Everything in runtime that uses libsodium calls it itself.
void require_sodium();

}  // namespace cronally::runtime
