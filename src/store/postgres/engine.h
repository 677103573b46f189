// What the roles of the PostgreSQL store share.
#pragma once

#include <memory>

#include "runtime/clock.h"
#include "store/postgres/bell.h"
#include "store/postgres/connection.h"
#include "store/postgres/leases.h"
#include "store/postgres/listener.h"
#include "store/postgres/readers.h"
#include "store/postgres/writer.h"

namespace cronally::store::postgres {

// How a connection of this kind ("writer", "reader") is made.
ConnectionOptions connection_options(const std::string& address, const std::string& kind);
// The same with little time for each exchange: a lease is as short as 2 s.
ConnectionOptions lease_options(const std::string& address);
// The same without a limit on statements.
ConnectionOptions counting_options(const std::string& address);

struct Engine {
  Engine(const std::string& address, const std::shared_ptr<const runtime::Clock>& with_clock,
         Instant resumed_at, std::function<NodeAbout()> about = {})
      : clock(with_clock),
        resume_at(resumed_at),
        batches({.line = Writer::Line::batches,
                 .connection = connection_options(address, "batches"),
                 .clock = clock,
                 .resume_at = resumed_at},
                bell),
        edits({.line = Writer::Line::edits,
               .connection = connection_options(address, "edits"),
               .clock = clock,
               .resume_at = resumed_at},
              bell),
        counting(counting_options(address)),
        leases(lease_options(address), std::move(about)),
        readers(connection_options(address, "reads")),
        listener(connection_options(address, "listens"), bell) {}

  const std::shared_ptr<const runtime::Clock> clock;
  const Instant resume_at;
  Bell bell;
  Writer batches;
  Writer edits;
  const ConnectionOptions counting;  // for what may take minutes
  Leases leases;
  Readers readers;
  Listener listener;
};

}  // namespace cronally::store::postgres
