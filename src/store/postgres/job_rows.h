// Writes jobs, many at a time: rows of job, their revisions and their secrets.
#pragma once

#include <vector>

#include "store/database.h"
#include "store/postgres/transaction.h"

namespace cronally::store::postgres {

// Jobs to be made and new revisions of jobs, gathered, then written together. Each job stands in at
// most one of them.
class JobRows {
 public:
  explicit JobRows(Transaction& transaction) : transaction_(transaction) {}

  // Returns the place of the job among write()'s.
  std::size_t make(core::Job job, std::vector<NewSecret> secrets);
  std::size_t revise(core::Job job, core::Replan::Change kind, std::vector<NewSecret> secrets);
  // A job that stays as it is, but perhaps for what API v1 calls it.
  std::size_t keep(core::Job job, bool v1_name_changed);

  // All of them with their numbers and change numbers, in the order they were handed in.
  std::vector<core::Job> write();

 private:
  enum class Kind { made, revised, renamed, kept };
  struct Entry {
    Kind kind = Kind::kept;
    core::Job job;
    core::Replan::Change change = core::Replan::Change::created;
    std::vector<NewSecret> secrets;
  };

  static bool is_changed(const Entry& entry) {
    return entry.kind == Kind::made || entry.kind == Kind::revised;
  }
  void number_changes();
  void insert_made();
  void update_revised();
  void insert_revisions_and_secrets();

  Transaction& transaction_;
  std::vector<Entry> entries_;
};

}  // namespace cronally::store::postgres
