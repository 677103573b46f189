// From rows to the domain's values: one reader per column list of statements.sql.
#pragma once

#include <string>

#include "core/job.h"
#include "core/run.h"
#include "store/database.h"
#include "store/sqlite/connection.h"

namespace cronally::store::sqlite {

JobPlan plan_row(const Statement& row);            // plans_*
core::OpenRun open_run_row(const Statement& row);  // open_runs_due, runs_requested
core::Job job_row(const Statement& row);           // job_by_*, job_list*
Account account_row(const Statement& row);         // account*_read, account_by_*
// run_by_*, run_list*; for changes_after the columns begin at 1. Without attempts.
core::Run run_row(const Statement& row, int first = 0);

// With attempts.
core::Run full_run(Connection& db, const Statement& row, int first = 0);

// The account's webhook headers: JSON [[name, secret id], …].
std::string write_headers(const std::vector<std::pair<std::string, SecretId>>& headers);
std::vector<std::pair<std::string, SecretId>> read_headers(const std::string& text);

// A stored definition; a damaged one is an outage, since nobody can choose on it.
core::JobDefinition definition_of(std::string_view text);

}  // namespace cronally::store::sqlite
