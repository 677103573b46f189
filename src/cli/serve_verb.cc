#include <algorithm>
#include <array>
#include <memory>

#include "base/text.h"
#include "cli/tree.h"

namespace cronally::cli {
namespace {

struct ServeFlags {
  ServeOptions options;
  std::optional<std::string> database;
  std::optional<std::string> lease_ttl;
  std::string journal = "on";
  std::optional<std::string> drain_timeout;
  std::optional<std::string> runs_keep;
  std::optional<std::string> base_path;
  std::optional<std::string> v1_window;
};

constexpr Duration runs_keep_min = std::chrono::minutes{5};  // store::Keep keeps these anyway
constexpr Duration runs_keep_max = std::chrono::days{3650};
constexpr Duration lease_ttl_max = std::chrono::seconds{60};
constexpr Duration v1_window_max = std::chrono::hours{24};

constexpr std::array<std::string_view, 4> levels{"debug", "info", "warning", "error"};
constexpr std::array<std::string_view, 2> switches{"on", "off"};
constexpr std::array<std::string_view, 2> formats{"text", "json"};

Outcome<void> check_word(std::string_view flag, const std::string& word,
                         std::span<const std::string_view> known) {
  for (const std::string_view candidate : known)
    if (word == candidate) return {};
  std::string allowed;
  for (const std::string_view candidate : known)
    allowed += (allowed.empty() ? "" : ", ") + std::string(candidate);
  return usage(std::string(flag) + " takes " + allowed + ", not " + quote(word) +
               did_you_mean(word, known));
}

// Of a path before the API's own: "/cron", whole segments of unreserved characters.
bool is_base_path(std::string_view path) {
  const bool sound = std::ranges::all_of(path, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("-._~/").contains(c);
  });
  return sound && path.starts_with('/') && !path.ends_with('/') && !path.contains("//");
}

Outcome<void> read_v1(const ServeFlags& flags, api::V1Options& v1) {
  if (flags.base_path) {
    v1.base_path = *flags.base_path;
    if (v1.base_path.ends_with('/')) v1.base_path.pop_back();
    if (!v1.base_path.empty() && !is_base_path(v1.base_path))
      return usage("--base-path takes a path such as /cron, not " + quote(*flags.base_path));
  }
  if (!flags.v1_window) return {};
  const Result<Duration> length = parse_duration(*flags.v1_window);
  if (!length) return usage("--v1-window: " + length.error().message);
  if (*length > v1_window_max) return usage("--v1-window takes a length of at most 1d, such as 5m");
  v1.window = *length;
  return {};
}

Outcome<void> read_store(const ServeFlags& flags, ServeOptions& options) {
  options.database = flags.database.value_or("");
  if (auto fine = check_word("--journal", flags.journal, switches); !fine) return fine;
  options.journal = flags.journal == "on";
  if (!flags.lease_ttl) return {};
  const Result<Duration> length = parse_duration(*flags.lease_ttl);
  if (!length) return usage("--lease-ttl: " + length.error().message);
  if (*length < core::lease_ttl_min || *length > lease_ttl_max)
    return usage("--lease-ttl takes a length from 2s to 1m, such as 5s");
  options.lease_ttl = *length;
  return {};
}

Outcome<ServeOptions> options_of(const ServeFlags& flags, const Session& session) {
  ServeOptions options = flags.options;
  options.data_dir = session.data_dir();
  if (auto read = read_store(flags, options); !read) return std::unexpected(read.error());
  if (auto fine = check_word("--log-level", options.log_level, levels); !fine)
    return std::unexpected(fine.error());
  if (auto fine = check_word("--log-format", options.log_format, formats); !fine)
    return std::unexpected(fine.error());
  if (flags.drain_timeout) {
    const Result<Duration> length = parse_duration(*flags.drain_timeout);
    if (!length) return usage("--drain-timeout: " + length.error().message);
    options.drain_timeout = *length;
  }
  if (flags.runs_keep) {
    const Result<Duration> length = parse_duration(*flags.runs_keep);
    if (!length) return usage("--runs-keep: " + length.error().message);
    if (*length < runs_keep_min || *length > runs_keep_max)
      return usage("--runs-keep takes a length from 5m to 3650d, such as 30d");
    options.runs_keep = *length;
  }
  if (auto read = read_v1(flags, options.v1); !read) return std::unexpected(read.error());
  if (options.destination_concurrency < 1)
    return usage("--destination-concurrency takes a number from 1 on");
  if (options.runs_max < 1) return usage("--runs-max takes a number from 1 on");
  return options;
}

void add_v1_flags(CLI::App& app, ServeFlags& flags) {
  text_flag(app, "--v1-window", "LENGTH", flags.v1_window,
            "How far the date of a signed request may lie from the clock; 5m without it.")
      ->envname("CRONALLY_V1_WINDOW");
  app.add_flag("--v1-signup", flags.options.v1.signup_open,
               "Let everybody make an account by POST /account/; else it takes an admin token.")
      ->envname("CRONALLY_V1_SIGNUP");
  app.add_flag("--v1-mask-secret", flags.options.v1.secret_masked,
               "Hide the api secret in GET /account/.")
      ->envname("CRONALLY_V1_MASK_SECRET");
  app.add_flag("--v1-refuse-replays", flags.options.v1.replays_refused,
               "Take a signed request that changes something once.")
      ->envname("CRONALLY_V1_REFUSE_REPLAYS");
}

}  // namespace

