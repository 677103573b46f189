// doctor: opens the database itself, tells what weakens Cronally's promises, and changes nothing.
#include "cli/doctor.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "cli/table.h"
#include "cli/tree.h"
#include "core/secret_context.h"
#include "runtime/clock.h"
#include "runtime/files.h"
#include "runtime/log.h"
#include "runtime/vault.h"
#include "runtime/zone_loader.h"
#include "store/judge.h"
#include "store/postgres/survey.h"
#include "store/sqlite/survey.h"

namespace cronally::cli {

namespace fs = std::filesystem;
namespace json = boost::json;
using Findings = std::vector<store::Finding>;
using store::Level;

namespace {

std::optional<Error> key_error(const std::vector<store::SealedSecret>& sealed,
                               const fs::path& data_dir) {
  if (sealed.empty()) return std::nullopt;
  const auto vault =
      runtime::Vault::open_or_create(data_dir / "master.key", runtime::MissingKey::refuse);
  if (!vault) return vault.error();
  for (const auto& secret : sealed) {
    const auto opened = vault->open(core::account_context(secret.account), secret.sealed);
    if (!opened) return opened.error();
  }
  return std::nullopt;
}

store::SelfFacts self_facts(const std::vector<store::SealedSecret>& sealed,
                            const fs::path& data_dir) {
  return {.version = CRONALLY_VERSION,
          .tzdata = runtime::ZoneLoader().tzdata_version(),
          .now = runtime::SystemClock().wall(),
          .key = key_error(sealed, data_dir)};
}

}  // namespace

Findings examine_postgres(const std::string& address, const fs::path& data_dir) {
  const runtime::SystemClock clock;
  const auto facts = store::survey_postgres(address, clock);
  if (!facts) {
    return {{"reach", Level::failing, facts.error().message,
             "check the address, that the server runs, and the rights of its user"}};
  }
  return store::judge(*facts, self_facts(facts->sealed, data_dir));
}

Findings examine_sqlite(const fs::path& data_dir) {
  if (!fs::exists(data_dir / "cronally.db")) {
    store::SqliteFacts nothing;
    nothing.file = (data_dir / "cronally.db").string();
    return store::judge(nothing, self_facts({}, data_dir));
  }
  const auto lock = runtime::FileLock::try_acquire(data_dir / "lock");
  const bool running = !lock && lock.error().code == "already_running";
  const auto facts = store::survey_sqlite(data_dir / "cronally.db",
                                          running ? lock.error().message : std::string());
  auto findings = store::judge(facts, self_facts(facts.sealed, data_dir));
  if (!lock && !running) {
    findings.push_back({"lock", Level::failing, lock.error().message, "check the permissions"});
  }
  return findings;
}

void log_findings(const Findings& findings) {
  for (const auto& finding : findings) {
    if (finding.level == Level::ok) continue;
    const runtime::log::Fields fields{{"check", finding.check}, {"remedy", finding.remedy}};
    if (finding.level == Level::failing) {
      runtime::log::error("doctor", finding.says, fields);
    } else {
      runtime::log::warning("doctor", finding.says, fields);
    }
  }
}

namespace {

std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(width, text.size()), ' ');
  return text;
}

void print(Session& session, const Findings& findings) {
  std::size_t width = 0;
  for (const auto& finding : findings) width = std::max(width, finding.check.size());
  for (const auto& finding : findings) {
    session.out() << padded(std::string(text_of(finding.level)), 9)
                  << padded(finding.check, width + 2) << printable(finding.says) << "\n";
    if (finding.remedy.empty()) continue;
    session.out() << std::string(width + 11, ' ') << "→ " << printable(finding.remedy) << "\n";
  }
}

json::object json_of(const Findings& findings) {
  json::array items;
  for (const auto& finding : findings) {
    items.push_back(json::object{{"check", finding.check},
                                 {"level", text_of(finding.level)},
                                 {"says", finding.says},
                                 {"remedy", finding.remedy}});
  }
  return {{"level", text_of(store::worst_of(findings))}, {"findings", std::move(items)}};
}

Outcome<ExitCode> doctor(Session& session, const std::string& address) {
  const fs::path data_dir = session.data_dir();
  const auto findings =
      address.empty() ? examine_sqlite(data_dir) : examine_postgres(address, data_dir);
  if (session.json())
    session.print_json(json_of(findings));
  else
    print(session, findings);
  return store::worst_of(findings) == Level::failing ? ExitCode::failure : ExitCode::ok;
}

}  // namespace

void add_doctor(Tree& tree) {
  auto address = std::make_shared<std::string>();
  CLI::App& app = tree.verb(
      tree.root(),
      {"doctor",
       "Examine the database: what is weaker than promised, what it means, and the remedy.",
       {"cronally doctor --data-dir /var/lib/cronally",
        "cronally doctor --database postgres://cronally@db1,db2/cronally --json"}},
      [address](Session& session) { return doctor(session, *address); });
  app.add_option("--database", *address,
                 "The PostgreSQL database that servers run on, as libpq reads an address; without "
                 "it the data directory's SQLite database.")
      ->type_name("ADDRESS")
      ->envname("CRONALLY_DATABASE");
}

}  // namespace cronally::cli
