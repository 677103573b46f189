// The SQLite store under the suites that every store passes: on real files, reopened.
#include "store/sqlite/open.h"
#include "tests/conformance/ledger_conformance.h"
#include "tests/conformance/spine_conformance.h"
#include "tests/conformance/temporary_directory.h"

namespace cronally::conformance {
namespace {

class SqliteWorld : public World {
 public:
  SqliteWorld() {
    open();
    store::Account account{.id = AccountId{uuid_v4(21, 1)}, .name = "default"};
    account.sealed_signing_secret = "sealed signing secret";
    store::Token token{.id = TokenId{uuid_v4(21, 2)}, .name = "admin", .admin = true};
    database_->accounts().bootstrap(account, token, "digest of admin");
    account_ = database_->accounts().authenticate("digest of admin")->account;
  }

  store::Spine& spine() override { return database_->spine(); }
  store::Jobs& jobs() override { return database_->jobs(); }
  AccountNo account() const override { return account_; }
  runtime::ManualClock& clock() override { return *clock_; }
  store::Database* database() override { return database_.get(); }

  void reopen() override {
    database_.reset();
    open();
  }

  std::optional<core::Run> find_run(RunId run) override {
    return database_->ledger().find_run(account_, run);
  }

  std::vector<core::SkippedSpan> skipped() override {
    auto spans = database_->ledger().list_skipped(account_, std::nullopt, 1000);
    std::ranges::reverse(spans);
    return spans;
  }

 private:
  void open() {
    auto opened = store::open_sqlite({.file = directory_.path() / "cronally.db", .clock = clock_});
    ASSERT_TRUE(opened) << opened.error().message;
    database_ = std::move(*opened);
  }

  TemporaryDirectory directory_;
  std::shared_ptr<runtime::ManualClock> clock_ =
      std::make_shared<runtime::ManualClock>(start_instant);
  std::unique_ptr<store::Database> database_;
  AccountNo account_;
};

StoreFactory sqlite() {
  return {"Files", [] { return std::make_unique<SqliteWorld>(); }};
}

}  // namespace

INSTANTIATE_SPINE_CONFORMANCE(Sqlite, sqlite());
INSTANTIATE_LEDGER_CONFORMANCE(Sqlite, sqlite());

}  // namespace cronally::conformance
