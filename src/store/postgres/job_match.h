// Which jobs the labels and the name prefix of a list's filter mean.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "store/postgres/connection.h"

namespace cronally::store::postgres {

// {"team":"ops"}
std::string labels_json(const std::map<std::string, std::string>& labels);

class JobMatch {
 public:
  // An empty prefix is none.
  JobMatch(const std::map<std::string, std::string>& labels,
           const std::optional<std::string>& name_prefix);

  bool all() const { return !labels_ && !first_name_; }

  // Every job that is meant, deleted ones too, if they are at most a few thousand; nullopt: they
  // are more, so that some are among the newest, or all() are meant.
  std::optional<std::vector<JobNo>> few(Connection& db, AccountNo account) const;

  // The first name of the prefix and the first one behind it; null without a prefix.
  void add_names(Params& params) const { params.add(first_name_).add(name_behind_); }
  // All labels as JSON; null without one.
  void add_labels(Params& params) const { params.add(labels_); }

 private:
  std::optional<std::string> labels_;
  std::optional<std::string> first_name_;
  std::optional<std::string> name_behind_;
};

}  // namespace cronally::store::postgres
