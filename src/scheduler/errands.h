// What the machine wants of the store and does not wait for: shards given back, open runs, and the
// definitions of what it sends. The driver's reader thread. What is at hand goes to the deliverer
// at once; the rest goes there from here.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <vector>

#include "core/planner.h"
#include "delivery/deliverer.h"
#include "runtime/clock.h"
#include "runtime/vault.h"
#include "scheduler/delivery_cache.h"
#include "scheduler/inbox.h"
#include "scheduler/lease_holder.h"
#include "store/database.h"

namespace cronally::scheduler {

// What it works with; all of it outlives the errands but for what is shared, which the deliverer
// keeps for as long as a request is under way.
struct ErrandsParts {
  NodeId node;
  store::Database& database;
  const runtime::Vault& vault;
  const runtime::Clock& clock;
  delivery::Deliverer& deliverer;
  std::shared_ptr<LeaseHolder> leases;
  std::shared_ptr<Inbox> inbox;
};

class Errands {
 public:
  explicit Errands(ErrandsParts parts);

  // ---- the machine's thread: what one step asks for, and in the end all of it at once
  void release(core::Release&& release) { asked_.releases.push_back(std::move(release)); }
  void read(const core::ReadOpenRuns& read) { asked_.reads.push_back(read); }
  void prepare(const core::Prepare& hint) { asked_.prepares.emplace_back(hint.job, hint.revision); }
  void send(core::Send&& send, std::shared_ptr<delivery::SendGate> gate);
  void hand_over();

  // ---- the reader thread. Throws Unavailable; run again, it does what was interrupted
  void run(const std::stop_token& stop);

 private:
  // A send whose definition has to be read first.
  struct AwaitedSend {
    core::Send send;
    std::shared_ptr<delivery::SendGate> gate;
  };
  struct Work {
    std::vector<core::Release> releases;
    std::vector<core::ReadOpenRuns> reads;
    std::vector<AwaitedSend> sends;
    std::vector<DeliveryCache::Key> prepares;
    bool empty() const {
      return releases.empty() && reads.empty() && sends.empty() && prepares.empty();
    }
  };

  void take_work(const std::stop_token& stop);
  void serve_sends(std::vector<AwaitedSend>& waiting);
  delivery::Delivery delivery_of(const core::Send& send, const DeliveryCache::Found& found,
                                 std::shared_ptr<delivery::SendGate> gate) const;
  std::function<bool()> last_look(const core::OpenRun& run) const;

  const ErrandsParts parts_;
  const std::shared_ptr<const delivery::DeliverySink> sink_;
  DeliveryCache cache_;

  // The machine's thread: since the last hand_over().
  Work asked_;
  std::vector<delivery::Delivery> ready_;

  std::mutex mutex_;
  std::condition_variable_any filled_;
  Work handed_over_;

  Work doing_;  // the reader's: what an outage interrupts is done when it is over
};

}  // namespace cronally::scheduler
