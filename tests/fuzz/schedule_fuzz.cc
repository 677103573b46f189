// Any text is a schedule or is refused; a schedule's fires increase strictly, prev goes back over
// them, and a cron expression reads back what it prints. No call takes long, whatever the text.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <optional>
#include <string_view>
#include <variant>

#include "base/check.h"
#include "cron/describe.h"
#include "cron/schedule.h"

namespace {

using namespace cronally;

const cctz::time_zone& zone_of(std::uint8_t choice) {
  static const auto zones = [] {
    std::array<cctz::time_zone, 4> all;
    cctz::load_time_zone("Europe/Riga", &all[1]);
    cctz::load_time_zone("Australia/Lord_Howe", &all[2]);
    cctz::load_time_zone("Pacific/Apia", &all[3]);
    return all;
  }();
  return zones[choice % zones.size()];
}

// The bound of a call is 1 ms; the sanitizers cost a factor of about 20.
constexpr std::int64_t call_us_max = 20'000;

template <class Call>
auto timed(Call call) {
  const auto thread_us = [] {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return time.tv_sec * 1'000'000 + time.tv_nsec / 1'000;
  };
  // What only one try costs is the sanitizer's, which now and then clears up.
  std::int64_t least = call_us_max;
  for (int tries = 0; tries < 3; ++tries) {
    const std::int64_t begun = thread_us();
    auto result = call();
    least = std::min(least, thread_us() - begun);
    if (least < call_us_max) return result;
  }
  CHECK(least < call_us_max, "a call took too long");
  return call();
}

void check_fires(const cron::Schedule& schedule, Instant from) {
  std::optional<Instant> last;
  auto at = timed([&] { return cron::next(schedule, from); });
  for (int i = 0; i < 8 && at; ++i) {
    CHECK(*at > from && *at >= instant_min && *at < instant_max, "a fire lies outside its span");
    CHECK(cron::prev(schedule, *at + Duration{1}) == at, "prev does not find what next found");
    CHECK(!last || cron::prev(schedule, *at) == last, "prev does not go back to the fire before");
    last = at;
    at = timed([&] { return cron::next(schedule, *last); });
    CHECK(!at || *at > *last, "fires do not increase");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 6) return 0;
  std::uint32_t second = 0;
  for (int i = 1; i <= 4; ++i) second = second << 8 | data[i];
  const std::string_view text{reinterpret_cast<const char*>(data) + 6, size - 6};
  const cron::Context context{.zone = zone_of(data[0]),
                              .dst = data[5] % 2 == 0 ? cron::Dst::run : cron::Dst::skip,
                              .name = "job"};
  const auto schedule = timed([&] { return cron::parse_schedule(text, context); });
  if (!schedule) return 0;
  check_fires(*schedule, Instant{std::chrono::seconds{second}});
  CHECK(!cron::describe(*schedule).empty(), "a schedule has no description");
  if (const auto* calendar = std::get_if<cron::Calendar>(&*schedule)) {
    const auto again = cron::Expression::parse(calendar->expression.to_text(), "job");
    CHECK(again && *again == calendar->expression, "an expression does not read back");
  }
  return 0;
}
