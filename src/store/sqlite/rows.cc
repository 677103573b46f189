#include "store/sqlite/rows.h"

#include <boost/json.hpp>

#include "core/definition_json.h"

namespace cronally::store::sqlite {

namespace json = boost::json;

JobPlan plan_row(const Statement& row) {
  JobPlan plan;
  plan.no = {row.integer(0)};
  plan.id = {row.uuid(1)};
  plan.shard = {row.integer(2)};
  plan.revision = static_cast<Revision>(row.integer(3));
  plan.name = row.text(4);
  plan.schedule = row.text(5);
  plan.zone = row.text(6);
  plan.dst = row.as<cron::Dst>(7);
  plan.anchor = row.instant(8);
  plan.changed_at = row.instant(9);
  plan.change = row.integer(10);
  plan.planned = row.integer(11) == row.integer(3);
  plan.paused = row.flag(12);
  plan.deleted = row.flag(13);
  plan.last_change = row.as<core::Replan::Change>(14);
  plan.delivery = row.as<core::DeliveryMode>(15);
  plan.retry = {.attempts = static_cast<std::int32_t>(row.integer(16)),
                .backoff_min = row.duration(17),
                .backoff_max = row.duration(18)};
  if (!row.null(19)) plan.retry.age_max = row.duration(19);
  plan.catch_up = {.mode = row.as<core::CatchUpMode>(20),
                   .window = row.duration(21),
                   .limit = static_cast<std::int32_t>(row.integer(22))};
  plan.destination = row.text(23);
  return plan;
}

core::OpenRun open_run_row(const Statement& row) {
  core::OpenRun run;
  run.no = {row.integer(0)};
  run.id = {row.uuid(1)};
  run.job = {row.integer(2)};
  run.shard = {row.integer(3)};
  run.revision = static_cast<Revision>(row.integer(4));
  run.kind = row.as<core::RunKind>(5);
  run.state = row.as<core::RunState>(6);
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

core::JobDefinition definition_of(std::string_view text) {
  auto definition = core::read_definition(text);
  if (!definition) throw Unavailable(definition.error().message);
  return std::move(*definition);
}

core::Job job_row(const Statement& row) {
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

Account account_row(const Statement& row) {
  Account account{.no = {row.integer(0)},
                  .id = {row.uuid(1)},
                  .name = row.text(2),
                  .sealed_signing_secret = row.text(3)};
  if (!row.null(4)) account.failure_webhook = {row.text(4), read_headers(row.text(5))};
  if (!row.null(6)) account.email = row.text(6);
  if (!row.null(7)) account.api = {ApiKey{row.uuid(7)}, row.text(8)};
  return account;
}

core::Run run_row(const Statement& row, int first) {
  core::Run run;
  run.no = {row.integer(first)};
  run.id = {row.uuid(first + 1)};
  run.job = {row.uuid(first + 2)};
  run.job_no = {row.integer(first + 3)};
  run.job_name = row.text(first + 4);
  run.revision = static_cast<Revision>(row.integer(first + 5));
  run.kind = row.as<core::RunKind>(first + 6);
  run.key = row.text(first + 7);
  run.scheduled_at = row.instant(first + 8);
  run.due = row.instant(first + 9);
  run.state = row.as<core::RunState>(first + 10);
  if (!row.null(first + 11)) run.verdict = row.as<core::Verdict>(first + 11);
  run.reason = row.as<core::Reason>(first + 12);
  run.fence = {row.integer(first + 13)};
  run.ended_at = row.maybe_instant(first + 14);
  return run;
}

core::Run full_run(Connection& db, const Statement& row, int first) {
  auto run = run_row(row, first);
  auto attempts = db.use("attempts_of_run");
  attempts.bind(run.no);
  while (attempts.step()) {
    run.attempts.push_back({.number = static_cast<std::int32_t>(attempts.integer(0)),
                            .revision = static_cast<Revision>(attempts.integer(1)),
                            .fence = {attempts.integer(2)},
                            .node = {attempts.uuid(3)},
                            .result = {.fate = attempts.as<core::Fate>(4),
                                       .status = static_cast<int>(attempts.integer(5)),
                                       .error = attempts.text(8),
                                       .response = attempts.text(9),
                                       .first_byte_at = attempts.maybe_instant(6),
                                       .ended_at = attempts.instant(7)}});
  }
  return run;
}

std::string write_headers(const std::vector<std::pair<std::string, SecretId>>& headers) {
  json::array out;
  for (const auto& [name, secret] : headers) out.push_back(json::array{name, secret.text()});
  return json::serialize(out);
}

std::vector<std::pair<std::string, SecretId>> read_headers(const std::string& text) {
  std::vector<std::pair<std::string, SecretId>> headers;
  for (const auto& one : json::parse(text).as_array()) {
    auto id = parse_uuid(std::string_view(one.at(1).as_string()));
    if (id) headers.emplace_back(std::string(one.at(0).as_string()), SecretId{*id});
  }
  return headers;
}

}  // namespace cronally::store::sqlite
