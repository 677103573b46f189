// The stores under the suites that every store passes: SQLite on real files and PostgreSQL in a
// cluster of the test's own, reopened.
#include "store/sqlite/open.h"
#include "tests/conformance/database_world.h"
#include "tests/conformance/ledger_conformance.h"
#include "tests/conformance/postgres_world.h"
#include "tests/conformance/spine_conformance.h"
#include "tests/conformance/temporary_directory.h"

namespace cronally::conformance {
namespace {

class SqliteWorld : public DatabaseWorld {
 public:
  SqliteWorld() { open_first(); }

 private:
  void open() override {
    auto opened = store::open_sqlite({.file = directory_.path() / "cronally.db", .clock = clock_});
    ASSERT_TRUE(opened) << opened.error().message;
    database_ = std::move(*opened);
  }

  TemporaryDirectory directory_;
};

StoreFactory sqlite() {
  return {"Files", [] { return std::make_unique<SqliteWorld>(); }};
}

StoreFactory postgres() {
  return {"Server", []() -> std::unique_ptr<World> {
            if (!PostgresCluster::get()) return nullptr;
            return std::make_unique<PostgresWorld>();
          }};
}

}  // namespace

INSTANTIATE_SPINE_CONFORMANCE(Sqlite, sqlite());
INSTANTIATE_LEDGER_CONFORMANCE(Sqlite, sqlite());
INSTANTIATE_SPINE_CONFORMANCE(Postgres, postgres());
INSTANTIATE_LEDGER_CONFORMANCE(Postgres, postgres());

}  // namespace cronally::conformance
