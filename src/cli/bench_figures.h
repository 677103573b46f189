// What `cronally bench` measured, and how it is shown. Pure.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"

namespace cronally::cli {

// How late things were: the middle, the 99th of 100, the worst. Zeros of no values.
struct Lateness {
  Duration p50{};
  Duration p99{};
  Duration max{};
};

// p99 is the smallest value that 99 % of the values do not exceed.
Lateness lateness_of(std::vector<Duration> values);

// Many jobs, each due once, all at one instant.
struct HerdFigures {
  std::int64_t jobs = 0;
  std::int64_t delivered = 0;
  Duration creation{};   // of all the jobs, through the API
  Duration last{};       // from the instant to the last delivery at the receiver
  Duration processor{};  // that the server used, from before the claims to the last outcome
  Lateness at_receiver;
};

// Jobs `@every 1s`, their instants spread evenly over the second.
struct SteadyFigures {
  std::int64_t jobs = 0;
  Duration length{};
  std::int64_t due = 0;
  std::int64_t delivered = 0;
  Duration processor{};
  Lateness first_byte;  // as the ledger has it: what the promise of punctuality is about
  Lateness at_receiver;
};

struct BenchFigures {
  std::string directory;
  std::optional<HerdFigures> herd;
  std::optional<SteadyFigures> steady;
};

// The figures for a reader, lines of "name  value", and as one JSON object in microseconds.
std::string text_of(const BenchFigures& figures, bool colour);
boost::json::object json_of(const BenchFigures& figures);

}  // namespace cronally::cli
