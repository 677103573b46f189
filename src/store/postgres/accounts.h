// Accounts, tokens and failure notices in PostgreSQL.
#pragma once

#include "store/database.h"
#include "store/postgres/engine.h"

namespace cronally::store::postgres {

class PostgresAccounts : public Accounts {
 public:
  explicit PostgresAccounts(Engine& engine) : engine_(engine) {}

  bool bootstrap(const Account& account, const Token& token,
                 std::string_view token_digest) override;
  std::vector<Account> all() override;
  std::optional<Principal> authenticate(std::string_view token_digest) override;
  Account account(AccountNo account) override;
  std::optional<Account> find_account(ApiKey key) override;
  std::optional<Account> find_account(AccountId id) override;
  std::optional<Account> find_account(std::string_view email) override;
  Result<Account> create_account(const Account& account) override;
  Result<void> rotate_credentials(AccountNo account, const ApiCredentials& fresh) override;
  std::int64_t job_count(AccountNo account) override;
  void change_account(const Account& changed, const std::vector<NewSecret>& secrets) override;
  std::vector<Token> tokens(AccountNo account) override;
  Result<Token> create_token(AccountNo account, const Token& token,
                             std::string_view digest) override;
  Result<void> revoke_token(AccountNo account, TokenId token) override;

 private:
  Engine& engine_;
};

class PostgresNotices : public Notices {
 public:
  explicit PostgresNotices(Engine& engine) : engine_(engine) {}

  std::vector<NoticeBatch> open_batches(const std::function<RunId(Instant)>& make_id) override;
  void settle(AccountNo account, RunId batch) override;
  void postpone(AccountNo account, RunId batch, Instant send_at) override;

 private:
  Engine& engine_;
};

}  // namespace cronally::store::postgres
