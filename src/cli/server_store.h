// What a server keeps its data in: the SQLite file of its data directory, or a database in
// PostgreSQL that several servers share. With it come the key that opens its secrets, and on the
// first start the first account with its admin token.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/result.h"
#include "runtime/clock.h"
#include "runtime/health.h"
#include "runtime/vault.h"
#include "store/database.h"

namespace cronally::cli {

struct ServerStoreOptions {
  std::filesystem::path dir;  // the data directory, whose lock is held
  std::string database;       // an address of PostgreSQL; empty: SQLite in the directory
  const runtime::Clock& clock;
  runtime::Health& health;
};

struct ServerStore {
  runtime::Vault vault;
  std::unique_ptr<store::Database> database;
};

// Opens it. Codes: those of store::open_sqlite or store::open_postgres, and of runtime::Vault; an
// outage of a store that is open throws Unavailable.
//
// SQLite: a key is made where there is no database yet. PostgreSQL: where there is no account yet;
// of servers that start at the same moment one makes the account, and only its key and its token
// count. A server whose key does not open what the database holds is refused ("master_key_missing",
// "master_key_wrong"), and told to copy the file; none is made for it. Where all servers have the
// key, and perhaps one admin-token, beforehand, all of them start.
Result<ServerStore> open_server_store(const ServerStoreOptions& options);

// Of an opening that failed: whether it may succeed later, without anybody's doing.
bool may_come_back(const Error& error);

}  // namespace cronally::cli
