// A file of allocated and unused space beside the database: what a full disk has left for outcomes
// and pruning (DESIGN P12). Not thread-safe.
#pragma once

#include <cstdint>
#include <filesystem>

namespace cronally::store::sqlite {

inline constexpr std::int64_t ballast_bytes = 32 << 20;

class Ballast {
 public:
  explicit Ballast(std::filesystem::path file, std::int64_t bytes = ballast_bytes)
      : file_(std::move(file)), bytes_(bytes) {}

  // Whether the ballast is on the disk, whole. Makes it (0600) where it is not, if that leaves
  // `spare` bytes free; a part of it is never left behind.
  bool fill(std::int64_t spare = 0);

  // Gives its space back to the disk. Does nothing when there is none.
  void release();

 private:
  bool whole() const;

  std::filesystem::path file_;
  std::int64_t bytes_;
};

}  // namespace cronally::store::sqlite
