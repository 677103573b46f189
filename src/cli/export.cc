// export: the live jobs as YAML that `apply` reads back.
#include <memory>
#include <optional>

#include "cli/client.h"
#include "cli/job_yaml.h"
#include "cli/tree.h"

namespace cronally::cli {
namespace {

struct Flags {
  std::vector<std::string> selector;
  bool schema = false;
};

Outcome<ExitCode> export_jobs(Session& session, const Flags& flags) {
  if (flags.schema) {
    session.print_json(job_schema());
    return ExitCode::ok;
  }
  const Outcome<Client> client = Client::open(session);
  if (!client) return std::unexpected(client.error());
  Query query;
  for (const std::string& label : flags.selector) query.emplace_back("label", label);
  const Outcome<Client::List> list = client->list("/v2/jobs", query, no_limit);
  if (!list) return std::unexpected(list.error());
  if (session.json()) {
    session.print_json(list->json());
    return ExitCode::ok;
  }
  // Oldest first, so that a new job stands at the end.
  for (auto job = list->items.rbegin(); job != list->items.rend(); ++job)
    session.out() << job_yaml(*job);
  return ExitCode::ok;
}

}  // namespace

void add_export(Tree& tree) {
  auto flags = std::make_shared<Flags>();
  CLI::App& app =
      tree.verb(tree.root(),
                {"export",
                 "Print the server's jobs as YAML for `apply`; secrets as ***.",
                 {"cronally export > jobs.yaml", "cronally export --schema > job.schema.json"}},
                [flags](Session& session) { return export_jobs(session, *flags); });
  texts_flag(app, "-l,--selector", "KEY=VALUE", flags->selector, "Only jobs with this label.");
  app.add_flag("--schema", flags->schema,
               "Print the JSON schema of the documents instead, for editors; needs no server.");
}

}  // namespace cronally::cli
