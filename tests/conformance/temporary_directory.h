// A directory of a test's own, removed with all it holds at the end.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <string>

#include "base/check.h"

namespace cronally::conformance {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string made = std::filesystem::temp_directory_path() / "cronally-store-XXXXXX";
    CHECK(::mkdtemp(made.data()), "the temporary directory takes no new folder");
    path_ = made;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace cronally::conformance
