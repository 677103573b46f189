// What the roles of the PostgreSQL store share.
#pragma once

#include <memory>

#include "runtime/clock.h"
#include "store/postgres/bell.h"
#include "store/postgres/connection.h"
#include "store/postgres/hosts.h"
#include "store/postgres/leases.h"
#include "store/postgres/listener.h"
#include "store/postgres/reach.h"
#include "store/postgres/readers.h"
#include "store/postgres/writer.h"

namespace cronally::store::postgres {

// How a connection of this kind ("writer", "reader") is made.
ConnectionOptions connection_options(const std::string& address, const std::string& kind);
// The same with little time for each exchange: a lease is as short as 2 s.
ConnectionOptions lease_options(const std::string& address);
// The same for API calls, whose deadline is shorter still; and for who finds out whether the server
// answers.
ConnectionOptions read_options(const std::string& address);
ConnectionOptions edit_options(const std::string& address);
ConnectionOptions listen_options(const std::string& address);
// The same without a limit on statements.
ConnectionOptions counting_options(const std::string& address);

struct Engine {
  Engine(const std::string& address, const std::shared_ptr<const runtime::Clock>& with_clock,
         std::shared_ptr<Hosts> with_hosts, runtime::Health* health,
         std::function<NodeAbout()> about, Instant resumed_at)
      : clock(with_clock),
        resume_at(resumed_at),
        shared_hosts(std::move(with_hosts)),
        hosts(*shared_hosts),
        reach(health),
        batches({.line = Writer::Line::batches,
                 .connection = connection_options(address, "batches"),
                 .clock = clock,
                 .resume_at = resumed_at},
                hosts, bell, reach),
        outcomes({.line = Writer::Line::batches,
                  .connection = connection_options(address, "outcomes"),
                  .clock = clock,
                  .resume_at = resumed_at},
                 hosts, bell, reach),
        edits({.line = Writer::Line::edits,
               .connection = edit_options(address),
               .clock = clock,
               .resume_at = resumed_at},
              hosts, bell, reach),
        counting(counting_options(address)),
        leases(lease_options(address), hosts, bell, clock, std::move(about)),
        readers(read_options(address), hosts, reach),
        listener(listen_options(address), hosts, bell, reach) {}

  const std::shared_ptr<const runtime::Clock> clock;
  const Instant resume_at;
  const std::shared_ptr<Hosts> shared_hosts;
  Hosts& hosts;
  Bell bell;
  Reach reach;
  Writer batches;   // of what is planned
  Writer outcomes;  // of what becomes of runs, so that neither waits for the other's round trips
  Writer edits;
  const ConnectionOptions counting;  // for what may take minutes
  Leases leases;
  Readers readers;
  Listener listener;
};

}  // namespace cronally::store::postgres
