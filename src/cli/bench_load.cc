#include "cli/bench_load.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "cli/client.h"

namespace cronally::cli {
namespace json = boost::json;

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::int64_t bulk_max = 1000;
constexpr Duration ready_max = seconds{30};
constexpr Duration ready_step = milliseconds{20};
// From the end of creation to a herd's instant: the planner claims up to three seconds ahead.
constexpr Duration herd_ahead = seconds{4};
constexpr Duration herd_max = seconds{60};  // after the instant; what has not come then is lost
constexpr Duration arrival_step = milliseconds{10};
constexpr Duration settle = seconds{3};
constexpr Duration outcome_delay = seconds{1};  // outcomes are written in batches
constexpr Duration second = seconds{1};

Problem failure(std::string message, std::string advice) {
  return {ExitCode::failure, "bench_failed", std::move(message), {}, std::move(advice)};
}

json::object job(const std::string& name, const std::string& schedule, const std::string& url) {
  return {{"name", name},
          {"schedule", schedule},
          {"target", json::object{{"type", "http"}, {"url", url}}}};
}

std::vector<Duration> late_of(const std::vector<Arrival>& arrivals) {
  std::vector<Duration> late;
  for (const auto& arrival : arrivals) late.push_back(arrival.at - arrival.scheduled_at);
  return late;
}

// The instant of a member, as the API writes it.
std::optional<Instant> instant_of(const json::object& object, std::string_view member) {
  const json::value* value = object.if_contains(member);
  if (!value || !value->is_string()) return std::nullopt;
  const auto instant = parse_instant(value->get_string());
  return instant ? std::optional(*instant) : std::nullopt;
}

// How late the first byte of a run left; nullopt when none did.
std::optional<Duration> first_byte_late(const json::object& run) {
  const json::value* attempts = run.if_contains("attempts");
  if (!attempts || !attempts->is_array() || attempts->get_array().empty()) return std::nullopt;
  const auto sent = instant_of(attempts->get_array().front().as_object(), "first_byte_at");
  const auto scheduled = instant_of(run, "scheduled_at");
  if (!sent || !scheduled) return std::nullopt;
  return *sent - *scheduled;
}

}  // namespace

Outcome<json::value> BenchLoad::exchange(std::string method, const std::string& path,
                                         const json::value& body) const {
  net::Call call{.method = std::move(method), .url = parts_.server.url() + path};
  call.headers = {{"Authorization", "Bearer " + parts_.server.token().reveal()}};
  if (!body.is_null()) {
    call.headers.push_back({"Content-Type", "application/json"});
    call.body = json::serialize(body);
  }
  const auto answer = parts_.world.call(call);
  if (!answer) return std::unexpected(problem_of_call(answer.error()));
  if (answer->status >= 300) return std::unexpected(problem_of_answer(*answer));
  boost::system::error_code malformed;
  json::value value = json::parse(answer->body, malformed);
  return malformed ? json::value{} : value;
}

Outcome<void> BenchLoad::pause(Duration length) const {
  if (length <= Duration::zero() || parts_.wait(length)) return {};
  return std::unexpected(failure("stopped before its end", "what it had made is removed."));
}

Outcome<void> BenchLoad::wait_ready() {
  for (Duration waited{}; waited < ready_max; waited += ready_step) {
    const auto known = parts_.server.look();
    if (!known) return std::unexpected(known.error());
    if (*known) {
      const auto answer = parts_.world.call({.url = parts_.server.url() + "/readyz"});
      if (answer && answer->status == 200) return {};
    }
    if (auto went_on = pause(ready_step); !went_on) return went_on;
  }
  return std::unexpected(
      failure("the server under test was not ready in 30 s", "is the disk very slow, or full?"));
}

Outcome<void> BenchLoad::create(std::int64_t jobs, const Body& body) const {
  for (std::int64_t start = 0; start < jobs; start += bulk_max) {
    json::array items;
    for (auto number = start; number < std::min(jobs, start + bulk_max); ++number) {
      items.push_back(body(number));
    }
    const auto made = exchange("POST", "/v2/jobs/bulk", json::object{{"items", std::move(items)}});
    if (!made) return std::unexpected(made.error());
    if (auto went_on = pause(Duration{1}); !went_on) return went_on;
  }
  return {};
}

// How long a thousand jobs take to create on this disk.
Outcome<Duration> BenchLoad::creation_time() const {
  const auto begun = parts_.clock.steady();
  auto made = create(bulk_max, [](std::int64_t number) {
    return job(fmt::format("first {}", number), "@never", "http://127.0.0.1:9/");
  });
  if (!made) return std::unexpected(made.error());
  return parts_.clock.steady() - begun;
}

