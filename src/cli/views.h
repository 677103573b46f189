// What a person sees of the API's answers. Pure: JSON in, text out.
//
// Unknown values of kind, verdict and reason are shown as they are: the server may be newer.
#pragma once

#include <cctz/time_zone.h>

#include <boost/json.hpp>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "cli/table.h"

namespace cronally::cli {

// Members of an answer; what is missing or of another kind is empty.
std::string text_at(const boost::json::object& object, std::string_view key);
std::optional<double> number_at(const boost::json::object& object, std::string_view key);
const boost::json::object* object_at(const boost::json::object& object, std::string_view key);
const boost::json::array* array_at(const boost::json::object& object, std::string_view key);

struct View {
  Instant now;
  bool colour = false;
};

// "active", "paused" or "finished" (nothing is due any more).
std::string job_status(const boost::json::object& job);

// NAME SCHEDULE ZONE NEXT STATUS, one line a job.
std::string jobs_table(const std::vector<boost::json::object>& jobs, const View& view);

// All of one job; instants in its zone and in UTC.
std::string job_facts(const boost::json::object& job, const cctz::time_zone& zone,
                      const View& view);

// RUN JOB SCHEDULED STATE LATE ATTEMPTS ANSWER, one line a run.
std::string runs_table(const std::vector<boost::json::object>& runs, const View& view);

// All of one run and its attempts.
std::string run_facts(const boost::json::object& run, const View& view);

// The verdict if the run has one, else its state.
std::string run_status(const boost::json::object& run);

// Status and first line of the newest attempt: "200 ok", "no answer: connection refused".
std::string answer_line(const boost::json::object& run, std::size_t columns);

// One line of `run watch`: when it was seen (UTC), job, occurrence, state or verdict, lateness,
// attempt, answer.
std::string watch_line(const boost::json::object& run, const View& view);

// ID NAME ADMIN CREATED.
std::string tokens_table(const std::vector<boost::json::object>& tokens, const View& view);

std::string account_facts(const boost::json::object& account, const View& view);

}  // namespace cronally::cli
