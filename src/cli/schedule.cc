// next EXPR and explain EXPR: schedules on this machine, without a server.
#include <memory>
#include <utility>

#include "base/text.h"
#include "cli/clock_changes.h"
#include "cli/table.h"
#include "cli/tree.h"
#include "cli/when.h"
#include "cron/describe.h"
#include "cron/schedule.h"

namespace cronally::cli {
namespace json = boost::json;

namespace {

struct Flags {
  std::vector<std::string> words;  // of the expression; one when it is quoted
  std::optional<std::string> zone;
  std::optional<std::string> dst;
  std::optional<std::string> from;
  std::optional<std::string> name;
  std::size_t count = 10;
  bool plain = false;
};

struct Question {
  std::string text;
  std::string zone_name;
  cctz::time_zone zone;
  cron::Schedule schedule;
  Instant from;
};

constexpr std::size_t count_max = 100'000;
constexpr std::size_t explain_count = 5;
constexpr auto year = std::chrono::days{366};

// Several words are fine for "@every 90s", and a trap for an expression without quotes.
std::unexpected<Problem> usage_of(Error error, bool several_words) {
  std::unexpected<Problem> problem = usage(std::move(error));
  if (several_words)
    problem.error().advice =
        "put the expression in quotes: without them the shell replaces * by names of files.";
  return problem;
}

Outcome<Question> read(Session& session, const Flags& flags) {
  Question question;
  for (const std::string& word : flags.words)
    question.text += (question.text.empty() ? "" : " ") + word;
  question.zone_name = flags.zone.value_or("UTC");
  const Result<cctz::time_zone> zone = session.world().zone(question.zone_name);
  if (!zone) return usage(zone.error());
  question.zone = *zone;
  if (flags.dst && *flags.dst != "run" && *flags.dst != "skip")
    return usage("--dst takes run or skip, not " + quote(*flags.dst));
  if (flags.count < 1 || flags.count > count_max) return usage("--count takes 1 to 100000");
  cron::Context context{*zone};
  context.dst = flags.dst == "skip" ? cron::Dst::skip : cron::Dst::run;
  if (flags.name) context.name = *flags.name;
  Result<cron::Schedule> schedule = cron::parse_schedule(question.text, context);
  if (!schedule) return usage_of(schedule.error(), flags.words.size() > 1);
  question.schedule = std::move(*schedule);
  const Outcome<Instant> from = session.read_time(flags.from.value_or("now"), question.zone_name);
  if (!from) return std::unexpected(from.error());
  question.from = *from;
  return question;
}

std::vector<Instant> fires_of(const Question& question, std::size_t count) {
  std::vector<Instant> fires;
  std::optional<Instant> at = question.from - Duration{1};  // one at `from` itself is shown
  while (fires.size() < count) {
    at = cron::next(question.schedule, *at);
    if (!at) break;
    fires.push_back(*at);
  }
  return fires;
}

bool shows_local(const Question& question) {
  return question.zone_name != "UTC" && question.zone_name != "Etc/UTC";
}

std::string fires_table(const Question& question, const std::vector<Instant>& fires,
                        Session& session) {
  std::vector<std::vector<Cell>> rows;
  for (const Instant at : fires) {
    std::vector<Cell> row;
    if (shows_local(question)) row.emplace_back(format_local(at, question.zone));
    row.emplace_back(format_instant(at));
    row.emplace_back(format_relative(at, session.world().now()));
    rows.push_back(std::move(row));
  }
  std::vector<Column> columns{{"UTC"}, {""}};
  if (shows_local(question)) columns.insert(columns.begin(), {printable(question.zone_name)});
  return format_table(columns, rows, session.colour());
}

json::array fires_json(const Question& question, const std::vector<Instant>& fires) {
  json::array items;
  for (const Instant at : fires)
    items.push_back(
        json::object{{"at", format_instant(at)}, {"local", format_local(at, question.zone)}});
  return items;
}

json::object question_json(const Question& question) {
  return {{"schedule", question.text}, {"zone", question.zone_name}};
}

// The description, with the zone under the name that was asked for: a loaded zone may carry a
// longer one (runtime/zone_loader).
std::string english_of(const Question& question) {
  std::string text = cron::describe(question.schedule);
  const std::string loaded = question.zone.name();
  if (const std::size_t at = text.rfind(loaded); at != std::string::npos)
    text.replace(at, loaded.size(), question.zone_name);
  return text;
}

Outcome<ExitCode> next(Session& session, const Flags& flags) {
  const Outcome<Question> question = read(session, flags);
  if (!question) return std::unexpected(question.error());
  const std::vector<Instant> fires = fires_of(*question, flags.count);
  if (session.json()) {
    json::object answer = question_json(*question);
    answer["items"] = fires_json(*question, fires);
    session.print_json(answer);
  } else if (flags.plain) {
    for (const Instant at : fires) session.out() << format_instant(at) << "\n";
  } else {
    session.out() << fires_table(*question, fires, session);
  }
  if (fires.empty())
    session.err() << "never due from " << format_instant(question->from) << " on\n";
  return ExitCode::ok;
}

Outcome<ExitCode> explain(Session& session, const Flags& flags) {
  const Outcome<Question> question = read(session, flags);
  if (!question) return std::unexpected(question.error());
  const std::string english = english_of(*question);
  const std::vector<Instant> fires = fires_of(*question, explain_count);
  const std::vector<ClockChange> changes =
      clock_changes(question->schedule, question->from, question->from + year);
  if (session.json()) {
    json::object answer = question_json(*question);
    answer["description"] = english;
    answer["items"] = fires_json(*question, fires);
    json::array notes;
    for (const ClockChange& change : changes)
      notes.push_back(json::object{{"at", format_instant(change.at)},
                                   {"clock_from", change.clock_from},
                                   {"clock_to", change.clock_to},
                                   {"effect", change.detail}});
    answer["dst_changes"] = std::move(notes);
    session.print_json(answer);
    return ExitCode::ok;
  }
  session.out() << english << "\n";
  if (!fires.empty()) session.out() << "\n" << fires_table(*question, fires, session);
  if (!changes.empty()) session.out() << "\nClock changes within a year:\n";
  for (const ClockChange& change : changes) session.out() << "  " << change.detail << "\n";
  return ExitCode::ok;
}

void add_flags(CLI::App& app, Flags& flags) {
  app.add_option("EXPR", flags.words,
                 "A cron expression, @hourly and the like, @every LENGTH, @at TIME or @never.")
      ->required();
  text_flag(app, "--zone", "ZONE", flags.zone, "Time zone of the expression; UTC by default.");
  text_flag(app, "--dst", "run|skip", flags.dst,
            "What becomes of local times that a clock change leaves out; run by default.");
  text_flag(app, "--from", "TIME", flags.from,
            "From here on: RFC 3339, now (the default), +2h, or local time of the zone.");
  text_flag(app, "--name", "NAME", flags.name, "The job's name, which H hashes.");
}

}  // namespace

void add_schedule_verbs(Tree& tree) {
  auto next_flags = std::make_shared<Flags>();
  CLI::App& next_app =
      tree.verb(tree.root(),
                {"next",
                 "Show when a schedule fires next; needs no server.",
                 {"cronally next '0 9 * * MON-FRI' --zone Europe/Riga",
                  "cronally next @hourly --from 2026-12-01T00:00:00Z --count 24 --plain"}},
                [next_flags](Session& session) { return next(session, *next_flags); });
  add_flags(next_app, *next_flags);
  next_app.add_option("--count", next_flags->count, "So many; 10 by default.")->type_name("N");
  next_app.add_flag("--plain", next_flags->plain, "One UTC instant a line, for scripts.");

  auto explain_flags = std::make_shared<Flags>();
  CLI::App& explain_app =
      tree.verb(tree.root(),
                {"explain",
                 "Say in English what a schedule means, and what clock changes do to it.",
                 {"cronally explain '*/15 9-17 * * MON-FRI'",
                  "cronally explain '30 2 * * *' --zone Europe/Berlin --dst skip"}},
                [explain_flags](Session& session) { return explain(session, *explain_flags); });
  add_flags(explain_app, *explain_flags);
}

}  // namespace cronally::cli