Outcome<HerdFigures> BenchLoad::herd(std::int64_t jobs) {
  const auto thousand = creation_time();
  if (!thousand) return std::unexpected(thousand.error());
  BenchReceiver receiver(parts_.clock);
  if (auto started = receiver.start(); !started) {
    return std::unexpected(failure(started.error().message, "free a port."));
  }
  // Three times the estimate: the disk may slow down meanwhile.
  const Duration ahead = herd_ahead + *thousand * 3 * (jobs / bulk_max + 1);
  const Instant instant = std::chrono::ceil<seconds>(parts_.clock.wall() + ahead);
  parts_.say(fmt::format("herd: {} jobs, due at {}", jobs, format_instant(instant)));
  const auto begun = parts_.clock.steady();
  const auto made = create(jobs, [&](std::int64_t number) {
    return job(fmt::format("herd {}", number), "@at " + format_instant(instant), receiver.url());
  });
  if (!made) return std::unexpected(made.error());
  HerdFigures figures{.jobs = jobs, .creation = parts_.clock.steady() - begun};
  const Duration left = instant - herd_ahead - parts_.clock.wall();
  if (left < -herd_ahead / 4) {
    return std::unexpected(
        failure("creating the jobs took longer than was left until their instant",
                "try again, or with a smaller --herd."));
  }
  if (auto waited = pause(left); !waited) return std::unexpected(waited.error());
  const auto used = parts_.server.processor();
  while (receiver.count() < jobs && parts_.clock.wall() < instant + herd_max) {
    if (auto waited = pause(arrival_step); !waited) return std::unexpected(waited.error());
  }
  if (auto waited = pause(outcome_delay); !waited) return std::unexpected(waited.error());
  figures.processor = parts_.server.processor() - used;
  const auto late = late_of(receiver.stop());
  figures.delivered = static_cast<std::int64_t>(late.size());
  figures.at_receiver = lateness_of(late);
  figures.last = figures.at_receiver.max;
  return figures;
}

// Lateness of the first byte of the runs that were due in [from, to).
Outcome<std::vector<Duration>> BenchLoad::ledger(Instant from, Instant to) const {
  std::vector<Duration> late;
  std::string cursor;
  do {
    Query query{{"since", format_instant(from)}, {"until", format_instant(to)}, {"limit", "1000"}};
    if (!cursor.empty()) query.emplace_back("cursor", cursor);
    const auto page = exchange("GET", with_query("/v2/runs", query), nullptr);
    if (!page) return std::unexpected(page.error());
    for (const json::value& run : page->at("items").as_array()) {
      if (const auto value = first_byte_late(run.as_object())) late.push_back(*value);
    }
    const json::value* next = page->as_object().if_contains("next_cursor");
    cursor = next && next->is_string() ? std::string(next->get_string()) : "";
    if (auto went_on = pause(Duration{1}); !went_on) return std::unexpected(went_on.error());
  } while (!cursor.empty());
  return late;
}

Outcome<SteadyFigures> BenchLoad::steady(std::int64_t jobs, Duration length) {
  BenchReceiver receiver(parts_.clock);
  if (auto started = receiver.start(); !started) {
    return std::unexpected(failure(started.error().message, "free a port."));
  }
  const Instant base = std::chrono::floor<seconds>(parts_.clock.wall());
  const auto made = create(jobs, [&](std::int64_t number) {
    auto body = job(fmt::format("steady {}", number), "@every 1s", receiver.url());
    body["anchor"] = format_instant(base + second * number / jobs);
    return body;
  });
  if (!made) return std::unexpected(made.error());
  parts_.say(fmt::format("steady: {} jobs each second, for {}", jobs, format_duration(length)));
  if (auto waited = pause(settle); !waited) return std::unexpected(waited.error());
  const Instant from = std::chrono::ceil<seconds>(parts_.clock.wall());
  if (auto waited = pause(from - parts_.clock.wall()); !waited) {
    return std::unexpected(waited.error());
  }
  const auto used = parts_.server.processor();
  if (auto waited = pause(length); !waited) return std::unexpected(waited.error());
  SteadyFigures figures{.jobs = jobs, .length = length, .due = jobs * (length / second)};
  figures.processor = parts_.server.processor() - used;
  if (auto waited = pause(outcome_delay); !waited) return std::unexpected(waited.error());
  const Instant to = from + length;
  auto arrivals = receiver.stop();
  std::erase_if(arrivals, [&](const Arrival& arrival) {
    return arrival.scheduled_at < from || arrival.scheduled_at >= to;
  });
  figures.delivered = static_cast<std::int64_t>(arrivals.size());
  figures.at_receiver = lateness_of(late_of(arrivals));
  auto late = ledger(from, to);
  if (!late) return std::unexpected(late.error());
  figures.first_byte = lateness_of(std::move(*late));
  return figures;
}

}  // namespace cronally::cli
