// Strong ids. Two different ids never convert into each other.
//
// FooId  a UUID: what the API, logs and receivers see.
// FooNo  an integer: the surrogate key inside the store and in memory.
#pragma once

#include <bitset>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>

#include "base/uuid.h"

namespace cronally {

template <class Tag>
struct StrongId {
  Uuid value{};
  friend auto operator<=>(const StrongId&, const StrongId&) = default;
  std::string text() const { return format_uuid(value); }
};

template <class Tag>
struct StrongNo {
  std::int64_t value = 0;
  friend auto operator<=>(const StrongNo&, const StrongNo&) = default;
};

using AccountId = StrongId<struct AccountTag>;
using JobId = StrongId<struct JobTag>;
using RunId = StrongId<struct RunTag>;
using TokenId = StrongId<struct TokenTag>;
using SecretId = StrongId<struct SecretTag>;
using ApiKey = StrongId<struct ApiKeyTag>;  // of an account; its api secret signs requests
using NodeId = StrongId<struct NodeTag>;

using AccountNo = StrongNo<struct AccountTag>;
using JobNo = StrongNo<struct JobTag>;
using RunNo = StrongNo<struct RunTag>;

// A fencing token: strictly increasing database-wide, below 2^53 so that JSON carries it.
using Fence = StrongNo<struct FenceTag>;

// A fixed part of all jobs: hash of the job's id modulo shard_count, fixed at creation.
using ShardNo = StrongNo<struct ShardTag>;
inline constexpr int shard_count = 64;

// Some of the shards, by number.
using ShardSet = std::bitset<shard_count>;
inline ShardSet all_shards() { return ShardSet{}.set(); }

// The number of a job's definition, from 1, raised by every change. Append-only.
using Revision = std::int32_t;

// The shard of a job: the first 8 bytes of SHA-256 of its id, big-endian, modulo shard_count.
ShardNo shard_of(const JobId& job);

}  // namespace cronally

template <class Tag>
struct std::hash<cronally::StrongNo<Tag>> {
  std::size_t operator()(const cronally::StrongNo<Tag>& no) const noexcept {
    return std::hash<std::int64_t>{}(no.value);
  }
};
template <class Tag>
struct std::hash<cronally::StrongId<Tag>> {
  std::size_t operator()(const cronally::StrongId<Tag>& id) const noexcept {
    std::size_t mixed = 0;
    for (auto byte : id.value.bytes) mixed = mixed * 131 + byte;
    return mixed;
  }
};
