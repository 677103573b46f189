// version
#include <boost/version.hpp>
#include <string>

#include "cli/table.h"
#include "cli/tree.h"
#include "net/tls.h"
#include "runtime/zone_loader.h"
#include "store/postgres/version.h"
#include "store/sqlite/version.h"

namespace cronally::cli {
namespace json = boost::json;

namespace {

#ifdef CRONALLY_TEST_HOOKS
constexpr bool test_hooks = true;
#else
constexpr bool test_hooks = false;
#endif

// BOOST_LIB_VERSION is "1_81".
std::string boost_version() {
  std::string text = BOOST_LIB_VERSION;
  for (char& c : text)
    if (c == '_') c = '.';
  return text;
}

Outcome<ExitCode> version(Session& session) {
  const std::string tzdata = runtime::ZoneLoader().tzdata_version();
  const std::string sqlite = store::sqlite_version();
  if (session.json()) {
    session.print_json(json::object{{"cronally", CRONALLY_VERSION},
                                    {"tzdata", tzdata},
                                    {"sqlite", sqlite},
                                    {"libpq", store::libpq_version()},
                                    {"openssl", net::tls_version()},
                                    {"boost", boost_version()},
                                    {"test_hooks", test_hooks}});
    return ExitCode::ok;
  }
  session.out() << format_facts({{"cronally", Cell(CRONALLY_VERSION)},
                                 {"tzdata", Cell(tzdata)},
                                 {"SQLite", Cell(sqlite)},
                                 {"libpq", Cell(store::libpq_version())},
                                 {"OpenSSL", Cell(net::tls_version())},
                                 {"Boost", Cell(boost_version())},
                                 {"test hooks", Cell(test_hooks ? "compiled in" : "none")}},
                                session.colour());
  return ExitCode::ok;
}

}  // namespace

void add_version(Tree& tree) {
  tree.verb(tree.root(),
            {"version",
             "Show the versions of this program and of what it is built on.",
             {"cronally version", "cronally version --json"}},
            [](Session& session) { return version(session); });
}

}  // namespace cronally::cli
