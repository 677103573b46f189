// backup FILE
#include <memory>

#include "cli/client.h"
#include "cli/table.h"
#include "cli/tree.h"

namespace cronally::cli {
namespace {

Outcome<ExitCode> backup(Session& session, const std::string& file) {
  const Outcome<Client> client = Client::open(session);
  if (!client) return std::unexpected(client.error());
  const Outcome<void> done = client->download("/v2/backup", file);
  if (!done) return std::unexpected(done.error());
  if (session.json())
    session.print_json(boost::json::object{{"file", file}});
  else
    session.out() << "backup written to " << printable(file) << "\n";
  session.err() << "It holds the sealed secrets, but not the key: keep master.key of the data "
                   "directory in another safe place.\n";
  return ExitCode::ok;
}

}  // namespace

void add_backup(Tree& tree) {
  auto file = std::make_shared<std::string>();
  CLI::App& app =
      tree.verb(tree.root(),
                {"backup",
                 "Copy the running server's database into a new file; needs an admin token.",
                 {"cronally backup cronally-backup.db",
                  "cronally --url http://10.0.0.5:8787 --token-file ops-token backup nightly.db"}},
                [file](Session& session) { return backup(session, *file); });
  app.add_option("FILE", *file, "Must not exist yet.")->required();
}

}  // namespace cronally::cli
