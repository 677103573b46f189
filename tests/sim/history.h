// What happened in a world, as the checks look at it.
#pragma once

#include <optional>

#include "core/run.h"

namespace cronally::sim {

// A request whose first byte left.
struct FirstByte {
  Duration at{};           // simulated time since the start
  int node = 0;            // which one sent it
  Instant sent_wall;       // the node's clock when the machine said Send
  Instant store_wall;      // the store's when the byte left
  Duration clock_error{};  // how far sent_wall may be off, by the node's own account
  core::OpenRun run;
  Revision revision = 0;
  bool at_most_once = false;
};

struct Edit {
  Duration at{};
  JobNo job;
  ShardNo shard;
  Revision revision = 0;
  std::int64_t change = 0;
  std::optional<Duration> acked;
};

// A trouble that makes occurrences late, in a world where nothing else does.
struct Incident {
  Duration at{};
  bool graceful = false;  // a drain
};

struct Counts {
  int runs = 0;
  int first_bytes = 0;
  int crashes = 0;
  int freezes = 0;
  int cuts = 0;
  int drains = 0;
  int handovers = 0;
  int edits = 0;
  int doubts = 0;
  int skips = 0;
  int forgotten = 0;  // times that the store forgot
  int put_back = 0;   // runs of them that were put back

  Counts& operator+=(const Counts& other) {
    runs += other.runs;
    first_bytes += other.first_bytes;
    crashes += other.crashes;
    freezes += other.freezes;
    cuts += other.cuts;
    drains += other.drains;
    handovers += other.handovers;
    edits += other.edits;
    doubts += other.doubts;
    skips += other.skips;
    forgotten += other.forgotten;
    put_back += other.put_back;
    return *this;
  }
  friend bool operator==(const Counts&, const Counts&) = default;
};

}  // namespace cronally::sim
