// What the promises of README mean over a history. Each objection names the promise it breaks.
#include <algorithm>
#include <charconv>

#include "tests/sim/world.h"

namespace cronally::sim {

using namespace std::chrono_literals;

namespace {

std::string seconds(Duration at) {
  const auto us = at.count();
  std::string text =
      std::to_string(us / 1'000'000) + "." + std::to_string(1'000'000 + us % 1'000'000).substr(1);
  return text + " s";
}

// The oracle of intervals, apart from the code under test: "@every 1500ms" and its anchor.
Duration interval_of(const std::string& schedule) {
  std::int64_t ms = 0;
  const std::size_t digits = schedule.find(' ') + 1;
  std::from_chars(schedule.data() + digits, schedule.data() + schedule.size(), ms);
  return Duration{ms * 1000};
}

bool owes(const DefinitionSpan& span) {
  return !span.definition.paused && span.change != core::Replan::Change::deleted;
}

// Until when runs of a definition may remain: it was replaced, and what replaced it was seen. Of
// several edits in a row the machine sees only the last; a run claimed before them and due between
// them is then held or cancelled as if there had been that one edit.
std::optional<Instant> replaced_and_seen(const JobRecord& record, const DefinitionSpan& span) {
  std::optional<Instant> at = span.replaced_at;
  for (const auto& later : record.definitions) {
    if (later.revision <= span.revision) continue;
    if (!later.replaced_at || later.accounted_until != Instant::min()) break;
    at = later.replaced_at;
  }
  return at;
}

bool on_grid(const DefinitionSpan& span, Instant at) {
  return (at - span.anchor).count() % interval_of(span.definition.schedule).count() == 0;
}

}  // namespace

void World::object(const std::string& what) {
  objections_.push_back("seed " + std::to_string(seed_) + ", after " + seconds(time_) + ": " +
                        what);
}

void World::check_first_byte(const FirstByte& byte) {
  const core::OpenRun& run = byte.run;
  const std::string which = "run " + std::to_string(run.no.value) + " of job " +
                            std::to_string(run.job.value) + ", attempt " +
                            std::to_string(run.attempt);
  const RunRecord* record = store_.find_record(run.id);
  if (!record) {
    object("P1: " + which + " left without a durable claim");
    return;
  }
  if (record->open.attempt < run.attempt || record->open.fence < run.fence) {
    object("P1: " + which + " left before its number or fence was durable");
  }
  if (record->verdict == core::Verdict::succeeded) {
    object("P4: " + which + " began after a recorded success");
  }
  if (++sent_numbers_[{run.id, run.attempt}] > 1) object("P4: " + which + " left twice");
  if (run.fence < fences_[run.id]) object("P4: " + which + " left under an older fence");
  fences_[run.id] = std::max(fences_[run.id], run.fence);
  if (run.kind == core::RunKind::scheduled) {
    const auto [known, fresh] = sent_occurrences_.try_emplace({run.job, run.due}, run.id);
    if (!fresh && known->second != run.id) object("P1: " + which + " is a second run of one due");
  }
  if (byte.at_most_once) {
    if (record->open.state == core::RunState::claimed) {
      object("P3: " + which + " left before it was begun");
    }
    if (++at_most_once_sent_[run.id] > 1) object("P3: " + which + " is a second request");
  }
  if (byte.sent_wall < run.due || byte.sent_wall < run.send_at) {
    object("P5: " + which + " was sent early");
  }
  check_edits_respected(byte);
}

void World::check_edits_respected(const FirstByte& byte) {
  const core::OpenRun& run = byte.run;
  const std::string which =
      "run " + std::to_string(run.no.value) + " of job " + std::to_string(run.job.value);
  const Revision acked = acked_[run.job];
  if (byte.revision < acked) {
    object("P10: " + which + " left under revision " + std::to_string(byte.revision) +
           " after the ack of " + std::to_string(acked));
  }
  const JobRecord& record = store_.job_records().at(run.job);
  if (acked < record.job.revision) return;  // what came after is not acked: both ways are right
  if (record.deleted) object("P10: " + which + " left after the ack of its job's deletion");
  const bool held = run.kind == core::RunKind::scheduled || run.due <= record.job.updated_at;
  if (record.job.definition.paused && held) {
    object("P10: " + which + " left after the ack of its job's pause");
  }
}

void World::check_finally() {
  if (store_.stale_writes() > 0) {
    object("P4: " + std::to_string(store_.stale_writes()) + " writes under a lost fence");
  }
  for (const std::size_t index : unacked_) {
    const Edit& edit = edits_[index];
    object("P10: revision " + std::to_string(edit.revision) + " of job " +
           std::to_string(edit.job.value) + " was never acked");
  }
  for (const auto& [no, record] : store_.job_records()) check_ledger(record);
  check_nothing_stuck();
}

// due = runs + skipped, in both directions.
void World::check_ledger(const JobRecord& record) {
  for (const auto& span : record.definitions) {
    if (owes(span)) check_owed(record, span);
  }
  for (const auto& [no, run] : store_.run_records()) {
    if (run.open.job == record.job.no && run.open.kind == core::RunKind::scheduled) {
      check_unowed(record, run);
    }
  }
}

void World::check_owed(const JobRecord& record, const DefinitionSpan& span) {
  const JobNo job = record.job.no;
  const Instant accounted = span.replaced_at ? span.accounted_until
                            : record.planned_revision == span.revision
                                ? store_.shard(record.job.shard).cursor
                                : Instant::min();
  if (!span.replaced_at && accounted < wall() - 70s) {
    object("P9: the cursor of job " + std::to_string(job.value) + " stands still");
  }
  const Instant end = span.replaced_at.value_or(accounted);
  const Duration length = interval_of(span.definition.schedule);
  Instant due = span.anchor;
  while (due <= span.from) due += length;
  for (; due <= end; due += length) {
    std::int64_t times = 0;
    std::string how;
    for (const auto& [no, run] : store_.run_records()) {
      const bool counts =
          run.open.job == job && run.open.due == due && run.open.kind == core::RunKind::scheduled;
      if (counts) how += " run " + std::to_string(no.value);
      times += counts ? 1 : 0;
    }
    for (const auto& skip : store_.skip_records()) {
      const bool counts =
          skip.job == job && skip.revision == span.revision && skip.from < due && due <= skip.to;
      if (counts) how += " skip " + std::to_string(static_cast<int>(skip.reason));
      times += counts ? 1 : 0;
    }
    if (times > 1 || (times == 0 && due <= accounted)) {
      object("P9: job " + std::to_string(job.value) + " revision " + std::to_string(span.revision) +
             " due at " + seconds(due - base_) + " is accounted for " + std::to_string(times) +
             " times:" + how);
    }
  }
}

// A run must be owed by some definition; after that one was replaced only if it was under way.
void World::check_unowed(const JobRecord& record, const RunRecord& run) {
  const bool under_way = run.open.state == core::RunState::ended || !run.attempts.empty() ||
                         fences_.contains(run.open.id);  // its first byte left
  const bool owed = std::ranges::any_of(record.definitions, [&](const DefinitionSpan& span) {
    const auto until = replaced_and_seen(record, span);
    const bool in_time = !until || run.open.due <= *until || under_way;
    return owes(span) && run.open.due > span.from && on_grid(span, run.open.due) && in_time;
  });
  if (!owed) {
    object("P10: run " + std::to_string(run.open.no.value) + " of job " +
           std::to_string(run.open.job.value) + " due at " + seconds(run.open.due - base_) +
           " is owed by no definition");
  }
}

// After the calm nothing that could run is left, and nothing ended as if it had been tried.
void World::check_nothing_stuck() {
  for (const auto& [no, run] : store_.run_records()) {
    const JobRecord& record = store_.job_records().at(run.open.job);
    const bool held = record.job.definition.paused && run.open.due <= record.job.updated_at;
    const bool overdue = run.open.send_at < wall() - 20s;
    if (run.open.state != core::RunState::ended && overdue && !held) {
      object("P2: run " + std::to_string(no.value) + " of job " +
             std::to_string(run.open.job.value) + " is stuck in state " +
             std::to_string(static_cast<int>(run.open.state)) + " since " +
             seconds(run.open.send_at - base_));
    }
    const bool tried = run.verdict == core::Verdict::succeeded ||
                       run.reason == core::Reason::exhausted || run.reason == core::Reason::gone;
    if (tried && run.attempts.empty()) {
      object("P2: run " + std::to_string(no.value) + " ended as tried without an attempt");
    }
  }
}

}  // namespace cronally::sim
