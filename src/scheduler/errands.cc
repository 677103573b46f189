#include "scheduler/errands.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/check.h"

namespace cronally::scheduler {
namespace {

// Deliverables are read in portions, so that a send that waits for one is not behind a herd.
constexpr std::size_t deliverables_per_read = 1'000;

template <class T>
void move_into(std::vector<T>& to, std::vector<T>& from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
  from.clear();
}

}  // namespace

Errands::Errands(ErrandsParts parts)
    : parts_(std::move(parts)),
      sink_(std::make_shared<delivery::DeliverySink>(
          [inbox = parts_.inbox](std::vector<core::AttemptEnded>&& ended) {
            inbox->post(std::move(ended));
          })),
      cache_(parts_.database, parts_.vault, parts_.clock) {}

// ---- The machine's thread ---------------------------------------------------------------------

void Errands::send(core::Send&& send, std::shared_ptr<delivery::SendGate> gate) {
  if (const auto found = cache_.find({send.run.job, send.revision})) {
    ready_.push_back(delivery_of(send, *found, std::move(gate)));
  } else {
    asked_.sends.push_back({std::move(send), std::move(gate)});
  }
}

void Errands::hand_over() {
  if (!ready_.empty()) parts_.deliverer.deliver(std::exchange(ready_, {}), sink_);
  if (asked_.empty()) return;
  {
    std::lock_guard lock(mutex_);
    move_into(handed_over_.releases, asked_.releases);
    move_into(handed_over_.reads, asked_.reads);
    move_into(handed_over_.sends, asked_.sends);
    move_into(handed_over_.prepares, asked_.prepares);
    // Rows of neighbours share pages.
    std::ranges::sort(handed_over_.prepares);
  }
  filled_.notify_one();
}

// ---- The reader thread ------------------------------------------------------------------------

void Errands::run(const std::stop_token& stop) {
  auto& spine = parts_.database.spine();
  while (!stop.stop_requested()) {
    if (doing_.empty()) take_work(stop);
    for (; !doing_.releases.empty(); doing_.releases.erase(doing_.releases.begin())) {
      spine.release(parts_.node, doing_.releases.front());
      parts_.leases->released(doing_.releases.front());
    }
    if (!doing_.sends.empty()) serve_sends(doing_.sends);
    for (; !doing_.reads.empty(); doing_.reads.erase(doing_.reads.begin())) {
      const auto& read = doing_.reads.front();
      auto runs = spine.read_open_runs(read.shards, read.until, read.limit);
      bool complete = runs.size() < read.limit;
      parts_.inbox->post(
          core::RunsRead{.read = read.read, .runs = std::move(runs), .complete = complete});
    }
    cache_.prepare(std::exchange(doing_.prepares, {}));
  }
}

void Errands::take_work(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  filled_.wait(lock, stop, [this] { return !handed_over_.empty(); });
  doing_.releases.swap(handed_over_.releases);
  doing_.reads.swap(handed_over_.reads);
  doing_.sends.swap(handed_over_.sends);
  auto& waiting = handed_over_.prepares;
  auto portion = std::min(waiting.size(), deliverables_per_read);
  doing_.prepares.assign(waiting.begin(), waiting.begin() + static_cast<long>(portion));
  waiting.erase(waiting.begin(), waiting.begin() + static_cast<long>(portion));
}

// Takes them when their definitions are at hand: during an outage they wait.
void Errands::serve_sends(std::vector<AwaitedSend>& waiting) {
  std::vector<DeliveryCache::Key> keys;
  keys.reserve(waiting.size());
  for (const auto& one : waiting) keys.emplace_back(one.send.run.job, one.send.revision);
  const auto found = cache_.load(keys);
  auto sends = std::exchange(waiting, {});
  std::vector<delivery::Delivery> batch;
  std::vector<core::AttemptEnded> failed;
  for (std::size_t i = 0; i < sends.size(); ++i) {
    auto& one = sends[i];
    if (found[i]) {
      batch.push_back(delivery_of(one.send, *found[i], std::move(one.gate)));
      continue;
    }
    bool withdrawn =
        one.gate->withdraw() && one.gate->state() == delivery::SendGate::State::withdrawn;
    CHECK(withdrawn, "an attempt that was never handed over has not started");
    failed.push_back({.run = one.send.run.no,
                      .attempt = one.send.run.attempt,
                      .result = {.fate = core::Fate::not_sent,
                                 .error = "the job's definition or its secrets cannot be read",
                                 .ended_at = parts_.clock.wall()}});
  }
  if (!batch.empty()) parts_.deliverer.deliver(std::move(batch), sink_);
  if (!failed.empty()) parts_.inbox->post(std::move(failed));
}

delivery::Delivery Errands::delivery_of(const core::Send& send, const DeliveryCache::Found& found,
                                        std::shared_ptr<delivery::SendGate> gate) const {
  return {.run_no = send.run.no,
          .run = send.run.id,
          .job = found.job->job,
          .attempt = send.run.attempt,
          .fence = send.run.fence,
          .scheduled_at = send.run.scheduled_at,
          .definition = found.job->definition,
          .secret_headers = found.job->secret_headers,
          .signing_key = found.signing_key,
          .gate = std::move(gate),
          .may_send = last_look(send.run)};
}

// Empty where the lease ends with the process.
std::function<bool()> Errands::last_look(const core::OpenRun& run) const {
  if (parts_.leases->endless()) return {};
  return [leases = parts_.leases, lease = core::Lease{run.shard, run.fence}] {
    return leases->may_send(lease);
  };
}

}  // namespace cronally::scheduler
