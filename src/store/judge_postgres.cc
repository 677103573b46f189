#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string>
#include <utility>

#include "base/text.h"
#include "store/judge.h"
#include "store/judge_common.h"

namespace cronally::store {

using namespace std::chrono_literals;
using Findings = std::vector<Finding>;

namespace {

constexpr int version_min = 13;
constexpr int version_max = 17;
// Cluster time is each node's own clock and an offset: hosts of a failover must not lie further
// apart than a lease can bear.
constexpr Duration clock_max = 500ms;
// Cursors move at least once a minute.
constexpr Duration planning_max = 75s;
constexpr Duration sending_max = 10s;

std::string rounded(Duration length) {
  const auto step = length < 10s && length > -10s ? Duration{1ms} : Duration{1s};
  const auto whole = length / step * step;
  return whole == Duration{} ? "less than 1ms"
                             : format_duration(whole < Duration{} ? -whole : whole);
}

// "db1:5432 (timeline 3), db2:5432 (timeline 4)", where those are several servers; else empty. One
// server may have several names.
std::string primary_names(const PostgresFacts& facts) {
  std::string text;
  std::set<std::pair<std::int64_t, std::int64_t>> servers;
  for (const auto& host : facts.clocks) {
    if (!host.primary) continue;
    if (!servers.emplace(host.primary->system, host.began).second) continue;
    if (!text.empty()) text += ", ";
    text += host.host + " (timeline " + std::to_string(host.primary->timeline) + ")";
  }
  return servers.size() > 1 ? text : "";
}

void judge_server(const PostgresFacts& facts, Findings& out) {
  if (const auto several = primary_names(facts); !several.empty()) {
    out.push_back({"primary", Level::failing,
                   "several servers take writes: " + several +
                       "; what is written to one the others do not have",
                   "stop those that were replaced, which are on lower timelines, and make them "
                   "standbys (pg_rewind)"});
  } else if (facts.standby) {
    out.push_back({"primary", Level::failing,
                   facts.host + " is a standby: it takes no writes, so nothing can be claimed",
                   "name every host in the address (postgres://user@db1,db2/database); Cronally "
                   "goes to the one that takes writes"});
  } else {
    out.push_back({"primary", Level::ok, facts.host + " takes writes"});
  }
  const int major = facts.version / 10'000;
  const std::string text =
      "PostgreSQL " + std::to_string(major) + "." + std::to_string(facts.version % 10'000);
  if (major < version_min) {
    out.push_back({"version", Level::failing, text + " is too old", "take 13 or a later one"});
  } else if (major > version_max) {
    out.push_back({"version", Level::warning, text + " is newer than what Cronally is tested with",
                   "watch the first days, or take 13 to 17"});
  } else {
    out.push_back({"version", Level::ok, text});
  }
}

void judge_durability(const PostgresFacts& facts, Findings& out) {
  if (!facts.fsync) {
    out.push_back({"durability", Level::failing,
                   "fsync is off: when the host crashes, what was acknowledged is lost, and the "
                   "database may be damaged",
                   "set fsync = on"});
  } else if (facts.synchronous_commit == "off") {
    out.push_back({"durability", Level::failing,
                   "synchronous_commit is off: a crash of the server loses the last commits, which "
                   "were acknowledged; their occurrences run twice",
                   "set synchronous_commit = on, for the user or the database at least"});
  } else if (!facts.full_page_writes) {
    out.push_back({"durability", Level::warning,
                   "full_page_writes is off: a power cut may damage the database, unless its disk "
                   "writes whole pages",
                   "set full_page_writes = on"});
  } else {
    out.push_back({"durability", Level::ok, "a commit is on the disk before it is acknowledged"});
  }
}

// "db2, and db3 is 120 bytes behind"
std::string standby_names(const std::vector<PostgresFacts::Standby>& standbys) {
  std::string text;
  for (const auto& standby : standbys) {
    if (!text.empty()) text += ", ";
    text += standby.name;
    if (standby.behind && *standby.behind > 0) {
      text += " (" + std::to_string(*standby.behind) + " bytes behind)";
    }
  }
  return text;
}

const std::string set_synchronous =
    "set synchronous_standby_names (with Patroni: synchronous_mode: true) and synchronous_commit = "
    "on";

Finding asynchronous(const PostgresFacts& facts) {
  if (facts.standbys.empty()) {
    return {
        "replication", Level::warning,
        std::string("there is no standby: if this host is lost, so is everything since the last "
                    "backup") +
            (facts.patroni ? "; Patroni goes on without one (synchronous_mode is off, or not "
                             "strict)"
                           : ""),
        "add a standby, and " + set_synchronous};
  }
  std::string says = "replication is asynchronous (standbys: " + standby_names(facts.standbys) +
                     "): a failover may lose what was committed last, runs that left with it run "
                     "again";
  if (facts.patroni) {
    says +=
        ". Patroni turned it so: synchronous_mode is off, or, not being strict, it found no "
        "standby fit";
  }
  return {"replication", Level::warning, says, set_synchronous};
}

Finding judge_replication(const PostgresFacts& facts) {
  const auto& how = facts.synchronous_commit;
  if (facts.standby) {
    return {"replication", Level::warning, "how it replicates, only the primary tells",
            "ask the primary"};
  }
  if (facts.synchronous_standby_names.empty() || how == "local" || how == "off") {
    auto finding = asynchronous(facts);
    if (!facts.synchronous_standby_names.empty()) {
      finding.says = "synchronous_commit is " + how +
                     ": no commit waits for a standby, though some are named; " + finding.says;
    }
    return finding;
  }
  std::vector<PostgresFacts::Standby> synchronous;
  std::ranges::copy_if(facts.standbys, std::back_inserter(synchronous), [](const auto& standby) {
    return standby.sync_state == "sync" || standby.sync_state == "quorum";
  });
  const bool hidden =
      std::ranges::any_of(facts.standbys, [](const auto& one) { return one.sync_state.empty(); });
  if (synchronous.empty() && hidden) {
    return {"replication", Level::warning,
            "which standbys are synchronous is not shown to this user", "GRANT pg_monitor to it"};
  }
  if (synchronous.empty()) {
    return {"replication", Level::failing,
            "commits wait for a standby (" + facts.synchronous_standby_names +
                "), and none is connected: nothing is written until one is",
            "bring a standby back"};
  }
  if (how == "remote_write") {
    return {"replication", Level::warning,
            "commits wait for " + standby_names(synchronous) +
                " to have them in memory: a failover loses them if its host crashes too",
            "set synchronous_commit = on"};
  }
  return {"replication", Level::ok,
          "commits wait for " + standby_names(synchronous) + ": a failover to it loses nothing" +
              (facts.patroni ? " (when no standby is left, Patroni goes on without, unless "
                               "synchronous_mode_strict is set)"
                             : "")};
}

Finding judge_pooler(const PostgresFacts& facts) {
  if (facts.sessions_change) {
    return {"pooler", Level::failing,
            "a pooler hands each transaction another session: prepared statements and LISTEN are "
            "lost, so Cronally does not start",
            "set pool_mode = session for this database, or name the server's own address"};
  }
  return {"pooler", Level::ok,
          facts.pooled ? "a pooler gives each connection a session of its own"
                       : "there is none between"};
}

void judge_clocks(const PostgresFacts& facts, Findings& out) {
  for (const auto& clock : facts.clocks) {
    const Duration uncertain = clock.round_trip / 2;
    const Duration apart = clock.ahead < Duration{} ? -clock.ahead : clock.ahead;
    const std::string how = clock.ahead < Duration{} ? "behind" : "ahead of";
    const std::string says =
        "the clock of " + clock.host + " is " + rounded(clock.ahead) + " " + how + " this host's";
    if (!clock.error.empty()) {
      out.push_back({"clock", Level::warning,
                     clock.host + " could not be asked for its clock: " + clock.error,
                     "bring it back, or take it out of the address"});
    } else if (apart - uncertain > clock_max) {
      out.push_back(
          {"clock", Level::failing,
           says + ": after a failover to or from it, occurrences are early or late by that",
           "let NTP set the clocks of all hosts"});
    } else if (uncertain > clock_max) {
      out.push_back({"clock", Level::warning,
                     "the clock of " + clock.host + " cannot be compared: a round trip takes " +
                         rounded(clock.round_trip),
                     "look at the network between"});
    } else {
      out.push_back({"clock", Level::ok, says + " (± " + rounded(uncertain) + ")"});
    }
  }
}

Finding judge_schema(int schema, int known) {
  const auto text = "schema " + std::to_string(schema);
  if (schema == 0) return {"schema", Level::ok, "there is none yet: the first start makes it"};
  if (schema > known) {
    return {"schema", Level::failing, text + " is of a newer Cronally than this one",
            "install that version here"};
  }
  if (schema < known) {
    return {"schema", Level::warning,
            text + " is older than this version's " + std::to_string(known),
            "the next start of this version brings it up to date; servers that run go on"};
  }
  return {"schema", Level::ok, text + " is this version's"};
}

std::string node_text(const PostgresFacts::Node& node) {
  return node.name.empty() ? node.id.text() : node.name;
}

std::string joined(const std::set<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + (word.empty() ? "?" : word);
  return text;
}

void judge_equality(const PostgresFacts& facts, const SelfFacts& self, Findings& out) {
  std::set<std::string> versions;
  std::set<std::string> zones;
  for (const auto& node : facts.nodes) {
    if (!node.live) continue;
    versions.insert(node.version);
    zones.insert(node.tzdata);
  }
  if (versions.size() > 1) {
    out.push_back({"nodes", Level::warning, "they run different versions: " + joined(versions),
                   "end the upgrade that is under way"});
  }
  const std::string same = "install the same tzdata package on all hosts";
  if (zones.size() > 1) {
    out.push_back({"tzdata", Level::failing,
                   "nodes have different tzdata (" + joined(zones) +
                       "): a job in a zone runs by the rules of whoever holds its shard",
                   same});
  } else if (!zones.empty() && *zones.begin() != self.tzdata) {
    out.push_back({"tzdata", Level::warning,
                   "this host has tzdata " + self.tzdata + ", the nodes have " + joined(zones),
                   same});
  } else if (self.tzdata == "unknown") {
    out.push_back({"tzdata", Level::warning, "this host has no tzdata", "install tzdata"});
  } else {
    out.push_back({"tzdata", Level::ok, self.tzdata + " everywhere"});
  }
}

void judge_nodes(const PostgresFacts& facts, const SelfFacts& self, Findings& out) {
  bool any = false;
  for (const auto& node : facts.nodes) {
    if (!node.live) continue;
    any = true;
    Finding finding{"node", Level::ok,
                    node_text(node) + " " + (node.version.empty() ? "?" : node.version) +
                        ", tzdata " + (node.tzdata.empty() ? "?" : node.tzdata) + ", " +
                        std::to_string(node.shards) + " shards, heartbeat " +
                        rounded(node.beat_age) + " ago" + (node.draining ? ", draining" : "")};
    if (node.ttl > Duration{} && node.beat_age > node.ttl * 3 / 5) {
      finding.level = Level::warning;
      finding.says += ": late, its shards go to others at " + rounded(node.ttl);
      finding.remedy = "look at that host, and at its way to the database";
    }
    out.push_back(std::move(finding));
  }
  if (!any && facts.schema > 0) {
    out.push_back({"nodes", Level::warning, "no server runs on this database: nothing fires",
                   "start `cronally serve --database` somewhere"});
  }
  judge_equality(facts, self, out);
  if (any && facts.shards_free > 0) {
    out.push_back(
        {"shards", Level::warning,
         std::to_string(facts.shards_free) + " of 64 shards have no owner: their jobs wait",
         "look again in a few seconds; if it stays so, read the logs of the nodes"});
  } else if (any) {
    out.push_back({"shards", Level::ok, "each has an owner"});
  }
}

Finding judge_overdue(const PostgresFacts& facts) {
  if (facts.planning_behind > planning_max) {
    return {"overdue", Level::failing,
            "what fell due in the last " + rounded(facts.planning_behind) +
                " is not planned in at least one shard",
            "see that a server runs, and read its log; what was missed is caught up by policy"};
  }
  if (facts.sending_behind > sending_max) {
    return {"overdue", Level::failing,
            "a request that was to leave " + rounded(facts.sending_behind) +
                " ago was taken up by nobody",
            "see that a server runs, and read its log"};
  }
  return {"overdue", Level::ok, "nothing is"};
}

void judge_vacuum(const PostgresFacts& facts, Findings& out) {
  if (!facts.autovacuum) {
    out.push_back({"vacuum", Level::warning,
                   "autovacuum is off: tables grow and statements slow down",
                   "set autovacuum = on"});
  }
  for (const auto& table : facts.dead) {
    out.push_back({"vacuum", Level::warning,
                   "table " + table.table + " has " + std::to_string(table.dead) +
                       " dead rows beside " + std::to_string(table.live) + " live ones",
                   "look for transactions that are open for long (pg_stat_activity), and for what "
                   "keeps autovacuum away"});
  }
  if (facts.autovacuum && facts.dead.empty()) {
    out.push_back({"vacuum", Level::ok, "dead rows are removed"});
  }
}

}  // namespace

Findings judge(const PostgresFacts& facts, const SelfFacts& self) {
  // Through such a pooler nothing else can be asked.
  if (facts.sessions_change) return {judge_pooler(facts)};
  Findings out;
  judge_server(facts, out);
  judge_durability(facts, out);
  out.push_back(judge_replication(facts));
  out.push_back(judge_pooler(facts));
  judge_clocks(facts, out);
  out.push_back(judge_schema(facts.schema, facts.schema_known));
  judge_nodes(facts, self, out);
  if (facts.schema > 0) out.push_back(judge_overdue(facts));
  judge_vacuum(facts, out);
  out.push_back(judge_key(facts.sealed.size(), self));
  return out;
}

}  // namespace cronally::store
