// Every zone of the machine's tzdata around its clock changes from 1970 to 2100, against an oracle
// that shares nothing with the product but cctz's "which local time is this instant": it walks
// the instants one by one and writes down what the rules of docs/schedules.md say.
#include <cctz/time_zone.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "cron/testing.h"

namespace cronally::cron {
namespace {

namespace fs = std::filesystem;
using cctz::civil_second;
using std::chrono::seconds;
using std::chrono::sys_seconds;

struct Case {
  const char* text;
  bool real_time;
  std::function<bool(const civil_second&)> names;
};

bool whole(const civil_second& t) { return t.second() == 0; }
bool weekend(const civil_second& t) {
  const auto day = cctz::get_weekday(cctz::civil_day(t));
  return day == cctz::weekday::saturday || day == cctz::weekday::sunday;
}

const std::vector<Case> cases{
    {"*/15 * * * *", true, [](auto& t) { return whole(t) && t.minute() % 15 == 0; }},
    {"* 1-3 * * *", true, [](auto& t) { return whole(t) && t.hour() >= 1 && t.hour() <= 3; }},
    {"30 0 0-23 * * *", false, [](auto& t) { return t.second() == 30 && t.minute() == 0; }},
    {"0 0 * * *", false, [](auto& t) { return whole(t) && t.minute() == 0 && t.hour() == 0; }},
    {"*/20 0-3,22,23 * * 0,6", false,
     [](auto& t) {
       return whole(t) && t.minute() % 20 == 0 && (t.hour() <= 3 || t.hour() >= 22) && weekend(t);
     }},
    {"10 */2 1-15 * 5L", false,
     [](auto& t) {
       const bool last_friday = cctz::get_weekday(cctz::civil_day(t)) == cctz::weekday::friday &&
                                (cctz::civil_day(t) + 7).month() != t.month();
       return whole(t) && t.minute() == 10 && t.hour() % 2 == 0 && (t.day() <= 15 || last_friday);
     }},
};

struct Change {
  sys_seconds at;
  seconds before;
  seconds after;
};

std::vector<Change> changes_of(const cctz::time_zone& zone) {
  std::vector<Change> changes;
  sys_seconds t{seconds{0}};
  const sys_seconds end{std::chrono::sys_days{std::chrono::year{2101} / 1 / 1}};
  cctz::time_zone::civil_transition found;
  while (t < end && zone.next_transition(t, &found)) {
    t = zone.lookup(found.to).trans;
    const seconds before{zone.lookup(t - seconds{1}).offset};
    const seconds after{zone.lookup(t).offset};
    if (before != after && t < end) changes.push_back({t, before, after});
  }
  return changes;
}

// What the zone's clock shows, instant by instant.
struct Shown {
  sys_seconds at;
  civil_second local;
};

std::vector<Shown> walk(const cctz::time_zone& zone, sys_seconds from, sys_seconds to,
                        seconds step) {
  std::vector<Shown> shown;
  for (auto t = from; t <= to; t += step) shown.push_back({t, cctz::convert(t, zone)});
  return shown;
}

// The instants owed by the rules, read off the walk. A local time above all that were shown before
// is at its first pass; those left out on the way there were removed by a gap.
std::vector<sys_seconds> oracle(const Case& one, const std::vector<Shown>& walk, seconds step,
                                Dst dst) {
  std::vector<sys_seconds> owed;
  auto last = walk.front().local - step.count();
  for (const auto& [t, local] : walk) {
    bool due = one.names(local) && (one.real_time || local > last);
    if (!one.real_time && dst == Dst::run) {
      for (auto missing = last + step.count(); !due && missing < local; missing += step.count()) {
        due = one.names(missing);
      }
    }
    last = std::max(last, local);
    if (due) owed.push_back(t);
  }
  return owed;
}

std::vector<sys_seconds> clipped(std::vector<sys_seconds> all, sys_seconds from, sys_seconds to) {
  std::erase_if(all, [&](sys_seconds t) { return t < from || t > to; });
  return all;
}

std::vector<sys_seconds> forward(const Schedule& schedule, sys_seconds from, sys_seconds to) {
  std::vector<sys_seconds> found;
  for (auto t = next(schedule, from - seconds{1}); t && *t <= to; t = next(schedule, *t)) {
    found.push_back(std::chrono::floor<seconds>(*t));
  }
  return found;
}

std::vector<sys_seconds> backward(const Schedule& schedule, sys_seconds from, sys_seconds to) {
  std::vector<sys_seconds> found;
  for (auto t = prev(schedule, to + seconds{1}); t && *t >= from; t = prev(schedule, *t)) {
    found.push_back(std::chrono::floor<seconds>(*t));
  }
  std::ranges::reverse(found);
  return found;
}

seconds step_for(const Change& change) {
  const auto whole_minutes = change.before % seconds{60} == seconds{0} &&
                             change.after % seconds{60} == seconds{0} &&
                             change.at.time_since_epoch() % seconds{60} == seconds{0};
  return whole_minutes ? seconds{30} : seconds{1};
}

void check_change(const std::string& name, const cctz::time_zone& zone, const Change& change) {
  using std::chrono::hours;
  const auto jump =
      change.after > change.before ? change.after - change.before : change.before - change.after;
  const auto reach = jump + hours{2};
  const auto step = step_for(change);
  const auto shown = walk(zone, change.at - reach - jump, change.at + reach + jump, step);
  const auto from = std::max(change.at - reach, sys_seconds{seconds{0}});
  const auto to = change.at + reach;
  for (const auto& one : cases) {
    for (const auto dst : {Dst::run, Dst::skip}) {
      if (one.real_time && dst == Dst::skip) continue;
      const auto schedule = *parse_schedule(one.text, {.zone = zone, .dst = dst});
      const auto owed = clipped(oracle(one, shown, step, dst), from, to);
      ASSERT_EQ(forward(schedule, from, to), owed)
          << name << " " << one.text << " at " << format_instant(change.at);
      ASSERT_EQ(backward(schedule, from, to), owed)
          << name << " " << one.text << " back from " << format_instant(change.at);
    }
  }
}

// Names of zones, one for each different file (the others are links to them).
std::vector<std::string> zone_names() {
  std::map<std::string, std::string> by_content;
  const fs::path root = "/usr/share/zoneinfo";
  if (!fs::exists(root)) return {};
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    const auto name = fs::relative(entry.path(), root).string();
    if (!entry.is_regular_file() || name.starts_with("right/") || name.starts_with("posix/")) {
      continue;
    }
    std::ifstream in(entry.path(), std::ios::binary);
    std::string content(std::istreambuf_iterator<char>(in), {});
    if (content.starts_with("TZif")) by_content.emplace(std::move(content), name);
  }
  std::vector<std::string> names;
  for (const auto& [content, name] : by_content) names.push_back(name);
  std::ranges::sort(names);
  return names;
}

// CRONALLY_TEST_ALL=1 tests each change (about 31,000; a minute or two). Without it, changes of one
// zone that look alike (month, weekday, time of day, offsets) are tested once, and of those after
// 2040, which a rule makes that repeats itself, every twentieth year's.
bool worth_testing(const Change& change, std::set<std::string>& alike) {
  static const bool all = std::getenv("CRONALLY_TEST_ALL") != nullptr;
  if (all) return true;
  const civil_second local = cctz::convert(change.at + change.before, cctz::utc_time_zone());
  const bool late = local.year() > 2040;
  if (late && local.year() % 20 != 0) return false;
  const auto weekday = static_cast<int>(cctz::get_weekday(cctz::civil_day(local)));
  const auto minute = local.hour() * 60 + local.minute();
  return alike
      .insert(fmt::format("{} {} {} {} {}", change.before.count(), change.after.count(), minute,
                          weekday, late ? local.year() : local.month()))
      .second;
}

TEST(Zones, EveryClockChangeOfEveryZoneAgreesWithTheOracle) {
  const auto names = zone_names();
  if (names.empty()) GTEST_SKIP() << "no tzdata on this machine";
  EXPECT_GT(names.size(), 250u);
  int tested = 0;
  for (const auto& name : names) {
    cctz::time_zone zone;
    ASSERT_TRUE(cctz::load_time_zone("/usr/share/zoneinfo/" + name, &zone)) << name;
    std::set<std::string> alike;
    for (const auto& change : changes_of(zone)) {
      if (!worth_testing(change, alike)) continue;
      ++tested;
      ASSERT_NO_FATAL_FAILURE(check_change(name, zone, change));
    }
  }
  EXPECT_GT(tested, 2000);
  RecordProperty("tested", tested);
}

}  // namespace
}  // namespace cronally::cron
