#include "store/postgres/accounts.h"

#include <algorithm>
#include <utility>

#include "store/postgres/exchange.h"
#include "store/postgres/rows.h"

namespace cronally::store::postgres {

namespace {

std::vector<Account> read_accounts(Connection& db) {
  std::vector<Account> accounts;
  for (const Row row : db.run("accounts_read")) accounts.push_back(account_row(row));
  return accounts;
}

template <class Find>
std::optional<Account> read_account(Connection& db, std::string_view statement, const Find& find) {
  const auto rows = db.run(statement, std::move(Params().add(find)));
  return rows.empty() ? std::nullopt : std::optional(account_row(rows[0]));
}

std::optional<Account> read_account(Connection& db, AccountNo account) {
  return read_account(db, "account_read", account);
}

std::optional<std::string> url_of(const Account& account) {
  return account.failure_webhook ? std::optional(account.failure_webhook->url) : std::nullopt;
}

std::string headers_of(const Account& account) {
  return account.failure_webhook ? write_headers(account.failure_webhook->secret_headers) : "[]";
}

AccountNo insert_account(Connection& db, const Account& account) {
  Params params;
  params.add(account.id).add(account.name).add(Bytes{account.sealed_signing_secret});
  params.add(url_of(account)).add(headers_of(account));
  params.add(account.email.empty() ? std::nullopt : std::optional(account.email));
  if (account.api) {
    params.add(account.api->key).add(Bytes{account.api->sealed_secret});
  } else {
    params.add_null(Type::uuid).add_null(Type::bytea);
  }
  return {db.run("account_insert", std::move(params))[0].integer(0)};
}

// False where the name is taken.
bool insert_token(Transaction& transaction, AccountNo account, const Token& token,
                  std::string_view digest) {
  Params params;
  params.add(token.id).add(account).add(token.name).add(Bytes{digest}).add(token.admin);
  params.add(transaction.now());
  return !transaction.db().run("token_insert", std::move(params)).empty();
}

// The secrets of `before`'s webhook that `changed` no longer names.
Uuids unused_secrets(const std::optional<Account>& before, const Account& changed) {
  Uuids unused;
  if (!before || !before->failure_webhook) return unused;
  for (const auto& [name, id] : before->failure_webhook->secret_headers) {
    const bool kept = changed.failure_webhook &&
                      std::ranges::any_of(changed.failure_webhook->secret_headers,
                                          [&](const auto& header) { return header.second == id; });
    if (!kept) unused.add(id);
  }
  return unused;
}

}  // namespace

// ---- accounts ---------------------------------------------------------------------------------

bool PostgresAccounts::bootstrap(const Account& account, const Token& token,
                                 std::string_view token_digest) {
  bool made = false;
  engine_.edits.write([&](Transaction& transaction) {
    made = false;
    auto& db = transaction.db();
    if (!read_accounts(db).empty()) return;
    insert_token(transaction, insert_account(db, account), token, token_digest);
    made = true;
  });
  return made;
}

std::vector<Account> PostgresAccounts::all() { return engine_.readers.read(read_accounts); }

std::optional<Principal> PostgresAccounts::authenticate(std::string_view token_digest) {
  return engine_.readers.read([&](Connection& db) -> std::optional<Principal> {
    const auto rows = db.run("token_find", std::move(Params().add(Bytes{token_digest})));
    if (rows.empty()) return std::nullopt;
    const Row row = rows[0];
    return Principal{.account = {row.integer(0)},
                     .account_id = {row.uuid(1)},
                     .token = {row.uuid(2)},
                     .admin = row.flag(3)};
  });
}

Account PostgresAccounts::account(AccountNo account) {
  auto found = engine_.readers.read([&](Connection& db) { return read_account(db, account); });
  if (!found) throw Unavailable("the account of this token is gone from the database");
  return std::move(*found);
}

std::optional<Account> PostgresAccounts::find_account(ApiKey key) {
  return engine_.readers.read(
      [&](Connection& db) { return read_account(db, "account_by_key", key); });
}

std::optional<Account> PostgresAccounts::find_account(AccountId id) {
  return engine_.readers.read(
      [&](Connection& db) { return read_account(db, "account_by_id", id); });
}

std::optional<Account> PostgresAccounts::find_account(std::string_view email) {
  return engine_.readers.read(
      [&](Connection& db) { return read_account(db, "account_by_email", email); });
}

Result<Account> PostgresAccounts::create_account(const Account& account) {
  Result<Account> made = account;
  engine_.edits.write([&](Transaction& transaction) {
    auto& db = transaction.db();
    if (!account.email.empty() && read_account(db, "account_by_email", account.email)) {
      made = fail("email_taken", "another account has this email");
      return;
    }
    made = account;
    made->no = insert_account(db, account);
  });
  return made;
}

Result<void> PostgresAccounts::rotate_credentials(AccountNo account, const ApiCredentials& fresh) {
  bool known = false;
  engine_.edits.write([&](Transaction& transaction) {
    Params params;
    params.add(account).add(fresh.key).add(Bytes{fresh.sealed_secret});
    known = !transaction.db().run("account_credentials_set", std::move(params)).empty();
  });
  if (!known) return fail("not_found", "there is no such account");
  return {};
}

std::int64_t PostgresAccounts::job_count(AccountNo account) {
  return engine_.readers.read([&](Connection& db) {
    return db.run("job_count", std::move(Params().add(account)))[0].integer(0);
  });
}

void PostgresAccounts::change_account(const Account& changed,
                                      const std::vector<NewSecret>& secrets) {
  engine_.edits.write([&](Transaction& transaction) {
    auto& db = transaction.db();
    const auto before = read_account(db, changed.no);
    Exchange exchange;
    Params params;
    params.add(changed.no).add(changed.name).add(Bytes{changed.sealed_signing_secret});
    params.add(url_of(changed)).add(headers_of(changed));
    exchange.add("account_update", std::move(params));
    Uuids ids;
    Numbers jobs;
    Blobs sealed;
    for (const auto& secret : secrets) {
      ids.add(secret.id);
      jobs.add_null();
      sealed.add(Bytes{secret.sealed});
    }
    if (ids.size() > 0) {
      exchange.add("secrets_insert", std::move(Params().add(ids).add(jobs).add(sealed)));
    }
    // Without a webhook there is nowhere to send what waits.
    if (!changed.failure_webhook) {
      exchange.add("notices_drop", std::move(Params().add(changed.no)));
    }
    const auto unused = unused_secrets(before, changed);
    if (unused.size() > 0) exchange.add("secrets_delete", std::move(Params().add(unused)));
    exchange.run(db);
  });
}

std::vector<Token> PostgresAccounts::tokens(AccountNo account) {
  return engine_.readers.read([&](Connection& db) {
    std::vector<Token> tokens;
    for (const Row row : db.run("token_list", std::move(Params().add(account)))) {
      tokens.push_back({.id = {row.uuid(0)},
                        .name = row.text(1),
                        .admin = row.flag(2),
                        .created_at = row.instant(3)});
    }
    return tokens;
  });
}

Result<Token> PostgresAccounts::create_token(AccountNo account, const Token& token,
                                             std::string_view digest) {
  auto made = token;
  bool inserted = false;
  engine_.edits.write([&](Transaction& transaction) {
    inserted = insert_token(transaction, account, token, digest);
    made.created_at = transaction.now();
  });
  if (!inserted) {
    return fail("name_taken", "a token named '" + token.name + "' exists already");
  }
  return made;
}

Result<void> PostgresAccounts::revoke_token(AccountNo account, TokenId token) {
  Result<void> outcome;
  engine_.edits.write([&](Transaction& transaction) {
    outcome = {};
    auto& db = transaction.db();
    const auto rows = db.run({{"token_by_id", std::move(Params().add(account).add(token))},
                              {"tokens_admin", std::move(Params().add(account))}});
    if (rows[0].empty()) {
      outcome = fail("not_found", "there is no such token");
    } else if (rows[0][0].flag(0) && rows[1][0].integer(0) == 1) {
      outcome = fail("last_admin_token",
                     "this is the account's last admin token; create another one first");
    } else {
      db.run("token_delete", std::move(Params().add(account).add(token)));
    }
  });
  return outcome;
}

// ---- notices ----------------------------------------------------------------------------------

namespace {

// Marks each waiting notice with its batch: a number could not tell them apart, since one of
// another process may be given before and commit behind.
void gather(Transaction& transaction, const std::function<RunId(Instant)>& make_id) {
  Exchange exchange;
  for (const Row row : transaction.db().run("notice_accounts")) {
    Params params;
    params.add(row.integer(0)).add(make_id(transaction.now())).add(transaction.now());
    exchange.add("notices_gather", std::move(params));
  }
  exchange.run(transaction.db());
}

NoticeBatch batch_row(Connection& db, const Row& row) {
  NoticeBatch batch{.account = {row.integer(0)},
                    .id = {row.uuid(1)},
                    .attempt = static_cast<std::int32_t>(row.integer(2)),
                    .send_at = row.instant(3),
                    .count = row.integer(8),
                    .url = row.text(6),
                    .sealed_signing_secret = row.text(5),
                    .account_id = {row.uuid(4)}};
  if (!row.null(9)) batch.since = row.instant(9);
  for (const Row run :
       db.run("notice_runs", std::move(Params().add(batch.account).add(batch.id)))) {
    batch.runs.push_back({run.uuid(0)});
  }
  for (auto& [name, id] : read_headers(row.text(7))) {
    const auto secret = db.run("secrets_read", std::move(Params().add(Uuids().add(id))));
    if (!secret.empty()) batch.sealed_headers.push_back({id, {name, secret[0].text(1)}});
  }
  return batch;
}

}  // namespace

std::vector<NoticeBatch> PostgresNotices::open_batches(
    const std::function<RunId(Instant)>& make_id) {
  const bool any =
      engine_.readers.read([](Connection& db) { return db.run("notice_any")[0].flag(0); });
  if (!any) return {};
  engine_.edits.write([&](Transaction& transaction) { gather(transaction, make_id); });
  return engine_.readers.read_together([](Connection& db) {
    std::vector<NoticeBatch> batches;
    for (const Row row : db.run("notice_batches")) batches.push_back(batch_row(db, row));
    return batches;
  });
}

void PostgresNotices::settle(AccountNo account, RunId batch) {
  engine_.edits.write([&](Transaction& transaction) {
    transaction.db().run("notice_batch_settle", std::move(Params().add(account).add(batch)));
  });
}

void PostgresNotices::postpone(AccountNo account, RunId batch, Instant send_at) {
  engine_.edits.write([&](Transaction& transaction) {
    transaction.db().run("notice_batch_postpone",
                         std::move(Params().add(account).add(batch).add(send_at)));
  });
}

}  // namespace cronally::store::postgres
