// job add|list|show|edit|rm|pause|resume|run
#include <memory>
#include <utility>

#include "base/text.h"
#include "cli/client.h"
#include "cli/follow.h"
#include "cli/job_body.h"
#include "cli/tree.h"
#include "cli/views.h"
#include "cli/when.h"

namespace cronally::cli {
namespace json = boost::json;

namespace {

View view_of(Session& session) { return {session.world().now(), session.colour()}; }

// "next 2026-12-01T10:00:00Z, in 3h" or what stands for it.
std::string next_text(const json::object& job, Instant now) {
  const Result<Instant> next = parse_instant(text_at(job, "next_at"));
  if (!next) return job_status(job);
  return "next " + format_instant(*next) + ", " + format_relative(*next, now);
}

void say_done(Session& session, const char* done, const json::object& job) {
  if (session.json()) return session.print_json(job);
  session.out() << done << " " << printable(text_at(job, "name"));
  if (job_status(job) != "paused") session.out() << ": " << next_text(job, session.world().now());
  session.out() << "\n";
}

// Zone of --at and --anchor: --zone, else the job's own, else UTC.
JobInputs inputs_of(Session& session, std::string zone) {
  return {[&session, zone](const std::string& text) -> Outcome<std::string> {
            const Outcome<Instant> at = session.read_time(text, zone);
            if (!at) return std::unexpected(at.error());
            return format_instant(*at);
          },
          [&session](const std::string& source) { return session.read_secret(source); },
          [&session](const std::string& path) { return session.read_body(path); }};
}

Outcome<ExitCode> add(Session& session, const JobFlags& flags) {
  const Outcome<json::object> body =
      job_body(flags, JobUse::add, inputs_of(session, flags.zone.value_or("UTC")));
  if (!body) return std::unexpected(body.error());
  const Outcome<Client> client = Client::open(session);
  if (!client) return std::unexpected(client.error());
  const Outcome<json::object> job = client->send_object("POST", "/v2/jobs", *body);
  if (!job) return std::unexpected(job.error());
  say_done(session, "added", *job);
  return ExitCode::ok;
}

bool needs_zone(const JobFlags& flags) {
  return !flags.zone &&
         ((flags.at && is_local_time(*flags.at)) || (flags.anchor && is_local_time(*flags.anchor)));
}

Outcome<ExitCode> edit(Session& session, const std::string& name, const JobFlags& flags) {
  const std::string path = path_of("/v2/jobs", name);
  std::string zone = flags.zone.value_or("UTC");
  Outcome<Client> client = std::unexpected(Problem{});
  if (needs_zone(flags)) {
    client = Client::open(session);
    if (!client) return std::unexpected(client.error());
    const Outcome<json::object> job = client->get_object(path);
    if (!job) return std::unexpected(job.error());
    zone = text_at(*job, "zone");
  }
  const Outcome<json::object> body = job_body(flags, JobUse::edit, inputs_of(session, zone));
  if (!body) return std::unexpected(body.error());
  if (!client) client = Client::open(session);
  if (!client) return std::unexpected(client.error());
  const Outcome<json::object> job = client->send_object("PATCH", path, *body);
  if (!job) return std::unexpected(job.error());
  say_done(session, "changed", *job);
  return ExitCode::ok;
}

struct ListFlags {
  std::vector<std::string> labels;
  std::optional<std::string> prefix;
  std::size_t limit = no_limit;
};

Outcome<ExitCode> list(Session& session, const ListFlags& flags) {
  const Outcome<Client> client = Client::open(session);
  if (!client) return std::unexpected(client.error());
  Query query;
  for (const std::string& label : flags.labels) query.emplace_back("label", label);
  if (flags.prefix) query.emplace_back("name_prefix", *flags.prefix);
  const Outcome<Client::List> jobs = client->list("/v2/jobs", query, flags.limit);
  if (!jobs) return std::unexpected(jobs.error());
  if (session.json())
    session.print_json(jobs->json());
  else if (jobs->items.empty())
    session.err() << "no jobs\n";
  else
    session.out() << jobs_table(jobs->items, view_of(session));
  return ExitCode::ok;
}

Outcome<ExitCode> show(Session& session, const std::string& name) {
  const Outcome<Client> client = Client::open(session);
  if (!client) return std::unexpected(client.error());
  const Outcome<json::object> job = client->get_object(path_of("/v2/jobs", name));
  if (!job) return std::unexpected(job.error());
  if (session.json()) {
    session.print_json(*job);
    return ExitCode::ok;
  }
  const Result<cctz::time_zone> zone = session.world().zone(text_at(*job, "zone"));
  session.out() << job_facts(*job, zone.value_or(cctz::utc_time_zone()), view_of(session));
  return ExitCode::ok;
}

// Does the same to each name; a problem with one is said and the rest goes on.
Outcome<ExitCode> for_each(Session& session, const std::vector<std::string>& names,
                           const std::function<Outcome<void>(const Client&, std::string)>& act) {
  const Outcome<Client> client = Client::open(session);
  if (!client) return std::unexpected(client.error());
  std::vector<ExitCode> codes;
  for (const std::string& name : names) {
    const Outcome<void> done = act(*client, name);
    codes.push_back(done ? ExitCode::ok : done.error().exit);
    if (!done) session.err() << text_of(done.error());
  }
  return exit_code_of_all(codes);
}

Outcome<ExitCode> toggle(Session& session, const std::vector<std::string>& names, bool pause) {
  return for_each(
      session, names, [&](const Client& client, const std::string& name) -> Outcome<void> {
        const std::string path = path_of("/v2/jobs", name) + (pause ? "/pause" : "/resume");
        const Outcome<json::object> job = client.send_object("POST", path);
        if (!job) return std::unexpected(job.error());
        say_done(session, pause ? "paused" : "resumed", *job);
        return {};
      });
}

Outcome<bool> confirmed(Session& session, const std::vector<std::string>& names) {
  if (!session.world().streams.in_terminal)
    return usage("job rm asks before it removes, and there is no terminal to ask on", "add --yes.");
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + quote(name);
  session.err() << "Remove " << list << "? Pending retries end with it. [y/N] " << std::flush;
  std::string answer;
  std::getline(session.world().streams.in, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

Outcome<ExitCode> remove(Session& session, const std::vector<std::string>& names, bool yes) {
  if (!yes) {
    const Outcome<bool> sure = confirmed(session, names);
    if (!sure) return std::unexpected(sure.error());
    if (!*sure) {
      session.err() << "nothing removed\n";
      return ExitCode::failure;
    }
  }
  return for_each(
      session, names, [&](const Client& client, const std::string& name) -> Outcome<void> {
        const Outcome<json::value> gone = client.send("DELETE", path_of("/v2/jobs", name));
        if (!gone) return std::unexpected(gone.error());
        if (session.json())
          session.print_json(*gone);
        else
          session.out() << "removed " << printable(name) << "\n";
        return {};
      });
}

Outcome<ExitCode> run_now(Session& session, const std::string& name, bool wait) {
  const Outcome<Client> client = Client::open(session);
  if (!client) return std::unexpected(client.error());
  const std::string path = path_of("/v2/jobs", name);
  Follower follower(session, *client, name);
  if (wait)
    if (const Outcome<void> begun = follower.start(); !begun) return std::unexpected(begun.error());
  Outcome<json::object> run = client->send_object("POST", path + "/run");
  if (!run) return std::unexpected(run.error());
  if (wait) run = follower.until_ended(std::move(*run));
  if (!run) return std::unexpected(run.error());
  if (session.json())
    session.print_json(*run);
  else if (wait)
    session.out() << run_facts(*run, view_of(session));
  else
    session.out() << text_at(*run, "id") << "\n";
  const bool failed = wait && run_status(*run) != "succeeded";
  return failed ? ExitCode::failure : ExitCode::ok;
}

void add_schedule_flags(CLI::App& app, JobFlags& flags) {
  text_flag(app, "--cron", "EXPR", flags.cron,
            "When: a cron expression, such as '0 9 * * MON-FRI'.");
  text_flag(app, "--every", "LENGTH", flags.every, "When: each interval, such as 90s or 1h30m.");
  text_flag(app, "--at", "TIME", flags.at,
            "When: once; RFC 3339, +2h, or local time of the zone (2026-12-01T10:00).");
  app.add_flag("--never", flags.never, "When: only by hand.");
  text_flag(app, "--zone", "ZONE", flags.zone, "Time zone of the schedule; UTC by default.");
  text_flag(app, "--dst", "run|skip", flags.dst,
            "What becomes of local times that a clock change leaves out; run by default.");
  text_flag(app, "--anchor", "TIME", flags.anchor, "An instant of the interval's grid.");
}

void add_target_flags(CLI::App& app, JobFlags& flags) {
  text_flag(app, "--url", "URL", flags.url, "Where to: http or https.");
  text_flag(app, "--method", "METHOD", flags.method, "HTTP method; POST by default.");
  texts_flag(app, "--header", "NAME:VALUE", flags.headers, "A header; again for more.");
  texts_flag(app, "--secret-header", "NAME=@FILE", flags.secret_headers,
             "A header whose value is kept sealed; read from a file, or from standard input with "
             "NAME=-.");
  text_flag(app, "--body", "TEXT", flags.body, "The request's body.");
  text_flag(app, "--body-file", "FILE", flags.body_file, "The body from a file, or - .");
  text_flag(app, "--timeout", "LENGTH", flags.timeout, "For one request; 30s by default.");
}

void add_sns_flags(CLI::App& app, JobFlags& flags) {
  text_flag(app, "--sns-topic", "ARN", flags.sns_topic, "Where to: a topic of Amazon SNS.");
  text_flag(app, "--sns-region", "REGION", flags.sns_region, "If it is not the topic's.");
  text_flag(app, "--sns-access-key-id", "ID", flags.sns_access_key_id,
            "A key of the job's own; without one, the server's credentials.");
  text_flag(app, "--sns-secret-access-key", "@FILE", flags.sns_secret_access_key,
            "Its secret, kept sealed; from a file, or - for standard input.");
  text_flag(app, "--message", "TEXT", flags.message, "The message.");
  text_flag(app, "--message-file", "FILE", flags.message_file, "The message from a file, or - .");
  text_flag(app, "--subject", "TEXT", flags.subject, "The message's subject.");
  text_flag(app, "--message-group-id", "ID", flags.message_group_id,
            "Its group; of a FIFO topic the job's id by default.");
  texts_flag(app, "--message-attribute", "NAME=VALUE", flags.message_attributes,
             "A text or a whole number; again for more.");
}

void add_policy_flags(CLI::App& app, JobFlags& flags) {
  text_flag(app, "--attempts", "N", flags.attempts,
            "Failures until a run has failed; 5 by default.");
  text_flag(app, "--backoff-min", "LENGTH", flags.backoff_min, "First wait between attempts; 1s.");
  text_flag(app, "--backoff-max", "LENGTH", flags.backoff_max, "Longest wait; 5m.");
  text_flag(app, "--age-max", "LENGTH", flags.age_max,
            "No retry later than this after the first attempt.");
  text_flag(app, "--catch-up", "latest|all|skip", flags.catch_up,
            "What becomes of what was missed; latest by default.");
  text_flag(app, "--catch-up-window", "LENGTH", flags.catch_up_window,
            "How late a run may begin; 1h by default.");
  text_flag(app, "--catch-up-limit", "N", flags.catch_up_limit,
            "With --catch-up all: so many at most.");
  text_flag(app, "--delivery", "at_least_once|at_most_once", flags.delivery,
            "Whether an attempt of unknown fate is repeated; at_least_once by default.");
  text_flag(app, "--description", "TEXT", flags.description, "For people.");
  texts_flag(app, "--label", "NAME=VALUE", flags.labels, "A label; again for more.");
  app.add_flag("--paused", flags.paused, "Declare it, but do not run it yet.");
}

void add_add(Tree& tree, CLI::App& group) {
  auto flags = std::make_shared<JobFlags>();
  CLI::App& app = tree.verb(
      group,
      {"add",
       "Declare a job.",
       {"cronally job add report --cron '0 9 * * MON-FRI' --zone Europe/Riga --url "
        "https://example.com/report",
        "cronally job add ping --every 30s --url https://example.com/ping --secret-header "
        "Authorization=@token.txt",
        "cronally job add orders --every 1h --sns-topic arn:aws:sns:eu-west-1:123456789012:orders "
        "--message 'count {{scheduled_at}}'"}},
      [flags](Session& session) { return add(session, *flags); });
  text_flag(app, "NAME", "", flags->name, "The job's name, unique in the account.")->required();
  add_schedule_flags(app, *flags);
  add_target_flags(app, *flags);
  add_sns_flags(app, *flags);
  add_policy_flags(app, *flags);
}

void add_edit(Tree& tree, CLI::App& group) {
  auto flags = std::make_shared<JobFlags>();
  auto name = std::make_shared<std::string>();
  CLI::App& app =
      tree.verb(group,
                {"edit",
                 "Change what is given of a job; the value `default` puts a policy back.",
                 {"cronally job edit report --cron '30 9 * * *'",
                  "cronally job edit report --timeout 2m --attempts default --remove-label team"}},
                [flags, name](Session& session) { return edit(session, *name, *flags); });
  app.add_option("JOB", *name, "Name or id.")->required();
  text_flag(app, "--name", "NAME", flags->name, "The new name.");
  add_schedule_flags(app, *flags);
  add_target_flags(app, *flags);
  add_sns_flags(app, *flags);
  add_policy_flags(app, *flags);
  texts_flag(app, "--remove-header", "NAME", flags->remove_headers,
             "Drop a header, plain or secret.");
  texts_flag(app, "--remove-message-attribute", "NAME", flags->remove_message_attributes,
             "Drop an attribute of the message.");
  texts_flag(app, "--remove-label", "NAME", flags->remove_labels, "Drop a label.");
}

void add_list(Tree& tree, CLI::App& group) {
  auto flags = std::make_shared<ListFlags>();
  CLI::App& app =
      tree.verb(group,
                {"list",
                 "List jobs, newest first.",
                 {"cronally job list", "cronally job list --label team=billing --json"}},
                [flags](Session& session) { return list(session, *flags); });
  texts_flag(app, "--label", "NAME=VALUE", flags->labels, "Only jobs with this label.");
  text_flag(app, "--prefix", "TEXT", flags->prefix, "Only jobs whose name begins so.");
  app.add_option("--limit", flags->limit, "So many at most; all by default.")->type_name("N");
}

void add_show(Tree& tree, CLI::App& group) {
  auto name = std::make_shared<std::string>();
  CLI::App& app = tree.verb(
      group,
      {"show", "Show one job.", {"cronally job show report", "cronally job show report --json"}},
      [name](Session& session) { return show(session, *name); });
  app.add_option("JOB", *name, "Name or id.")->required();
}

CLI::Option* names_option(CLI::App& app, std::vector<std::string>& names) {
  return app.add_option("JOB", names, "Names or ids.")->required();
}

void add_remove(Tree& tree, CLI::App& group) {
  auto names = std::make_shared<std::vector<std::string>>();
  auto yes = std::make_shared<bool>(false);
  CLI::App& app =
      tree.verb(group,
                {"rm",
                 "Remove jobs; asks first. Their runs stay in the ledger.",
                 {"cronally job rm report", "cronally job rm report ping --yes"}},
                [names, yes](Session& session) { return remove(session, *names, *yes); });
  names_option(app, *names);
  app.add_flag("-y,--yes", *yes, "Do not ask.");
}

void add_toggle(Tree& tree, CLI::App& group, bool pause) {
  auto names = std::make_shared<std::vector<std::string>>();
  const std::string name = pause ? "pause" : "resume";
  CLI::App& app =
      tree.verb(group,
                {name,
                 pause ? "Stop jobs from running until they are resumed."
                       : "Let paused jobs run again, from now on.",
                 {"cronally job " + name + " report", "cronally job " + name + " report ping"}},
                [names, pause](Session& session) { return toggle(session, *names, pause); });
  names_option(app, *names);
}

void add_run_now(Tree& tree, CLI::App& group) {
  auto name = std::make_shared<std::string>();
  auto wait = std::make_shared<bool>(false);
  CLI::App& app = tree.verb(
      group,
      {"run",
       "Run a job now, besides its schedule; prints the run's id, or with --wait all of it.",
       {"cronally job run report", "cronally job run report --wait"}},
      [name, wait](Session& session) { return run_now(session, *name, *wait); });
  app.add_option("JOB", *name, "Name or id.")->required();
  app.add_flag("--wait", *wait, "Wait for its end; exit code 1 unless it succeeded.");
}

}  // namespace

void add_job_verbs(Tree& tree) {
  CLI::App& group = tree.group("job", "Declare, change and run jobs.");
  add_add(tree, group);
  add_list(tree, group);
  add_show(tree, group);
  add_edit(tree, group);
  add_remove(tree, group);
  add_toggle(tree, group, true);
  add_toggle(tree, group, false);
  add_run_now(tree, group);
}

}  // namespace cronally::cli
