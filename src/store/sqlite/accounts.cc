#include "store/sqlite/accounts.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "store/sqlite/rows.h"

namespace cronally::store::sqlite {

namespace {

std::vector<Account> read_accounts(Connection& db) {
  std::vector<Account> accounts;
  auto rows = db.use("accounts_read");
  while (rows.step()) accounts.push_back(account_row(rows));
  return accounts;
}

template <class Find>
std::optional<Account> read_account(Connection& db, std::string_view statement, const Find& find) {
  auto row = db.use(statement);
  row.bind(find);
  return row.step() ? std::optional(account_row(row)) : std::nullopt;
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

void insert_account(Connection& db, const Account& account) {
  auto insert = db.use("account_insert");
  insert.bind(account.id)
      .bind(account.name)
      .bind_blob(account.sealed_signing_secret)
      .bind(url_of(account))
      .bind(headers_of(account));
  if (account.email.empty()) {
    insert.bind_null();
  } else {
    insert.bind(account.email);
  }
  if (account.api) {
    insert.bind(account.api->key).bind_blob(account.api->sealed_secret);
  } else {
    insert.bind_null().bind_null();
  }
  insert.run();
}

void insert_token(Transaction& transaction, AccountNo account, const Token& token,
                  std::string_view digest) {
  transaction.db()
      .use("token_insert")
      .bind(token.id)
      .bind(account)
      .bind(token.name)
      .bind_blob(digest)
      .bind(token.admin)
      .bind(transaction.now())
      .run();
}

// Without a webhook there is nowhere to send what waits.
void drop_notices(Connection& db, AccountNo account) {
  constexpr auto all = std::numeric_limits<std::int64_t>::max();
  db.use("notices_delete").bind(account).bind(all).run();
  db.use("notice_batch_drop").bind(account).run();
}

}  // namespace

// ---- accounts ---------------------------------------------------------------------------------

bool SqliteAccounts::bootstrap(const Account& account, const Token& token,
                               std::string_view token_digest) {
  bool made = false;
  engine_.writer.write([&](Transaction& transaction) {
    auto& db = transaction.db();
    if (!read_accounts(db).empty()) return;
    insert_account(db, account);
    insert_token(transaction, AccountNo{db.last_row()}, token, token_digest);
    made = true;
  });
  return made;
}

std::vector<Account> SqliteAccounts::all() { return engine_.readers.read(read_accounts); }

std::optional<Principal> SqliteAccounts::authenticate(std::string_view token_digest) {
  return engine_.readers.read([&](Connection& db) -> std::optional<Principal> {
    auto row = db.use("token_find");
    row.bind_blob(token_digest);
    if (!row.step()) return std::nullopt;
    return Principal{.account = {row.integer(0)},
                     .account_id = {row.uuid(1)},
                     .token = {row.uuid(2)},
                     .admin = row.flag(3)};
  });
}

Account SqliteAccounts::account(AccountNo account) {
  auto found = engine_.readers.read([&](Connection& db) { return read_account(db, account); });
  if (!found) throw Unavailable("the account of this token is gone from the database");
  return std::move(*found);
}

std::optional<Account> SqliteAccounts::find_account(ApiKey key) {
  return engine_.readers.read(
      [&](Connection& db) { return read_account(db, "account_by_key", key); });
}

std::optional<Account> SqliteAccounts::find_account(AccountId id) {
  return engine_.readers.read(
      [&](Connection& db) { return read_account(db, "account_by_id", id); });
}

std::optional<Account> SqliteAccounts::find_account(std::string_view email) {
  return engine_.readers.read(
      [&](Connection& db) { return read_account(db, "account_by_email", email); });
}

Result<Account> SqliteAccounts::create_account(const Account& account) {
  Result<Account> made = account;
  engine_.writer.write(
      [&](Transaction& transaction) {
        auto& db = transaction.db();
        if (!account.email.empty() && read_account(db, "account_by_email", account.email)) {
          made = fail("email_taken", "another account has this email");
          return;
        }
        insert_account(db, account);
        made = account;
        made->no = {db.last_row()};
      },
      Need::room);
  return made;
}

Result<void> SqliteAccounts::rotate_credentials(AccountNo account, const ApiCredentials& fresh) {
  bool known = false;
  engine_.writer.write(
      [&](Transaction& transaction) {
        transaction.db()
            .use("account_credentials_set")
            .bind(account)
            .bind(fresh.key)
            .bind_blob(fresh.sealed_secret)
            .run();
        known = transaction.db().changes() > 0;
      },
      Need::room);
  if (!known) return fail("not_found", "there is no such account");
  return {};
}

std::int64_t SqliteAccounts::job_count(AccountNo account) {
  return engine_.readers.read([&](Connection& db) {
    auto row = db.use("job_count");
    row.bind(account);
    return row.step() ? row.integer(0) : 0;
  });
}

void SqliteAccounts::change_account(const Account& changed, const std::vector<NewSecret>& secrets) {
  engine_.writer.write(
      [&](Transaction& transaction) {
        auto& db = transaction.db();
        auto before = read_account(db, changed.no);
        db.use("account_update")
            .bind(changed.no)
            .bind(changed.name)
            .bind_blob(changed.sealed_signing_secret)
            .bind(url_of(changed))
            .bind(headers_of(changed))
            .run();
        for (const auto& secret : secrets) {
          db.use("secret_insert").bind(secret.id).bind_null().bind_blob(secret.sealed).run();
        }
        if (!changed.failure_webhook) drop_notices(db, changed.no);
        if (!before || !before->failure_webhook) return;
        for (const auto& [name, id] : before->failure_webhook->secret_headers) {
          bool kept = changed.failure_webhook &&
                      std::ranges::any_of(changed.failure_webhook->secret_headers,
                                          [&](const auto& header) { return header.second == id; });
          if (!kept) db.use("secret_delete").bind(id).run();
        }
      },
      Need::room);
}

std::vector<Token> SqliteAccounts::tokens(AccountNo account) {
  return engine_.readers.read([&](Connection& db) {
    std::vector<Token> tokens;
    auto rows = db.use("token_list");
    rows.bind(account);
    while (rows.step()) {
      tokens.push_back({.id = {rows.uuid(0)},
                        .name = rows.text(1),
                        .admin = rows.flag(2),
                        .created_at = rows.instant(3)});
    }
    return tokens;
  });
}

Result<Token> SqliteAccounts::create_token(AccountNo account, const Token& token,
                                           std::string_view digest) {
  auto made = token;
  bool inserted = false;
  engine_.writer.write(
      [&](Transaction& transaction) {
        insert_token(transaction, account, token, digest);
        inserted = transaction.db().changes() > 0;
        made.created_at = transaction.now();
      },
      Need::room);
  if (!inserted) {
    return fail("name_taken", "a token named '" + token.name + "' exists already");
  }
  return made;
}

Result<void> SqliteAccounts::revoke_token(AccountNo account, TokenId token) {
  Result<void> outcome;
  engine_.writer.write([&](Transaction& transaction) {
    auto& db = transaction.db();
    std::optional<bool> admin;
    {
      auto row = db.use("token_by_id");
      row.bind(account).bind(token);
      if (row.step()) admin = row.flag(0);
    }
    if (!admin) {
      outcome = fail("not_found", "there is no such token");
      return;
    }
    {
      auto row = db.use("tokens_admin");
      row.bind(account);
      if (*admin && row.step() && row.integer(0) == 1) {
        outcome = fail("last_admin_token",
                       "this is the account's last admin token; create another one first");
        return;
      }
    }
    db.use("token_delete").bind(account).bind(token).run();
  });
  return outcome;
}

// ---- notices ----------------------------------------------------------------------------------

namespace {

void gather(Transaction& transaction, const std::function<RunId(Instant)>& make_id) {
  auto& db = transaction.db();
  std::vector<std::pair<AccountNo, std::int64_t>> waiting;
  {
    auto rows = db.use("notice_accounts");
    while (rows.step()) waiting.emplace_back(AccountNo{rows.integer(0)}, rows.integer(1));
  }
  for (const auto& [account, last] : waiting) {
    db.use("notice_batch_insert")
        .bind(account)
        .bind(make_id(transaction.now()))
        .bind(transaction.now())
        .bind(last)
        .run();
  }
}

NoticeBatch batch_row(Connection& db, const Statement& row) {
  NoticeBatch batch{.account = {row.integer(0)},
                    .id = {row.uuid(1)},
                    .attempt = static_cast<std::int32_t>(row.integer(2)),
                    .send_at = row.instant(3),
                    .url = row.text(7),
                    .sealed_signing_secret = row.text(6),
                    .account_id = {row.uuid(5)}};
  const auto last = row.integer(4);
  {
    auto summary = db.use("notice_summary");
    summary.bind(batch.account).bind(last);
    if (summary.step()) {
      batch.count = summary.integer(0);
      batch.since = summary.instant(1);
    }
  }
  {
    auto runs = db.use("notice_runs");
    runs.bind(batch.account).bind(last);
    while (runs.step()) batch.runs.push_back({runs.uuid(0)});
  }
  for (auto& [name, id] : read_headers(row.text(8))) {
    auto secret = db.use("secret_read");
    secret.bind(id);
    if (secret.step()) batch.sealed_headers.push_back({id, {name, secret.text(0)}});
  }
  return batch;
}

}  // namespace

std::vector<NoticeBatch> SqliteNotices::open_batches(const std::function<RunId(Instant)>& make_id) {
  bool any = engine_.readers.read([](Connection& db) {
    auto row = db.use("notice_any");
    return row.step() && row.flag(0);
  });
  if (!any) return {};
  engine_.writer.write([&](Transaction& transaction) { gather(transaction, make_id); });
  return engine_.readers.read([](Connection& db) {
    std::vector<NoticeBatch> batches;
    auto rows = db.use("notice_batches");
    while (rows.step()) batches.push_back(batch_row(db, rows));
    return batches;
  });
}

void SqliteNotices::settle(AccountNo account, RunId batch) {
  engine_.writer.write([&](Transaction& transaction) {
    auto& db = transaction.db();
    std::int64_t last = 0;
    {
      auto row = db.use("notice_batch_find");
      row.bind(account).bind(batch);
      if (!row.step()) return;
      last = row.integer(0);
    }
    db.use("notices_delete").bind(account).bind(last).run();
    db.use("notice_batch_delete").bind(account).bind(batch).run();
  });
}

void SqliteNotices::postpone(AccountNo account, RunId batch, Instant send_at) {
  engine_.writer.write([&](Transaction& transaction) {
    transaction.db().use("notice_batch_postpone").bind(account).bind(batch).bind(send_at).run();
  });
}

}  // namespace cronally::store::sqlite
