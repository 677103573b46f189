// Time zones by their IANA names, from the machine's tzdata (tzfile(5)).
//
// cctz caches what it loads for the life of the process, failures included. The loader therefore
// asks cctz under a private name that carries directory, tzdata version and the file's identity,
// so that an updated tzdata is seen at the next load(); and it asks only for files that exist. Use
// zone_name() to get the plain name back. The host's own zone is never used. Any thread.
#pragma once

#include <cctz/time_zone.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace cronally::runtime {

class ZoneLoader {
 public:
  // From $TZDIR, or /usr/share/zoneinfo.
  ZoneLoader();
  explicit ZoneLoader(std::filesystem::path directory);

  // The zone of a name such as "Europe/Riga"; letters count in their case. "UTC" needs no tzdata.
  // Codes: "invalid_zone" (no such zone; the message has a near match) and "tzdata_unreadable"
  // (the directory is missing or the zone's file is damaged: an operator's matter, not the
  // user's). Refused besides unknown names: absolute and relative paths, "localtime",
  // "posixrules", "Factory", and the trees "right/" (counts leap seconds) and "posix/".
  // A zone that was loaded before costs one stat(2).
  Result<cctz::time_zone> load(std::string_view name);

  // "2026f", from the first line of tzdata.zi, read anew at each call; "unknown" without one.
  std::string tzdata_version() const;

  // Grows when the file of a zone that was loaded is found replaced or gone: what was made of
  // zones is then to be made anew. Looks: one stat(2) for each loaded zone.
  std::uint64_t replaced();

  // All names that load() accepts, sorted. Walks the directory once per tzdata version.
  std::vector<std::string> names() const;

 private:
  struct Loaded {
    std::string file;  // which file it was made of
    cctz::time_zone zone;
  };

  Result<cctz::time_zone> load_file(std::string_view name, const std::string& identity) const;
  Error unknown_zone(std::string_view name) const;

  std::filesystem::path directory_;
  mutable std::mutex mutex_;
  std::map<std::string, Loaded, std::less<>> loaded_;
  std::uint64_t replaced_ = 0;
  mutable std::string names_version_;
  mutable std::vector<std::string> names_;
};

// The plain IANA name of a zone that a ZoneLoader made; for other zones cctz's own name.
std::string zone_name(const cctz::time_zone& zone);

}  // namespace cronally::runtime
