// A database of its own in the tests' PostgreSQL server, whose clock is the test's.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "store/postgres/open.h"
#include "tests/conformance/database_world.h"
#include "tests/conformance/postgres_cluster.h"

namespace cronally::conformance {

class PostgresWorld : public DatabaseWorld {
 public:
  PostgresWorld() : name_(cluster().create_database(prepared())), test_(cluster().connect(name_)) {
    clock_->on_move([this](const Now& now) { set_clock(test_, now.wall); });
    open_first();
  }
  ~PostgresWorld() override {
    clock_->on_move({});
    database_.reset();
    cluster().drop_database(name_);
  }

  const std::string& name() const { return name_; }
  // A connection that sees what the store wrote.
  store::postgres::Connection& test() { return test_; }

  // Migrated once, with a clock that stands at start_instant until a test moves it: the only thing
  // of the store that is replaced is the function that reads the server's.
  static const std::string& prepared() {
    static const std::string name = [] {
      auto made = cluster().create_database();
      const auto address = cluster().address(made);
      auto opened = store::open_postgres(
          {.address = address, .clock = std::make_shared<runtime::ManualClock>(start_instant)});
      CHECK(opened, "an empty database is migrated");
      opened->reset();
      auto db = cluster().connect(made);
      const auto start = std::to_string(us_of(start_instant));
      db.execute(std::vector<std::string>{
          "SET search_path = cronally",
          "CREATE TABLE test_clock (us bigint NOT NULL) WITH (fillfactor = 10)",
          "INSERT INTO test_clock VALUES (" + start + ")",
          "CREATE OR REPLACE FUNCTION clock_us() RETURNS bigint LANGUAGE sql VOLATILE "
          "AS 'SELECT us FROM cronally.test_clock'",
          "UPDATE shard SET cursor = " + start, "DELETE FROM commit_clock",
          "UPDATE meta SET last_stamp = 0"});
      return made;
    }();
    return name;
  }

  // Of a copy of prepared().
  static void set_clock(store::postgres::Connection& db, Instant now) {
    db.execute("UPDATE cronally.test_clock SET us = " + std::to_string(us_of(now)));
  }

 private:
  static PostgresCluster& cluster() { return *PostgresCluster::get(); }

  void open() override {
    auto opened = store::open_postgres({.address = cluster().address(name_), .clock = clock_});
    ASSERT_TRUE(opened) << opened.error().message;
    database_ = std::move(*opened);
  }

  const std::string name_;
  store::postgres::Connection test_;
};

}  // namespace cronally::conformance
