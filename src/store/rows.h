// From rows to the domain's values, for every store: one reader per column list of its
// statements.sql. A Row has what sqlite::Statement has, and postgres::Row.
#pragma once

#include <cstdint>

#include "core/job.h"
#include "core/run.h"
#include "store/database.h"
#include "store/job_edit.h"
#include "store/stored.h"

namespace cronally::store {

// plans_*
template <class Row>
JobPlan plan_row(const Row& row) {
  JobPlan plan;
  plan.no = {row.integer(0)};
  plan.id = {row.uuid(1)};
  plan.shard = {row.integer(2)};
  plan.revision = static_cast<Revision>(row.integer(3));
  plan.name = row.text(4);
  plan.schedule = row.text(5);
  plan.zone = row.text(6);
  plan.dst = row.template as<cron::Dst>(7);
  plan.anchor = row.instant(8);
  plan.changed_at = row.instant(9);
  plan.change = row.integer(10);
  plan.planned = row.integer(11) == row.integer(3);
  plan.paused = row.flag(12);
  plan.deleted = row.flag(13);
  plan.last_change = row.template as<core::Replan::Change>(14);
  plan.delivery = row.template as<core::DeliveryMode>(15);
  plan.retry = {.attempts = static_cast<std::int32_t>(row.integer(16)),
                .backoff_min = row.duration(17),
                .backoff_max = row.duration(18)};
  if (!row.null(19)) plan.retry.age_max = row.duration(19);
  plan.catch_up = {.mode = row.template as<core::CatchUpMode>(20),
                   .window = row.duration(21),
                   .limit = static_cast<std::int32_t>(row.integer(22))};
  plan.destination = row.text(23);
  return plan;
}

// Whether such a row's job has OwedBefore, which revisions_unplanned tells.
template <class Row>
bool owes_before(const Row& row) {
  return row.flag(24);
}

// revisions_unplanned; its first column is the job.
template <class Row>
StoredRevision revision_row(const Row& row) {
  return {.revision = static_cast<Revision>(row.integer(1)),
          .definition = definition_of(row.view(2)),
          .anchor = row.instant(3),
          .changed_at = row.instant(4),
          .owed_from = row.maybe_instant(5)};
}

// open_runs_due, runs_requested
template <class Row>
core::OpenRun open_run_row(const Row& row) {
  core::OpenRun run;
  run.no = {row.integer(0)};
  run.id = {row.uuid(1)};
  run.job = {row.integer(2)};
  run.shard = {row.integer(3)};
  run.revision = static_cast<Revision>(row.integer(4));
  run.kind = row.template as<core::RunKind>(5);
  run.state = row.template as<core::RunState>(6);
  run.scheduled_at = row.instant(7);
  run.due = row.instant(8);
  run.fence = {row.integer(9)};
  run.attempt = static_cast<std::int32_t>(row.integer(10));
  run.send_at = row.instant(11);
  run.failures = static_cast<std::int32_t>(row.integer(12));
  run.unknowns = static_cast<std::int32_t>(row.integer(13));
  run.first_attempt_at = row.maybe_instant(14);
  return run;
}

// job_by_*, job_list*
template <class Row>
core::Job job_row(const Row& row) {
  return {.id = {row.uuid(1)},
          .no = {row.integer(0)},
          .account = {row.integer(2)},
          .shard = {row.integer(3)},
          .revision = static_cast<Revision>(row.integer(4)),
          .definition = definition_of(row.view(9)),
          .anchor = row.instant(5),
          .created_at = row.instant(6),
          .updated_at = row.instant(7),
          .change = row.integer(8),
          .v1_name = row.null(10) ? std::nullopt : std::optional(row.text(10))};
}

// account*_read, account_by_*
template <class Row>
Account account_row(const Row& row) {
  Account account{.no = {row.integer(0)},
                  .id = {row.uuid(1)},
                  .name = row.text(2),
                  .sealed_signing_secret = row.text(3)};
  if (!row.null(4)) account.failure_webhook = {row.text(4), read_headers(row.text(5))};
  if (!row.null(6)) account.email = row.text(6);
  if (!row.null(7)) account.api = {ApiKey{row.uuid(7)}, row.text(8)};
  return account;
}

// run_by_*, run_list*, from column `first` on. Without attempts.
template <class Row>
core::Run run_row(const Row& row, int first = 0) {
  core::Run run;
  run.no = {row.integer(first)};
  run.id = {row.uuid(first + 1)};
  run.job = {row.uuid(first + 2)};
  run.job_no = {row.integer(first + 3)};
  run.job_name = row.text(first + 4);
  run.revision = static_cast<Revision>(row.integer(first + 5));
  run.kind = row.template as<core::RunKind>(first + 6);
  run.key = row.text(first + 7);
  run.scheduled_at = row.instant(first + 8);
  run.due = row.instant(first + 9);
  run.state = row.template as<core::RunState>(first + 10);
  if (!row.null(first + 11)) run.verdict = row.template as<core::Verdict>(first + 11);
  run.reason = row.template as<core::Reason>(first + 12);
  run.fence = {row.integer(first + 13)};
  run.ended_at = row.maybe_instant(first + 14);
  return run;
}

// attempts_of_run(s), from column `first` on.
template <class Row>
core::Attempt attempt_row(const Row& row, int first = 0) {
  return {.number = static_cast<std::int32_t>(row.integer(first)),
          .revision = static_cast<Revision>(row.integer(first + 1)),
          .fence = {row.integer(first + 2)},
          .node = {row.uuid(first + 3)},
          .result = {.fate = row.template as<core::Fate>(first + 4),
                     .status = static_cast<int>(row.integer(first + 5)),
                     .error = row.text(first + 8),
                     .response = row.text(first + 9),
                     .first_byte_at = row.maybe_instant(first + 6),
                     .ended_at = row.instant(first + 7)}};
}

}  // namespace cronally::store
