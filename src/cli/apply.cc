// plan, apply and diff: declarations in files, held against the live jobs. All of it is read and
// judged before anything is written; what is written goes in lists that are stored whole or not at
// all, so that an apply that was killed is finished by another.
#include <algorithm>
#include <memory>
#include <utility>

#include "base/text.h"
#include "cli/client.h"
#include "cli/plan.h"
#include "cli/plan_text.h"
#include "cli/progress.h"
#include "cli/tree.h"
#include "cli/views.h"

namespace cronally::cli {
namespace json = boost::json;

namespace {

enum class Use : std::uint8_t { plan, apply, diff };

struct Flags {
  std::vector<std::string> files;
  std::vector<std::string> selector;  // KEY=VALUE
  bool prune = false;
  bool dry_run = false;
  bool detailed_exitcode = false;
};

// The API's limits of a list are 1,000 jobs and 16 MiB.
constexpr std::size_t bulk_jobs_max = 1000;
constexpr std::size_t bulk_bytes_max = 12 << 20;
// Fewer declared jobs than this are asked for one by one: the account may have a million.
constexpr std::size_t lookups_max = 50;

Outcome<Labels> read_selector(const Flags& flags) {
  Labels labels;
  for (const std::string& text : flags.selector) {
    const std::size_t equals = text.find('=');
    if (equals == 0 || equals == std::string::npos)
      return usage("--selector takes KEY=VALUE, not " + quote(text));
    labels[text.substr(0, equals)] = text.substr(equals + 1);
  }
  if (flags.prune && labels.empty())
    return usage("--prune needs --selector KEY=VALUE: the label that tells which jobs are yours",
                 "add the label that the files' jobs carry, or shall carry.");
  return labels;
}

Outcome<Declarations> read_files(Session& session, const Flags& flags) {
  std::vector<ManifestFile> files;
  for (const std::string& path : flags.files) {
    if (path == "-") {
      Outcome<std::string> text = session.read_body(path);
      if (!text) return std::unexpected(text.error());
      files.push_back({path, std::move(*text)});
      continue;
    }
    Result<std::vector<ManifestFile>> found = session.world().read_manifests(path);
    if (!found) return usage(std::move(found.error()));
    std::ranges::move(*found, std::back_inserter(files));
  }
  Declarations declared = read_declarations(files);
  if (declared.jobs.empty() && declared.faults.empty())
    return usage("there is no job in the files",
                 flags.prune ? "to remove jobs, name them: cronally job rm." : "");
  return declared;
}

void keep(StoredJobs& stored, json::object job) {
  std::string name = text_at(job, "name");
  stored.insert_or_assign(std::move(name), std::move(job));
}

Outcome<StoredJobs> look_up(const Client& client, const Declarations& declared) {
  StoredJobs stored;
  for (const DeclaredJob& job : declared.jobs) {
    if (job.name.empty()) continue;
    Outcome<json::object> found = client.get_object(path_of("/v2/jobs", job.name));
    if (!found && found.error().exit == ExitCode::not_found) continue;
    if (!found) return std::unexpected(found.error());
    keep(stored, std::move(*found));
  }
  return stored;
}

Outcome<StoredJobs> list_stored(const Client& client, const Query& query) {
  Outcome<Client::List> list = client.list("/v2/jobs", query, no_limit);
  if (!list) return std::unexpected(list.error());
  StoredJobs stored;
  for (json::object& job : list->items) keep(stored, std::move(job));
  return stored;
}

// The live jobs that the plan is about: those that are declared, and those that may be pruned.
Outcome<StoredJobs> read_stored(const Client& client, const Declarations& declared,
                                const Labels& selector, bool prune) {
  if (declared.jobs.size() > lookups_max) return list_stored(client, {});
  Outcome<StoredJobs> stored = look_up(client, declared);
  if (!stored || !prune) return stored;
  Query query;
  for (const auto& [key, value] : selector) query.emplace_back("label", key + "=" + value);
  Outcome<StoredJobs> owned = list_stored(client, query);
  if (!owned) return owned;
  stored->merge(std::move(*owned));
  return stored;
}

// Lists of jobs, each one request.
std::vector<json::array> bulks_of(Plan& plan) {
  std::vector<json::array> bulks;
  std::size_t bytes = 0;
  for (PlannedJob& job : plan.jobs) {
    if (job.step == Step::remove || job.step == Step::unchanged) continue;
    const std::size_t size = json::serialize(job.item).size();
    if (bulks.empty() || bulks.back().size() == bulk_jobs_max || bytes + size > bulk_bytes_max) {
      bulks.emplace_back();
      bytes = 0;
    }
    bytes += size;
    bulks.back().emplace_back(std::move(job.item));
  }
  return bulks;
}

// What was written, and the problem that ended it early.
struct Written {
  std::size_t created = 0;
  std::size_t changed = 0;
  std::size_t removed = 0;
  std::size_t unchanged = 0;
  std::optional<Problem> problem{};

