// run list|show|watch
#include <memory>

#include "base/text.h"
#include "cli/client.h"
#include "cli/follow.h"
#include "cli/tree.h"
#include "cli/views.h"
#include "cli/when.h"

namespace cronally::cli {
namespace json = boost::json;

namespace {

View view_of(Session& session) { return {session.world().now(), session.colour()}; }

struct ListFlags {
  std::optional<std::string> job;
  std::optional<std::string> verdict;
  std::optional<std::string> state;
  std::optional<std::string> since;
  std::optional<std::string> until;
  std::size_t limit = 100;
};

// The zone in which --since and --until are read: the job's, else UTC.
Outcome<std::string> zone_of(const Client& client, const ListFlags& flags) {
  const bool local =
      (flags.since && is_local_time(*flags.since)) || (flags.until && is_local_time(*flags.until));
  if (!local || !flags.job) return std::string("UTC");
  const Outcome<json::object> job = client.get_object(path_of("/v2/jobs", *flags.job));
  if (!job) return std::unexpected(job.error());
  return text_at(*job, "zone");
}

Outcome<Query> query_of(Session& session, const Client& client, const ListFlags& flags) {
  const Outcome<std::string> zone = zone_of(client, flags);
  if (!zone) return std::unexpected(zone.error());
  Query query;
  if (flags.job) query.emplace_back("job", *flags.job);
  if (flags.verdict) query.emplace_back("verdict", *flags.verdict);
  if (flags.state) query.emplace_back("state", *flags.state);
  const auto add_time = [&](const char* name,
                            const std::optional<std::string>& text) -> Outcome<void> {
    if (!text) return {};
    const Outcome<Instant> at = session.read_time(*text, *zone);
    if (!at) return std::unexpected(at.error());
    query.emplace_back(name, format_instant(*at));
    return {};
  };
  if (const auto done = add_time("since", flags.since); !done) return std::unexpected(done.error());
  if (const auto done = add_time("until", flags.until); !done) return std::unexpected(done.error());
  return query;
}

Outcome<ExitCode> list(Session& session, const ListFlags& flags) {
  const Outcome<Client> client = Client::open(session);
  if (!client) return std::unexpected(client.error());
  const Outcome<Query> query = query_of(session, *client, flags);
  if (!query) return std::unexpected(query.error());
  const Outcome<Client::List> runs = client->list("/v2/runs", *query, flags.limit);
  if (!runs) return std::unexpected(runs.error());
  if (session.json()) {
    session.print_json(runs->json());
    return ExitCode::ok;
  }
  session.out() << runs_table(runs->items, view_of(session));
  if (runs->items.empty()) session.err() << "no runs\n";
  if (!runs->next_cursor.empty()) session.err() << "there are more; --limit shows them\n";
  return ExitCode::ok;
}

Outcome<ExitCode> show(Session& session, const std::string& id) {
  const Outcome<Client> client = Client::open(session);
  if (!client) return std::unexpected(client.error());
  const Outcome<json::object> run = client->get_object(path_of("/v2/runs", id));
  if (!run) return std::unexpected(run.error());
  if (session.json())
    session.print_json(*run);
  else
    session.out() << run_facts(*run, view_of(session));
  return ExitCode::ok;
}

struct WatchFlags {
  std::string job;
  bool exit_status = false;
};

Outcome<ExitCode> watch(Session& session, const WatchFlags& flags) {
  const Outcome<Client> client = Client::open(session);
  if (!client) return std::unexpected(client.error());
  Follower follower(session, *client, flags.job);
  if (const Outcome<void> begun = follower.start(); !begun) return std::unexpected(begun.error());
  while (true) {
    const Outcome<std::vector<json::object>> runs = follower.changes();
    if (!runs) return std::unexpected(runs.error());
    for (const json::object& run : *runs) {
      if (session.json())
        session.out() << json::serialize(run) << "\n";
      else
        session.out() << watch_line(run, view_of(session));
      if (flags.exit_status && text_at(run, "state") == "ended") {
        session.out() << std::flush;
        return text_at(run, "verdict") == "succeeded" ? ExitCode::ok : ExitCode::failure;
      }
    }
    session.out() << std::flush;
    // A reader that went away (`cronally run watch | head`) is no reason to go on.
    if (!session.out()) return ExitCode::failure;
  }
}

void add_list(Tree& tree, CLI::App& group) {
  auto flags = std::make_shared<ListFlags>();
  CLI::App& app = tree.verb(
      group,
      {"list",
       "List runs, newest first.",
       {"cronally run list --job report", "cronally run list --verdict failed --since -24h"}},
      [flags](Session& session) { return list(session, *flags); });
  text_flag(app, "--job", "JOB", flags->job, "Only runs of this job; name or id.");
  text_flag(app, "--verdict", "succeeded|failed|unknown|cancelled|skipped", flags->verdict,
            "Only runs that ended so.");
  text_flag(app, "--state", "requested|claimed|begun|ended", flags->state,
            "Only runs in this state.");
  text_flag(app, "--since", "TIME", flags->since,
            "Due from here on: RFC 3339, now, -24h, or local time of the job's zone.");
  text_flag(app, "--until", "TIME", flags->until, "Due before this.");
  app.add_option("--limit", flags->limit, "So many at most; 100 by default.")->type_name("N");
}

void add_show(Tree& tree, CLI::App& group) {
  auto id = std::make_shared<std::string>();
  CLI::App& app = tree.verb(group,
                            {"show",
                             "Show one run and each of its attempts.",
                             {"cronally run show 019ab7c2-5d1e-7c3a-9f0e-2b6d41c8e7a5",
                              "cronally run show 019ab7c2-5d1e-7c3a-9f0e-2b6d41c8e7a5 --json"}},
                            [id](Session& session) { return show(session, *id); });
  app.add_option("RUN", *id, "The run's id.")->required();
}

void add_watch(Tree& tree, CLI::App& group) {
  auto flags = std::make_shared<WatchFlags>();
  CLI::App& app =
      tree.verb(group,
                {"watch",
                 "Print a line for each change of a run, until Ctrl-C.",
                 {"cronally run watch", "cronally run watch --job report --exit-status"}},
                [flags](Session& session) { return watch(session, *flags); });
  app.add_option("--job", flags->job, "Only runs of this job; name or id.")->type_name("JOB");
  app.add_flag("--exit-status", flags->exit_status,
               "End with the first run that ends: 0 if it succeeded, else 1.");
}

}  // namespace

void add_run_verbs(Tree& tree) {
  CLI::App& group = tree.group("run", "Look at what has run, and follow it live.");
  add_list(tree, group);
  add_show(tree, group);
  add_watch(tree, group);
}

}  // namespace cronally::cli
