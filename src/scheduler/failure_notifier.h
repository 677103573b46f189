// Tells accounts of failed runs, through their failure webhook: durable, retried like a run, and
// at most one POST per account in `notice_interval`. Its own failures notify nobody.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <vector>

#include "core/batch.h"
#include "delivery/failure_notice.h"
#include "runtime/clock.h"
#include "runtime/vault.h"
#include "store/database.h"

namespace cronally::scheduler {

inline constexpr Duration notice_interval = std::chrono::seconds{5};
inline constexpr std::int32_t notice_attempts_max = 5;

// What follows an attempt at a notice. Pure: nullopt settles it (delivered, refused with 410, or
// given up after notice_attempts_max), an instant postpones it. `jitter` in [0, 1).
std::optional<Instant> notice_again(const core::AttemptResult& result, std::int32_t attempt,
                                    Instant now, double jitter);

// Whose turn it is: batches whose send_at has come and whose account had no POST within
// notice_interval. Pure; `posted` holds the last POST of each account.
bool notice_due(const store::NoticeBatch& batch, const std::map<AccountNo, Instant>& posted,
                Instant now);

class FailureNotifier {
 public:
  struct Parts {
    store::Notices& notices;
    delivery::NoticeSender& sender;
    const runtime::Vault& vault;
    const runtime::Clock& clock;
    std::function<bool()> leads;  // of several nodes one sends
  };
  explicit FailureNotifier(const Parts& parts) : parts_(parts) {}

  // A supervised loop's body: looks about twice a second until stopped.
  void run(const std::stop_token& stop);

 private:
  void round();
  std::optional<delivery::FailureNotice> unseal(const store::NoticeBatch& batch) const;

  Parts parts_;
  std::map<AccountNo, Instant> posted_;
};

}  // namespace cronally::scheduler
