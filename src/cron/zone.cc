#include "cron/zone.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <limits>
#include <vector>

#include "cron/expression.h"

namespace cronally::cron {

using std::chrono::local_seconds;
using std::chrono::seconds;
using std::chrono::sys_days;
using std::chrono::sys_seconds;

namespace {

// A year more than expressions are searched over, on each side.
constexpr sys_seconds table_first = sys_days{std::chrono::year{year_first - 2} / 1 / 1};
constexpr sys_seconds table_last = sys_days{std::chrono::year{year_last + 3} / 1 / 1};

// 2^22 s are 48 days: few zones change their clock more than once in that time.
constexpr int bucket_shift = 22;
constexpr auto bucket_count =
    static_cast<std::size_t>((table_last - table_first).count() >> bucket_shift) + 1;

struct Stretch {
  sys_seconds begin;
  std::int32_t before;  // the offset up to `begin`, in seconds
  std::int32_t after;   // and from it on

  // The gap or overlap at `begin`: local times from low() up to high().
  local_seconds low() const { return local(std::min(before, after)); }
  local_seconds high() const { return local(std::max(before, after)); }

 private:
  local_seconds local(std::int32_t offset) const {
    return local_seconds{begin.time_since_epoch() + seconds{offset}};
  }
};

std::int32_t offset_of(const cctz::time_zone& zone, sys_seconds at) {
  return zone.lookup(at).offset;
}

// The first stretch begins before all time, far enough inside the type that offsets can be added.
constexpr sys_seconds before_all{seconds{std::numeric_limits<std::int64_t>::min() / 2}};

std::vector<Stretch> stretches_of(const cctz::time_zone& zone) {
  const auto first = offset_of(zone, table_first);
  std::vector<Stretch> stretches{{before_all, first, first}};
  auto at = table_first;
  cctz::time_zone::civil_transition change;
  while (zone.next_transition(at, &change)) {
    at = std::chrono::time_point_cast<seconds>(zone.lookup(change.to).trans);
    if (at >= table_last) break;
    const auto before = stretches.back().after;
    const auto after = offset_of(zone, at);
    if (before != after) stretches.push_back({at, before, after});
  }
  stretches.push_back({sys_seconds::max(), 0, 0});  // ends every search
  return stretches;
}

std::size_t bucket_of(sys_seconds at) {
  const auto inside = std::clamp(at, table_first, table_last);
  return static_cast<std::size_t>((inside - table_first).count() >> bucket_shift);
}

}  // namespace

class ZoneTable {
 public:
  explicit ZoneTable(const cctz::time_zone& source)
      : source_(source), stretches_(stretches_of(source)) {
    std::size_t stretch = 0;
    for (std::size_t bucket = 0; bucket < bucket_count; ++bucket) {
      const auto begin = table_first + seconds{static_cast<std::int64_t>(bucket) << bucket_shift};
      while (stretches_[stretch + 1].begin <= begin) ++stretch;
      buckets_[bucket] = static_cast<std::uint16_t>(stretch);
    }
  }

  const cctz::time_zone& source() const { return source_; }
  std::size_t size() const { return stretches_.size() - 1; }
  const Stretch& operator[](std::size_t stretch) const { return stretches_[stretch]; }

  std::size_t at(sys_seconds at) const {
    std::size_t stretch = buckets_[bucket_of(at)];
    while (stretches_[stretch + 1].begin <= at) ++stretch;
    return stretch;
  }

  // The last stretch whose change is not later than this local time, by either of its offsets.
  std::size_t at(local_seconds local, std::size_t near) const {
    std::size_t stretch = near;
    if (stretches_[stretch].low() > local || stretches_[stretch + 1].low() <= local) {
      stretch = buckets_[bucket_of(sys_seconds{local.time_since_epoch()})];
    }
    while (stretches_[stretch].low() > local) --stretch;
    while (stretches_[stretch + 1].low() <= local) ++stretch;
    return stretch;
  }

  // Finds or makes the table of a zone. The list only grows, so readers need no lock.
  static const ZoneTable* of(const cctz::time_zone& zone) {
    static std::atomic<const ZoneTable*> newest{nullptr};
    const ZoneTable* head = newest.load(std::memory_order_acquire);
    for (const auto* table = head; table; table = table->older_) {
      if (table->source_ == zone) return table;
    }
    auto* made = new ZoneTable(zone);
    do {
      made->older_ = head;
    } while (!newest.compare_exchange_weak(head, made, std::memory_order_acq_rel));
    return made;  // a second one, made by two threads at once, does no harm
  }

 private:
  cctz::time_zone source_;
  std::vector<Stretch> stretches_;  // and one more, after all
  std::array<std::uint16_t, bucket_count> buckets_{};
  const ZoneTable* older_ = nullptr;
};

Zone::Zone(const cctz::time_zone& zone) : table_(ZoneTable::of(zone)) {}

const cctz::time_zone& Zone::source() const { return table_->source(); }
bool Zone::fixed() const { return table_->size() == 1; }
std::size_t Zone::stretch_at(sys_seconds at) const { return table_->at(at); }
seconds Zone::offset(std::size_t stretch) const { return seconds{(*table_)[stretch].after}; }

sys_seconds Zone::begin(std::size_t stretch) const {
  return stretch == 0 ? sys_seconds::min() : (*table_)[stretch].begin;
}

sys_seconds Zone::end(std::size_t stretch) const {
  return stretch + 1 == table_->size() ? sys_seconds::max() : (*table_)[stretch + 1].begin;
}

Zone::Lookup Zone::lookup(local_seconds local, std::size_t near) const {
  const auto& stretch = (*table_)[table_->at(local, near)];
  const auto begin = stretch.low();
  const auto end = stretch.high();
  if (local >= end) {
    return {Kind::unique, sys_seconds{local.time_since_epoch() - seconds{stretch.after}}, {}, {}};
  }
  if (stretch.after > stretch.before) return {Kind::skipped, stretch.begin, begin, end};
  const sys_seconds first{local.time_since_epoch() - seconds{stretch.before}};
  return {Kind::repeated, first, begin, end};
}

Zone::Lookup Zone::lookup(local_seconds local) const {
  return lookup(local, table_->at(sys_seconds{local.time_since_epoch()}));
}

}  // namespace cronally::cron
