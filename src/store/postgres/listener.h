// Hears what other processes commit: LISTEN, and a look at the numbers every second behind it, for
// what was said while no connection stood.
#pragma once

#include <memory>
#include <mutex>
#include <thread>

#include "runtime/files.h"
#include "store/postgres/bell.h"
#include "store/postgres/connection.h"
#include "store/postgres/hosts.h"
#include "store/postgres/reach.h"

namespace cronally::store::postgres {

// Rings `bell`, from a thread and on a connection of its own. An outage is waited out, and told to
// `reach`.
class Listener {
 public:
  Listener(ConnectionOptions options, Hosts& hosts, Bell& bell, Reach& reach);
  ~Listener();

  // What every shard's change and sight numbers are by now; rings the bell with them.
  static void look(Connection& db, Bell& bell, std::int64_t& runs_known);

 private:
  void run();
  // Until the stop: true. Or until another server is followed. `answered`: this one has answered a
  // look.
  bool listen(Connection& db, bool& answered);

  const ConnectionOptions options_;
  Hosts& hosts_;
  Bell& bell_;
  Reach& reach_;
  runtime::Fd stop_;  // readable once this ends
  std::int64_t runs_known_ = -1;
  std::thread thread_;
};

}  // namespace cronally::store::postgres
