#include "store/sqlite/job_match.h"

#include <boost/json.hpp>

namespace cronally::store::sqlite {

namespace {

// The first text behind all that begin with `prefix`, byte by byte as SQLite compares.
std::string behind(std::string prefix) {
  while (!prefix.empty() && prefix.back() == '\xff') prefix.pop_back();
  if (prefix.empty()) return "\xff";
  prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  return prefix;
}

}  // namespace

JobMatch::JobMatch(Connection& db, AccountNo account, const Labels& labels,
                   const std::optional<std::string>& name_prefix)
    : account_(account), labels_(labels), others_(labels) {
  rarest_ = few_max + 1;
  for (const auto& [key, value] : labels) {
    auto rows = db.use("jobs_of_label");
    rows.bind(account).bind(key).bind(value).bind(static_cast<std::int64_t>(few_max) + 1);
    const auto found = count(std::move(rows));
    if (way_ == Way::label && found >= rarest_) continue;
    way_ = Way::label;
    label_ = {key, value};
    rarest_ = found;
  }
  if (name_prefix && !name_prefix->empty()) {
    names_ = {*name_prefix, behind(*name_prefix)};
    auto rows = db.use("jobs_of_name");
    rows.bind(account).bind(names_->first).bind(names_->second);
    rows.bind(static_cast<std::int64_t>(few_max) + 1);
    const auto found = count(std::move(rows));
    if (way_ == Way::all || found < rarest_) {
      way_ = Way::name;
      rarest_ = found;
    }
  }
  if (way_ == Way::label) others_.erase(label_.first);
}

std::size_t JobMatch::count(Statement&& rows) const {
  std::size_t found = 0;
  while (rows.step()) ++found;
  return found;
}

std::optional<std::vector<JobNo>> JobMatch::few(Connection& db) const {
  if (way_ == Way::all || common()) return std::nullopt;
  std::vector<JobNo> jobs;
  auto rows = db.use(way_ == Way::label ? "jobs_of_label" : "jobs_of_name");
  rows.bind(account_);
  if (way_ == Way::label) {
    rows.bind(label_.first).bind(label_.second);
  } else {
    rows.bind(names_->first).bind(names_->second);
  }
  rows.bind(static_cast<std::int64_t>(few_max));
  while (rows.step()) {
    const JobNo job{rows.integer(0)};
    auto match = db.use("job_matches");
    match.bind(account_).bind(job);
    bind_other_labels(match);
    bind_names(match);
    if (match.step()) jobs.push_back(job);
  }
  return jobs;
}

void JobMatch::bind_names(Statement& statement) const {
  if (names_) {
    statement.bind(names_->first).bind(names_->second);
  } else {
    statement.bind_null().bind_null();
  }
}

void JobMatch::bind_json(Statement& statement, const Labels& labels) {
  if (labels.empty()) {
    statement.bind_null();
    return;
  }
  boost::json::object wanted;
  for (const auto& [key, value] : labels) wanted[key] = value;
  statement.bind(boost::json::serialize(wanted));
}

}  // namespace cronally::store::sqlite
