// Which jobs the labels and the name prefix of a list's filter mean, and the cheapest way to them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "store/sqlite/connection.h"

namespace cronally::store::sqlite {

class JobMatch {
 public:
  using Labels = std::map<std::string, std::string>;
  enum class Way { all, label, name };  // what a list goes along

  // Looks at so many rows at most, for each label and for the prefix, and takes the rarest. An
  // empty prefix is none.
  JobMatch(Connection& db, AccountNo account, const Labels& labels,
           const std::optional<std::string>& name_prefix);

  Way way() const { return way_; }
  // More than a few thousand jobs are meant, so that some are among the newest.
  bool common() const { return rarest_ > few_max; }
  const std::string& key() const { return label_.first; }  // of Way::label
  const std::string& value() const { return label_.second; }

  // Every job that is meant, deleted ones too, if they are at most a few thousand.
  std::optional<std::vector<JobNo>> few(Connection& db) const;

  // Bind: all labels as JSON, or those but the one that the list goes along; null when none.
  void bind_labels(Statement& statement) const { bind_json(statement, labels_); }
  void bind_other_labels(Statement& statement) const { bind_json(statement, others_); }
  // Bind the first name of the prefix, and the first one behind it.
  void bind_names(Statement& statement) const;

 private:
  // Up to so many jobs a list of runs asks each for its newest: some 100 ms. Of more, enough of
  // the newest runs are theirs that going along the runs finds them.
  static constexpr std::size_t few_max = 5'000;

  static void bind_json(Statement& statement, const Labels& labels);
  std::size_t count(Statement&& rows) const;

  const AccountNo account_;
  Labels labels_;
  Labels others_;
  std::pair<std::string, std::string> label_;
  std::optional<std::pair<std::string, std::string>> names_;
  Way way_ = Way::all;
  std::size_t rarest_ = 0;  // how many jobs the way has, up to the bound
};

}  // namespace cronally::store::sqlite
