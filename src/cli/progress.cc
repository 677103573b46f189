#include "cli/progress.h"

#include <algorithm>
#include <utility>

namespace cronally::cli {
namespace {

constexpr std::size_t width = 20;

}  // namespace

Progress::Progress(std::ostream& out, bool shown, std::string label, std::size_t total)
    : out_(out), shown_(shown && total > 1), label_(std::move(label)), total_(total) {
  show(0);
}

Progress::~Progress() {
  if (shown_) out_ << "\r\x1b[K" << std::flush;
}

void Progress::show(std::size_t done) {
  if (!shown_) return;
  const std::size_t filled = width * std::min(done, total_) / total_;
  out_ << "\r" << label_ << " [" << std::string(filled, '#') << std::string(width - filled, '.')
       << "] " << done << "/" << total_ << std::flush;
}

}  // namespace cronally::cli
