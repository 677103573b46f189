// Moves a store that is given as rows into an empty PostgreSQL database: all of it in one
// transaction, by COPY, so that a death at any moment leaves nothing of it or the whole. Numbers of
// runs get their day in front (docs/design/postgres.md); every other number and id stays.
//
// Left behind: the log of changes of runs, which is kept for minutes (cursors that clients hold are
// answered as expired).
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/result.h"
#include "base/uuid.h"
#include "store/transfer.h"

namespace cronally::store {

struct MoveIn {
  std::string address;    // as PostgresOptions::address
  Uuid id;                // names this move there; the same again for another try
  bool may_write = true;  // false: only looks whether an earlier try committed
  // Called when everything is written, right before it is committed: from here on the data may be
  // there.
  std::function<void(std::int64_t generation)> before_commit;
  std::function<void(std::int64_t rows)> progress;  // so many rows are written
};

struct MovedIn {
  std::int64_t generation = 0;  // of the fences that it goes on with
  std::int64_t jobs = 0;        // deleted ones too
  std::int64_t runs = 0;
  std::int64_t attempts = 0;
  bool before = false;     // an earlier try had committed already; nothing was read
  bool replicated = true;  // false: the server warns that its standby may not have it
};

// Migrates the schema where that is needed. Codes, besides those of open_postgres:
//   target_in_use     a server runs on it, or another move is under way
//   target_not_empty  it holds accounts, jobs or runs
//   not_moved         no try of this id committed there, and `may_write` is false
//   clock_behind      the database's clock is behind the newest commit that is moved
//   move_failed       nothing is there
//   undecided         the connection was lost during COMMIT, and the database did not come back to
//                     tell: the same call finds out later
// What `source` and `before_commit` throw passes; nothing is there then.
Result<MovedIn> move_in(TransferSource& source, const MoveIn& how);

// The address as people may see it: user, hosts and database, no password.
std::string shown_address(const std::string& address);

}  // namespace cronally::store