void add_serve(Tree& tree, ServeFunction serve) {
  auto flags = std::make_shared<ServeFlags>();
  CLI::App& app = tree.verb(
      tree.root(),
      {"serve",
       "Run the server, over the data directory or a PostgreSQL database.",
       {"cronally serve",
        "cronally serve --listen 127.0.0.1:8787 --data-dir /var/lib/cronally --log-format json",
        "cronally serve --standby --listen 127.0.0.1:8788 --data-dir /var/lib/cronally",
        "cronally serve --database postgres://cronally@db1,db2/cronally"}},
      [flags, serve](Session& session) -> Outcome<ExitCode> {
        const Outcome<ServeOptions> options = options_of(*flags, session);
        if (!options) return std::unexpected(options.error());
        return static_cast<ExitCode>(serve(*options));
      });
  app.add_option("--listen", flags->options.listen,
                 "Where the API listens; 127.0.0.1:8787 without it. Port 0 takes a free one.")
      ->type_name("ADDRESS:PORT")
      ->envname("CRONALLY_LISTEN");
  text_flag(app, "--database", "ADDRESS", flags->database,
            "Keep the data in PostgreSQL, which several servers share; without it, in the data "
            "directory. The password is better in PGPASSWORD or a file .pgpass.")
      ->envname("CRONALLY_DATABASE");
  text_flag(app, "--lease-ttl", "LENGTH", flags->lease_ttl,
            "With --database: how long the work of a server stays its own when nothing is heard of "
            "it; 5s without it.")
      ->envname("CRONALLY_LEASE_TTL");
  app.add_option("--journal", flags->journal,
                 "With --database: keep what may have been sent in the data directory too, so that "
                 "a database that forgets is told; on by default.")
      ->type_name("on|off")
      ->envname("CRONALLY_JOURNAL");
  app.add_option("--log-level", flags->options.log_level, "What is logged; info by default.")
      ->type_name("debug|info|warning|error")
      ->envname("CRONALLY_LOG_LEVEL");
  app.add_option("--log-format", flags->options.log_format,
                 "How it is logged, on stderr; text by default.")
      ->type_name("text|json")
      ->envname("CRONALLY_LOG_FORMAT");
  text_flag(app, "--drain-timeout", "LENGTH", flags->drain_timeout,
            "How long a stop waits for requests under way; 25s without it.")
      ->envname("CRONALLY_DRAIN_TIMEOUT");
  app.add_option("--destination-concurrency", flags->options.destination_concurrency,
                 "Requests at the same time to one host and port; 64 without it.")
      ->type_name("N")
      ->envname("CRONALLY_DESTINATION_CONCURRENCY");
  text_flag(app, "--runs-keep", "LENGTH", flags->runs_keep,
            "How long ended runs are kept; 30d without it.")
      ->envname("CRONALLY_RUNS_KEEP");
  app.add_option("--runs-max", flags->options.runs_max,
                 "Runs that are kept at most, the oldest ended ones go first; 10000000 without it.")
      ->type_name("N")
      ->envname("CRONALLY_RUNS_MAX");
  app.add_flag("--standby", flags->options.standby,
               "Wait while another server holds the data directory, and take over when it ends.")
      ->envname("CRONALLY_STANDBY");
  text_flag(app, "--base-path", "PATH", flags->base_path,
            "The path that clients have before the API's own, behind a proxy; signatures may be "
            "over it.")
      ->envname("CRONALLY_BASE_PATH");
  add_v1_flags(app, *flags);
}

}  // namespace cronally::cli