  std::size_t changes() const { return created + changed + removed; }
};

// By revision: a secret that is as it was stored makes none.
void count_answers(const json::object& answer, const std::map<std::string, const PlannedJob*>& jobs,
                   Written& written) {
  const json::array* items = array_at(answer, "items");
  if (!items) return;
  for (const json::value& item : *items) {
    if (!item.is_object()) continue;
    const auto found = jobs.find(text_at(item.get_object(), "name"));
    if (found == jobs.end()) continue;
    const PlannedJob& job = *found->second;
    const auto revision =
        static_cast<std::int64_t>(number_at(item.get_object(), "revision").value_or(0));
    ++(job.step == Step::create   ? written.created
       : revision == job.revision ? written.unchanged
                                  : written.changed);
  }
}

Written write(Session& session, const Client& client, Plan plan) {
  Written written;
  written.unchanged = plan.count(Step::unchanged);
  std::map<std::string, const PlannedJob*> jobs;
  for (const PlannedJob& job : plan.jobs) jobs[job.name] = &job;
  const std::size_t total = plan.jobs.size() - written.unchanged;
  Progress progress(session.err(), session.world().streams.err_terminal, "applying", total);
  std::size_t done = 0;
  for (json::array& bulk : bulks_of(plan)) {
    done += bulk.size();
    const Outcome<json::object> answer = client.send_object(
        "POST", "/v2/jobs/bulk?existing=replace", json::object{{"items", std::move(bulk)}});
    if (!answer) {
      written.problem = answer.error();
      return written;
    }
    count_answers(*answer, jobs, written);
    progress.show(done);
  }
  for (const PlannedJob& job : plan.jobs) {
    if (job.step != Step::remove) continue;
    // One that was changed since it was read may have lost the label.
    const Outcome<void> gone = client.remove(path_of("/v2/jobs", job.id), job.revision);
    if (!gone && gone.error().exit != ExitCode::not_found) {
      written.problem = gone.error();
      return written;
    }
    ++written.removed;
    progress.show(++done);
  }
  return written;
}

std::string written_text(const Written& written) {
  return std::to_string(written.created) + " created, " + std::to_string(written.changed) +
         " changed, " + std::to_string(written.removed) + " removed, " +
         std::to_string(written.unchanged) + " unchanged\n";
}

void show_plan(Session& session, const Plan& plan, Use use) {
  const PlanView view{session.world().zone, session.colour()};
  session.out() << (use == Use::diff ? diff_text(plan, view) : plan_text(plan, view));
  if (use == Use::plan) session.out() << summary_text(plan);
}

Outcome<ExitCode> apply(Session& session, const Client& client, Plan plan, bool detailed) {
  if (!session.json()) show_plan(session, plan, Use::apply);
  json::object shown = plan_json(plan);
  const std::string starts = starts_text(plan);
  Written written = write(session, client, std::move(plan));
  if (session.json()) {
    shown["written"] = {{"created", written.created},
                        {"changed", written.changed},
                        {"removed", written.removed},
                        {"unchanged", written.unchanged}};
    session.print_json(shown);
  } else {
    session.out() << written_text(written) << (written.problem ? "" : starts);
  }
  if (written.problem) {
    if (written.changes() > 0) written.problem->exit = ExitCode::partly;
    written.problem->advice =
        "apply again: it goes on where this ended. " + std::move(written.problem->advice);
    return std::unexpected(std::move(*written.problem));
  }
  return detailed && written.changes() > 0 ? ExitCode::changes : ExitCode::ok;
}

Outcome<ExitCode> run(Session& session, const Flags& flags, Use use) {
  const Outcome<Labels> selector = read_selector(flags);
  if (!selector) return std::unexpected(selector.error());
  const Outcome<Declarations> declared = read_files(session, flags);
  if (!declared) return std::unexpected(declared.error());
  const Outcome<Client> client = Client::open(session);
  const Outcome<StoredJobs> stored = client
                                         ? read_stored(*client, *declared, *selector, flags.prune)
                                         : Outcome<StoredJobs>(std::unexpected(client.error()));
  // Without a server the faults of the files as such are known all the same.
  if (!stored)
    return std::unexpected(declared->faults.empty() ? stored.error()
                                                    : faulty_files(declared->faults));
  PlanContext context{session.world().zone, session.world().now(), *selector, flags.prune};
  const bool writes = use == Use::apply && !flags.dry_run;
  if (writes) context.env = session.world().env;
  Outcome<Plan> plan = make_plan(*declared, *stored, context);
  if (!plan) return std::unexpected(plan.error());
  if (writes) return apply(session, *client, std::move(*plan), flags.detailed_exitcode);
  if (session.json())
    session.print_json(plan_json(*plan));
  else
    show_plan(session, *plan, use == Use::apply ? Use::plan : use);
  return flags.detailed_exitcode && plan->changes() ? ExitCode::changes : ExitCode::ok;
}

// With --detailed-exitcode 2 means changes and nothing else.
Outcome<ExitCode> run_detailed(Session& session, const Flags& flags, Use use) {
  Outcome<ExitCode> done = run(session, flags, use);
  if (!done && flags.detailed_exitcode && done.error().exit == ExitCode::usage)
    done.error().exit = ExitCode::failure;
  return done;
}

void add_verb(Tree& tree, const Tree::Verb& verb, Use use) {
  auto flags = std::make_shared<Flags>();
  CLI::App& app = tree.verb(tree.root(), verb, [flags, use](Session& session) {
    return run_detailed(session, *flags, use);
  });
  texts_flag(app, "-f,--file", "FILE", flags->files,
             "A YAML file, a directory of them, or - for standard input; may be repeated.")
      ->required();
  texts_flag(app, "-l,--selector", "KEY=VALUE", flags->selector,
             "The label that marks the files' jobs as theirs; it is put on each of them.");
  app.add_flag("--prune", flags->prune,
               "Remove the jobs with the selector's labels that the files no longer declare.");
  app.add_flag("--detailed-exitcode", flags->detailed_exitcode,
               "Exit with 2 when there are changes, and with 1 for faults of the files.");
  if (use == Use::apply)
    app.add_flag("--dry-run", flags->dry_run, "Show what would change, and change nothing.");
}

}  // namespace

void add_apply_verbs(Tree& tree) {
  add_verb(tree,
           {"plan",
            "Show what `apply` would change, and the next fires before and after.",
            {"cronally plan -f jobs.yaml",
             "cronally plan -f jobs/ --selector app=shop --prune --detailed-exitcode"}},
           Use::plan);
  add_verb(tree,
           {"apply",
            "Make the server's jobs what the files declare.",
            {"cronally apply -f jobs.yaml", "cronally apply -f jobs/ --selector app=shop --prune"}},
           Use::apply);
  add_verb(tree,
           {"diff",
            "Show the difference between the files and the server's jobs, line by line.",
            {"cronally diff -f jobs.yaml", "cronally export | cronally diff -f -"}},
           Use::diff);
}

}  // namespace cronally::cli
