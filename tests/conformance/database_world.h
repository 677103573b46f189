// What the worlds of whole databases share: an account with one admin token, and how they look.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "base/uuid.h"
#include "tests/conformance/world.h"

namespace cronally::conformance {

class DatabaseWorld : public World {
 public:
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

 protected:
  // Opens the database into database_.
  virtual void open() = 0;

  void open_first() {
    open();
    store::Account account{.id = AccountId{uuid_v4(21, 1)}, .name = "default"};
    account.sealed_signing_secret = "sealed signing secret";
    store::Token token{.id = TokenId{uuid_v4(21, 2)}, .name = "admin", .admin = true};
    database_->accounts().bootstrap(account, token, "digest of admin");
    account_ = database_->accounts().authenticate("digest of admin")->account;
  }

  std::shared_ptr<runtime::ManualClock> clock_ =
      std::make_shared<runtime::ManualClock>(start_instant);
  std::unique_ptr<store::Database> database_;
  AccountNo account_;
};

}  // namespace cronally::conformance
