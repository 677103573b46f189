#include "scheduler/failure_notifier.h"

#include <algorithm>

#include "core/policy.h"
#include "core/secret_context.h"
#include "runtime/log.h"
#include "runtime/random.h"
#include "runtime/supervise.h"

namespace cronally::scheduler {

namespace log = runtime::log;

std::optional<Instant> notice_again(const core::AttemptResult& result, std::int32_t attempt,
                                    Instant now, double jitter) {
  core::OpenRun run{.attempt = attempt, .failures = attempt - 1};
  core::Retry retry{.attempts = notice_attempts_max};
  auto next = core::next_step({.run = run,
                               .result = result,
                               .retry = retry,
                               .age_max = std::chrono::hours{1},
                               .now = now,
                               .jitter = jitter});
  const auto* again = std::get_if<core::Outcome::Again>(&next);
  return again ? std::optional(again->send_at) : std::nullopt;
}

bool notice_due(const store::NoticeBatch& batch, const std::map<AccountNo, Instant>& posted,
                Instant now) {
  if (batch.send_at > now) return false;
  auto last = posted.find(batch.account);
  return last == posted.end() || now - last->second >= notice_interval || last->second > now;
}

void FailureNotifier::run(const std::stop_token& stop) {
  using namespace std::chrono_literals;
  while (runtime::wait_or_stop(stop, 500ms)) {
    if (parts_.leads()) round();
  }
}

void FailureNotifier::round() {
  auto batches =
      parts_.notices.open_batches([](Instant at) { return RunId{runtime::random_uuid_v7(at)}; });
  auto now = parts_.clock.wall();
  std::vector<store::NoticeBatch> due;
  std::vector<delivery::FailureNotice> notices;
  for (auto& batch : batches) {
    if (!notice_due(batch, posted_, now)) continue;
    if (auto notice = unseal(batch)) {
      posted_[batch.account] = now;
      notices.push_back(std::move(*notice));
      due.push_back(std::move(batch));
    } else {
      parts_.notices.settle(batch.account, batch.id);
    }
  }
  auto results = parts_.sender.send(notices);
  for (std::size_t i = 0; i < due.size(); ++i) {
    auto again =
        notice_again(results[i], due[i].attempt, parts_.clock.wall(), runtime::random_unit());
    log::info("scheduler", again ? "failure notice postponed" : "failure notice settled",
              {{"account", due[i].account_id},
               {"notice", due[i].id},
               {"attempt", due[i].attempt},
               {"runs", due[i].count},
               {"status", results[i].status},
               {"error", results[i].error}});
    if (again) {
      parts_.notices.postpone(due[i].account, due[i].id, *again);
    } else {
      parts_.notices.settle(due[i].account, due[i].id);
    }
  }
}

std::optional<delivery::FailureNotice> FailureNotifier::unseal(
    const store::NoticeBatch& batch) const {
  auto secret =
      parts_.vault.open(core::account_context(batch.account_id), batch.sealed_signing_secret);
  auto key = secret ? core::parse_signing_secret(secret->reveal()) : fail(secret.error());
  if (!key) {
    log::error("scheduler", "a failure notice cannot be signed and is dropped",
               {{"account", batch.account_id}, {"error", key.error().message}});
    return std::nullopt;
  }
  delivery::FailureNotice notice{.id = batch.id,
                                 .count = batch.count,
                                 .since = batch.since,
                                 .runs = batch.runs,
                                 .url = batch.url,
                                 .signing_key = std::move(*key)};
  for (const auto& [id, header] : batch.sealed_headers) {
    auto value = parts_.vault.open(core::secret_context(id), header.second);
    if (!value) {
      log::error("scheduler", "a secret header of the failure webhook cannot be opened",
                 {{"account", batch.account_id}, {"header", header.first}});
      return std::nullopt;
    }
    notice.secret_headers.push_back({header.first, std::move(*value)});
  }
  return notice;
}

}  // namespace cronally::scheduler
