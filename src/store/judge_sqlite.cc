#include <chrono>

#include "base/text.h"
#include "store/judge.h"
#include "store/judge_common.h"

namespace cronally::store {

using Findings = std::vector<Finding>;

namespace {

constexpr std::int64_t mib = std::int64_t{1} << 20;
// Outcomes and pruning need room; the ballast is as large.
constexpr std::int64_t free_min = 64 * mib;
constexpr std::int64_t free_wanted = 1024 * mib;
// A log is written back at 8 MiB or so, and cut at 64 MiB.
constexpr std::int64_t log_wanted = 256 * mib;

std::string in_mib(std::int64_t bytes) { return std::to_string((bytes + mib - 1) / mib) + " MiB"; }

Finding judge_lock(const SqliteFacts& facts) {
  if (!facts.moved.empty()) {
    return {"moved", Level::failing, facts.moved,
            "serve the database it went to, or go the way back (docs/operations.md)"};
  }
  return {"lock", Level::ok,
          facts.running.empty() ? "no server runs on the data directory"
                                : "a server runs on the data directory (" + facts.running + ")"};
}

Finding judge_schema(const SqliteFacts& facts) {
  const auto text = "schema " + std::to_string(facts.schema);
  if (facts.schema > facts.schema_known) {
    return {"schema", Level::failing, text + " is of a newer Cronally than this one",
            "install that version here"};
  }
  if (facts.schema < facts.schema_known) {
    return {"schema", Level::warning,
            text + " is older than this version's " + std::to_string(facts.schema_known),
            "the next start of this version brings it up to date"};
  }
  return {"schema", Level::ok, text + " is this version's"};
}

Finding judge_integrity(const SqliteFacts& facts) {
  if (facts.integrity.empty()) {
    return {"integrity", Level::ok,
            "not read through, since a server runs; `cronally backup` makes a copy that can be"};
  }
  if (facts.integrity != "ok") {
    return {"integrity", Level::failing, "the file is damaged: " + facts.integrity,
            "stop the server and put a backup in its place with `cronally restore FILE`"};
  }
  return {"integrity", Level::ok, "every page was read, and is sound"};
}

void judge_disk(const SqliteFacts& facts, Findings& out) {
  if (facts.journal_mode == "wal") {
    out.push_back({"durability", Level::ok,
                   "a commit is on the disk before it is acknowledged (WAL, synchronous=FULL)"});
  } else {
    out.push_back({"durability", Level::warning,
                   "the file's journal mode is " + facts.journal_mode + ", not wal",
                   "the next start sets it; see that nothing else opens the file"});
  }
  if (facts.log_size > log_wanted) {
    out.push_back({"log", Level::warning,
                   "the log beside the file has grown to " + in_mib(facts.log_size) +
                       ": something reads for long and keeps it from being written back",
                   "look for programs that have the file open; restart the server"});
  } else {
    out.push_back({"log", Level::ok, "the log beside the file has " + in_mib(facts.log_size)});
  }
  const auto free_text = in_mib(facts.free) + " are free on the disk";
  if (facts.free < free_min) {
    out.push_back(
        {"space", Level::failing, free_text + ": nothing is claimed on a full disk", "free space"});
  } else if (facts.free < free_wanted || facts.free < facts.size / 4) {
    out.push_back({"space", Level::warning,
                   free_text + ", and the database has " + in_mib(facts.size),
                   "free space, or keep less with --runs-keep and --runs-max"});
  } else {
    out.push_back({"space", Level::ok, free_text});
  }
}

Finding judge_clock(const SqliteFacts& facts, const SelfFacts& self) {
  if (self.now < facts.last_commit) {
    return {"clock", Level::failing,
            "this host's clock is " + format_duration(facts.last_commit - self.now) +
                " behind the newest commit: the server sends nothing until it has passed it",
            "set the clock right"};
  }
  return {"clock", Level::ok,
          "it has passed the newest commit, of " + format_instant(facts.last_commit)};
}

}  // namespace

Findings judge(const SqliteFacts& facts, const SelfFacts& self) {
  Findings out;
  if (!facts.exists) {
    out.push_back({"file", Level::warning,
                   "there is no '" + facts.file + "' yet: the first start makes it",
                   "name the data directory of the server with --data-dir"});
    return out;
  }
  if (!facts.unreadable.empty()) {
    out.push_back({"file", Level::failing, facts.unreadable,
                   "check its permissions, or put a backup in its place with `cronally restore "
                   "FILE`"});
    return out;
  }
  out.push_back({"file", Level::ok, facts.file + ", " + in_mib(facts.size)});
  out.push_back(judge_lock(facts));
  out.push_back(judge_schema(facts));
  out.push_back(judge_integrity(facts));
  judge_disk(facts, out);
  out.push_back(judge_clock(facts, self));
  if (self.tzdata == "unknown") {
    out.push_back({"tzdata", Level::warning, "this host has no tzdata", "install tzdata"});
  } else {
    out.push_back({"tzdata", Level::ok, self.tzdata});
  }
  out.push_back(judge_key(facts.sealed.size(), self));
  return out;
}

}  // namespace cronally::store
