// A zone as planning needs it: its clock changes from 1968 to 2201 as one sorted table.
//
// A stretch is the time between two changes, in which local time = instant + offset. Between two
// stretches local time has a gap or an overlap; lookup() tells which, as cctz does, but from a
// table that stays in the cache: two shifts and a step instead of two binary searches. Next
// instants are asked for by the million.
//
// Worked example, Europe/Riga: 2021-03-28T01:00:00Z begins a stretch of +03:00 after one of +02:00;
// the local times from 03:00 up to 04:00 are the gap.
#pragma once

#include <cctz/time_zone.h>

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace cronally::cron {

class ZoneTable;

// A handle of the size of a pointer, cheap to copy; any thread may use it. Tables are made from
// what cctz says, once for each of its zones, and kept for the life of the process, as cctz keeps
// the zones themselves.
class Zone {
 public:
  Zone(const cctz::time_zone& zone);  // NOLINT: a zone is a zone

  const cctz::time_zone& source() const;
  bool fixed() const;  // one stretch, always

  // The number of the stretch that holds an instant, counted from the earliest; and what is known
  // of it. Instants beyond the table belong to the first and last stretch.
  std::size_t stretch_at(std::chrono::sys_seconds at) const;
  std::chrono::seconds offset(std::size_t stretch) const;
  std::chrono::sys_seconds begin(std::size_t stretch) const;  // sys_seconds::min(): of the first
  std::chrono::sys_seconds end(std::size_t stretch) const;    // sys_seconds::max(): of the last

  enum class Kind : std::uint8_t { unique, skipped, repeated };

  // What a local time is: an instant, one of two, or removed.
  struct Lookup {
    Kind kind;
    std::chrono::sys_seconds at;       // the first pass; where skipped: the gap's end
    std::chrono::local_seconds begin;  // of the gap or overlap: its first local time
    std::chrono::local_seconds end;    // and the first one after it
  };
  // For local times of the table's years. `near` is a guess at the stretch, such as the one the
  // search began in.
  Lookup lookup(std::chrono::local_seconds local, std::size_t near) const;
  Lookup lookup(std::chrono::local_seconds local) const;

 private:
  const ZoneTable* table_;
};

}  // namespace cronally::cron
