#include "cli/server_store.h"

#include <fmt/format.h>

#include <system_error>
#include <utility>

#include "core/secret_context.h"
#include "core/signature.h"
#include "runtime/files.h"
#include "runtime/log.h"
#include "runtime/random.h"
#include "runtime/token.h"
#include "store/postgres/open.h"
#include "store/sqlite/open.h"

namespace cronally::cli {

namespace fs = std::filesystem;
namespace log = runtime::log;

namespace {

constexpr std::size_t token_file_max = 4096;

std::shared_ptr<const runtime::Clock> unowned(const runtime::Clock& clock) {
  return {&clock, [](auto*) {}};
}

// The first account, if there is none yet, and `token` as its admin's; true if it was made.
bool bootstrap(store::Database& database, const runtime::Vault& vault, const SecretText& token) {
  store::Account account{.id = AccountId{runtime::random_uuid_v4()}, .name = "default"};
  account.sealed_signing_secret =
      vault.seal(core::account_context(account.id),
                 SecretText{core::format_signing_secret(runtime::random_bytes(32))});
  store::Token admin{.id = TokenId{runtime::random_uuid_v4()}, .name = "admin", .admin = true};
  const auto digest = runtime::token_digest(token.reveal());
  const bool made = database.accounts().bootstrap(account, admin, as_bytes(digest));
  if (made) {
    log::info("serve", "first start: account and admin token made", {{"account", account.id}});
  }
  return made;
}

// The token's file is written before the account: a crash between leaves a file that opens nothing.
Result<SecretText> write_token(const fs::path& file) {
  auto token = runtime::make_token();
  if (auto written = runtime::write_file_atomically(file, token.reveal() + "\n"); !written) {
    return fail(written.error());
  }
  return token;
}

// What a start before, or somebody who gave all servers the same, has put there; else a new one.
Result<SecretText> read_or_write_token(const fs::path& file) {
  if (auto text = runtime::read_file(file, token_file_max)) {
    std::string token = text->substr(0, text->find('\n'));
    if (runtime::is_token_shaped(token)) return SecretText{std::move(token)};
  }
  return write_token(file);
}

// The key opens what is sealed.
Result<void> verify(store::Database& database, const runtime::Vault& vault) {
  for (const auto& account : database.accounts().all()) {
    auto opened = vault.open(core::account_context(account.id), account.sealed_signing_secret);
    if (!opened) return fail(opened.error());
  }
  return {};
}

// ---- SQLite -----------------------------------------------------------------------------------

Result<ServerStore> open_file(const ServerStoreOptions& options) {
  const auto file = options.dir / "cronally.db";
  const auto missing = fs::exists(file) ? runtime::MissingKey::refuse : runtime::MissingKey::create;
  auto vault = runtime::Vault::open_or_create(options.dir / "master.key", missing);
  if (!vault) return fail(vault.error());
  auto database = store::open_sqlite({.file = file,
                                      .clock = unowned(options.clock),
                                      .ballast = options.dir / "ballast",
                                      .health = &options.health});
  if (!database) return fail(database.error());
  if ((*database)->accounts().all().empty()) {
    const auto token = write_token(options.dir / "admin-token");
    if (!token) return fail(token.error());
    bootstrap(**database, *vault, *token);
  }
  if (auto verified = verify(**database, *vault); !verified) return fail(verified.error());
  return ServerStore{std::move(*vault), std::move(*database)};
}

// ---- PostgreSQL -------------------------------------------------------------------------------

Error key_error(const std::string& code, const fs::path& key_file) {
  const std::string fault = code == "master_key_missing" ? "is missing" : "is another one";
  return {code, fmt::format("the database holds what other servers have sealed, and the master key "
                            "that opens it, {0}, {1}; all servers of a database have the same one: "
                            "copy master.key of a server that works on this database to {0}, then "
                            "chmod 600 {0} and start again (no key is made here)",
                            key_file.string(), fault)};
}

// The account and what goes with it, where there is none yet. Another server may be faster.
Result<void> bootstrap_shared(store::Database& database, const runtime::Vault& vault,
                              const fs::path& token_file) {
  const auto token = read_or_write_token(token_file);
  if (!token) return fail(token.error());
  if (bootstrap(database, vault, *token)) return {};
  const auto digest = runtime::token_digest(token->reveal());
  if (database.accounts().authenticate(as_bytes(digest))) return {};
  std::error_code ignored;
  fs::remove(token_file, ignored);
  return {};
}

Result<ServerStore> open_shared(const ServerStoreOptions& options) {
  auto opened = store::open_postgres(
      {.address = options.database, .clock = unowned(options.clock), .health = &options.health});
  if (!opened) return fail(opened.error());
  store::Database& database = **opened;
  const auto key_file = options.dir / "master.key";
  const bool had_key = fs::exists(key_file);
  const bool first = database.accounts().all().empty();
  auto vault = runtime::Vault::open_or_create(
      key_file, first ? runtime::MissingKey::create : runtime::MissingKey::refuse);
  if (!vault) {
    if (vault.error().code != "master_key_missing") return fail(vault.error());
    return fail(key_error("master_key_missing", key_file));
  }
  if (first) {
    auto made = bootstrap_shared(database, *vault, options.dir / "admin-token");
    if (!made) return fail(made.error());
  }
  if (auto verified = verify(database, *vault); !verified) {
    if (verified.error().code != "master_key_wrong") return fail(verified.error());
    if (had_key) return fail(key_error("master_key_wrong", key_file));
    std::error_code ignored;
    fs::remove(key_file, ignored);  // made a moment ago, and nothing is sealed under it
    return fail(key_error("master_key_missing", key_file));
  }
  if (fs::exists(options.dir / "cronally.db")) {
    log::warning(
        "serve",
        "the data directory also holds cronally.db, which is not used: what is in it stands "
        "still",
        {{"data_dir", options.dir.string()}});
  }
  return ServerStore{std::move(*vault), std::move(*opened)};
}

}  // namespace

Result<ServerStore> open_server_store(const ServerStoreOptions& options) {
  return options.database.empty() ? open_file(options) : open_shared(options);
}

bool may_come_back(const Error& error) { return error.code == "database_unreachable"; }

}  // namespace cronally::cli
