#include <algorithm>
#include <charconv>

#include "core/lease_keeper.h"
#include "core/policy.h"
#include "tests/sim/checks.h"
#include "tests/sim/world.h"

namespace cronally::sim {

using namespace std::chrono_literals;

Duration interval_of(const std::string& schedule) {
  std::int64_t ms = 0;
  const std::size_t digits = schedule.find(' ') + 1;
  std::from_chars(schedule.data() + digits, schedule.data() + schedule.size(), ms);
  return Duration{ms * 1000};
}

namespace {

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

void Checks::finally() {
  world_.people.note_acks();
  if (world_.store.stale_writes() > 0) {
    object("P4: " + std::to_string(world_.store.stale_writes()) + " writes under a lost fence");
  }
  for (const Edit& edit : world_.people.unacked()) {
    object("P10: revision " + std::to_string(edit.revision) + " of job " +
           std::to_string(edit.job.value) + " was never acked");
  }
  index();
  for (const auto& [no, record] : world_.store.job_records()) check_ledger(record);
  check_nothing_stuck();
  check_nothing_lost();
  if (world_.scenario.kind == Kind::deaths) check_lateness();
}

void Checks::index() {
  for (const auto& [no, run] : world_.store.run_records()) {
    if (run.open.kind == core::RunKind::scheduled) runs_of_[run.open.job].push_back(&run);
  }
  for (auto& [job, runs] : runs_of_) {
    std::ranges::sort(runs, {}, [](const RunRecord* run) { return run->open.due; });
  }
  for (const auto& skip : world_.store.skip_records()) skips_of_[skip.job].push_back(&skip);
}

// due = runs + skipped, in both directions.
void Checks::check_ledger(const JobRecord& record) {
  for (const auto& span : record.definitions) {
    if (owes(span)) check_owed(record, span);
  }
  for (const RunRecord* run : runs_of_[record.job.no]) check_unowed(record, *run);
  for (const SkipRecord* skip : skips_of_[record.job.no]) check_skipped(record, *skip);
}

// Mode `skip` skips what was missed and nothing that was merely seen late, as far as a node can
// know the time.
void Checks::check_skipped(const JobRecord& record, const SkipRecord& skip) {
  if (skip.reason != core::Reason::catch_up_skip || world_.scenario.steps_clock) return;
  const auto span = std::ranges::find(record.definitions, skip.revision, &DefinitionSpan::revision);
  const Duration length = interval_of(span->definition.schedule);
  const Instant due = skip.to - (skip.to - span->anchor) % length;
  const bool leased = world_.scenario.holders() == Holders::several;
  const Duration error = leased ? core::LeaseKeeper::clock_error_max : Duration{};
  if (skip.at >= due + core::missed_after - error) return;
  object("P9: what job " + std::to_string(skip.job.value) + " owed at " +
         seconds(due - world_.base()) + " was skipped " + seconds(skip.at - due) + " late");
}

void Checks::check_owed(const JobRecord& record, const DefinitionSpan& span) {
  const JobNo job = record.job.no;
  // What replaced it is planned together with what it still owed.
  const Instant accounted =
      span.replaced_at && record.planned_revision > span.revision ? *span.replaced_at
      : span.replaced_at                                          ? span.accounted_until
      : record.planned_revision == span.revision ? world_.store.shard(record.job.shard).cursor
                                                 : Instant::min();
  if (!span.replaced_at && accounted < world_.wall() - 70s) {
    object("P9: the cursor of job " + std::to_string(job.value) + " stands still");
  }
  const Instant end = span.replaced_at.value_or(accounted);
  const Duration length = interval_of(span.definition.schedule);
  Instant due = span.anchor;
  if (due <= span.from) due += ((span.from - due) / length + 1) * length;
  for (; due <= end; due += length) {
    std::string how;
    std::int64_t times = 0;
    for (const RunRecord* run : std::ranges::equal_range(
             runs_of_[job], due, {}, [](const RunRecord* each) { return each->open.due; })) {
      how += " run " + std::to_string(run->open.no.value);
      ++times;
    }
    // A run that was put back may lie in a span that its shard's next owner skipped.
    if (times == 1 && world_.scenario.forgets()) continue;
    for (const SkipRecord* skip : skips_of_[job]) {
      if (skip->revision != span.revision || due <= skip->from || due > skip->to) continue;
      how += " skip " + std::to_string(static_cast<int>(skip->reason));
      ++times;
    }
    if (times > 1 || (times == 0 && due <= accounted)) {
      object("P9: job " + std::to_string(job.value) + " revision " + std::to_string(span.revision) +
             " due at " + seconds(due - world_.base()) + " is accounted for " +
             std::to_string(times) + " times:" + how);
    }
  }
}

// A run must be owed by some definition; after that one was replaced only if it was under way.
void Checks::check_unowed(const JobRecord& record, const RunRecord& run) {
  const bool under_way = run.open.state == core::RunState::ended || !run.attempts.empty() ||
                         fences_.contains(run.open.id);  // its first byte left
  const bool owed = std::ranges::any_of(record.definitions, [&](const DefinitionSpan& span) {
    const auto until = replaced_and_seen(record, span);
    const bool in_time = !until || run.open.due <= *until || under_way;
    return owes(span) && run.open.due > span.from && on_grid(span, run.open.due) && in_time;
  });
  if (!owed) {
    object("P10: run " + std::to_string(run.open.no.value) + " of job " +
           std::to_string(run.open.job.value) + " due at " + seconds(run.open.due - world_.base()) +
           " is owed by no definition");
  }
}

// What was sent is in the ledger with its success, whatever the store forgot; and it was quiet no
// more often than it did.
void Checks::check_nothing_lost() {
  for (const auto& [id, at] : first_bytes_) {
    const RunRecord* run = world_.store.find_record(id);
    const bool success =
        !world_.store.ever_succeeded(id) || (run && run->verdict == core::Verdict::succeeded);
    if (run && success) continue;
    object("P9: run " + id.text() + " left at " + seconds(at - world_.base()) +
           (run ? " and its success is forgotten" : " and is not in the ledger"));
  }
  if (world_.store.noticed() > world_.store.servers()) {
    object("P7: it was quiet " + std::to_string(world_.store.noticed()) + " times, and forgot " +
           std::to_string(world_.store.servers()) + " times");
  }
}

// After the calm nothing that could run is left, and nothing ended as if it had been tried.
void Checks::check_nothing_stuck() {
  for (const auto& [no, run] : world_.store.run_records()) {
    const JobRecord& record = world_.store.job_records().at(run.open.job);
    const bool held = holds(record, run.open);
    const bool overdue = run.open.send_at < world_.wall() - 20s;
    if (run.open.state != core::RunState::ended && overdue && !held) {
      object("P2: run " + std::to_string(no.value) + " of job " +
             std::to_string(run.open.job.value) + " is stuck in state " +
             std::to_string(static_cast<int>(run.open.state)) + " since " +
             seconds(run.open.send_at - world_.base()));
    }
    const bool tried = run.verdict == core::Verdict::succeeded ||
                       run.reason == core::Reason::exhausted || run.reason == core::Reason::gone;
    if (tried && run.attempts.empty()) {
      object("P2: run " + std::to_string(no.value) + " ended as tried without an attempt");
    }
  }
}

}  // namespace cronally::sim
