// A bar on a terminal for work that takes a while; elsewhere it says nothing.
#pragma once

#include <cstddef>
#include <ostream>
#include <string>

namespace cronally::cli {

// "writing [#####...............]  2500/10000" over and over on one line, which is wiped at the
// end.
class Progress {
 public:
  // `shown`: whether `out` is a terminal. Nothing is drawn where `total` is 1 or less.
  Progress(std::ostream& out, bool shown, std::string label, std::size_t total);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();

  // So many of the total are done.
  void show(std::size_t done);

 private:
  std::ostream& out_;
  const bool shown_;
  const std::string label_;
  const std::size_t total_;
};

}  // namespace cronally::cli
