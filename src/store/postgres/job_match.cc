#include "store/postgres/job_match.h"

#include <boost/json.hpp>

namespace cronally::store::postgres {

namespace {

// Up to so many jobs a list of runs asks each for its newest. Of more, enough of the newest runs
// are theirs that going along the runs finds them.
constexpr std::int64_t few_max = 5'000;

// The first text behind all that begin with `prefix`, byte by byte: names are ordered so. It need
// not be a name, but it has to be text: the prefix with the highest code point behind it.
std::string behind(const std::string& prefix) { return prefix + "\xf4\x8f\xbf\xbf"; }

}  // namespace

std::string labels_json(const std::map<std::string, std::string>& labels) {
  boost::json::object object;
  for (const auto& [key, value] : labels) object[key] = value;
  return boost::json::serialize(object);
}

JobMatch::JobMatch(const std::map<std::string, std::string>& labels,
                   const std::optional<std::string>& name_prefix) {
  if (!labels.empty()) labels_ = labels_json(labels);
  if (name_prefix && !name_prefix->empty()) {
    first_name_ = *name_prefix;
    name_behind_ = behind(*name_prefix);
  }
}

std::optional<std::vector<JobNo>> JobMatch::few(Connection& db, AccountNo account) const {
  if (all()) return std::nullopt;
  Params params;
  params.add(account);
  add_names(params);
  add_labels(params);
  params.add(few_max + 1);
  std::vector<JobNo> jobs;
  for (const Row row : db.run("jobs_matching", std::move(params))) {
    jobs.push_back({row.integer(0)});
  }
  if (std::ssize(jobs) > few_max) return std::nullopt;
  return jobs;
}

}  // namespace cronally::store::postgres
