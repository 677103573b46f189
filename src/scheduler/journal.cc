#include "scheduler/journal.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <future>

#include "base/error.h"
#include "runtime/log.h"
#include "runtime/metric_names.h"
#include "runtime/supervise.h"

namespace cronally::scheduler {

namespace log = runtime::log;
namespace metric = runtime::metric;
using namespace std::chrono_literals;

namespace {

// Runs of one question to the store.
constexpr std::size_t runs_per_portion = 2'000;
// While it is quiet, requests may end that were out when the database forgot them: they are looked
// for so often.
constexpr Duration look_every = 500ms;

// Of each kind of result so many runs are logged one by one.
constexpr std::size_t lines_max = 100;

constexpr std::array put_back_names{"known", "inserted", "raised", "ended",
                                    "taken", "job_lost", "too_old"};

std::size_t count_of(const std::map<core::PutBack, std::size_t>& tally, core::PutBack what) {
  const auto found = tally.find(what);
  return found == tally.end() ? 0 : found->second;
}

}  // namespace

Journal::Journal(NodeId node, runtime::AppendLogOptions log, const Parts& parts)
    : parts_(parts),
      log_(std::move(log), parts.clock),
      forgot_(&parts.metrics.counter(metric::database_forgot_total)),
      failures_(&parts.metrics.counter(metric::journal_failures_total)),
      syncs_(&parts.metrics.histogram(metric::journal_sync)),
      bytes_(&parts.metrics.gauge(metric::journal_bytes)),
      memory_(node) {
  for (std::size_t i = 0; i < put_back_names.size(); ++i) {
    put_back_[static_cast<core::PutBack>(i)] =
        &parts.metrics.counter(metric::put_back_total, {{"result", put_back_names[i]}});
  }
  log_.on_trouble([this](const std::optional<Error>& error) {
    if (!error) {
      parts_.health.ok("journal");
      return;
    }
    failures_->add();
    parts_.health.failing(
        "journal", "nothing is claimed, for the journal cannot be written: " + error->message);
  });
  log_.on_sync([this](Duration took) {
    syncs_->observe(took);
    bytes_->set(static_cast<double>(log_.bytes()));
  });
}

Result<void> Journal::open() {
  if (auto opened = log_.open(); !opened) return opened;
  auto before = replay();
  if (!before) return fail(before.error());
  if (before->damaged() > 0) {
    log::warning("journal", "parts of the journal are damaged and were passed over",
                 {{"places", before->damaged()}});
  }
  std::lock_guard lock(mutex_);
  memory_.start(*before);
  // Until it is known that the database has forgotten nothing, nothing of it is removed.
  log_.keep_all(!before->runs().empty());
  log_.set_head(core::journal_block({memory_.mark()}));
  return {};
}

Result<core::JournalReplay> Journal::replay() const {
  core::JournalReplay replayed;
  auto read = log_.read([&](std::string_view bytes) { replayed.add(bytes); });
  if (!read) return fail(read.error());
  return replayed;
}

// ---- the machine's side -------------------------------------------------------------------------

void Journal::record(std::vector<core::JournalRecord> first, bool durable,
                     std::function<void(bool)> done) {
  auto made = std::make_shared<std::vector<core::JournalRecord>>(std::move(first));
  auto make = [made] { return core::journal_block(*made); };
  if (durable) {
    log_.append(std::move(make), std::move(done));
    return;
  }
  if (!made->empty()) log_.append(std::move(make), {});
  done(true);
}

void Journal::under_way(const core::BatchNotes& notes) {
  std::lock_guard lock(mutex_);
  memory_.under_way(notes);
}

void Journal::settled(const core::BatchNotes& notes) {
  std::lock_guard lock(mutex_);
  memory_.settled(notes);
}

void Journal::follow(core::BatchFollows follows) {
  {
    std::lock_guard lock(mutex_);
    auto moved = memory_.moved(follows.cursors);
    if (!moved.shards.empty()) follows.records.emplace_back(std::move(moved));
  }
  if (follows.records.empty()) return;
  auto made = std::make_shared<std::vector<core::JournalRecord>>(std::move(follows.records));
  log_.append([made] { return core::journal_block(*made); }, {});
}

// ---- the leases' side ---------------------------------------------------------------------------

void Journal::tell(core::Heartbeat& said) const {
  std::lock_guard lock(mutex_);
  memory_.tell(said);
}

void Journal::heard(const core::HeartbeatAnswer& answer) {
  using Heard = core::JournalMemory::Heard;
  std::unique_lock lock(mutex_);
  const std::int64_t before = memory_.generation();
  const Heard news = memory_.heard(answer);
  if (news == Heard::first) write_mark();
  if (news != Heard::forgot) {
    if (answer.generation != 0 && !memory_.putting_back()) log_.keep_all(false);
    return;
  }
  lock.unlock();
  log_.keep_all(true);
  forgot_->add();
  log::warning("journal",
               "the database may have forgotten what was committed last; what the journal knows is "
               "put back",
               {{"generation", answer.generation},
                {"generation_before", before},
                {"quiet_until", answer.quiet_until}});
  changed_.notify_all();
}

// Under the lock: from here on what is written belongs to the generation of the mark.
void Journal::write_mark() {
  const std::string head = core::journal_block({memory_.mark()});
  log_.set_head(head);
  log_.append([head] { return head; }, {});
}

// ---- putting back -------------------------------------------------------------------------------

void Journal::run_memory(const std::stop_token& stop) {
  while (true) {
    std::int64_t generation = 0;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, stop, [this] { return memory_.putting_back(); });
      if (stop.stop_requested()) return;
      generation = memory_.generation();
    }
    core::JournalRest rest;
    Tally tally;
    post_quiet();
    put_back_rest(rest, tally);
    {
      std::lock_guard lock(mutex_);
      if (!memory_.put_back(generation)) continue;  // once more, from the beginning
      write_mark();
    }
    settled(tally);
    // Requests that were out are told as they end.
    Tally late;
    while (!stop.stop_requested()) {
      if (std::lock_guard lock(mutex_); !memory_.quiet() || memory_.generation() != generation) {
        break;
      }
      if (!runtime::wait_or_stop(stop, look_every)) return;
      put_back_rest(rest, late);
    }
    log_.keep_all(false);
    parts_.health.ok("journal");
  }
}

// Until all that was recorded by now is in the files.
void Journal::sync() {
  auto synced = std::make_shared<std::promise<void>>();
  auto waited = synced->get_future();
  log_.append([] { return std::string(); }, [synced](bool) { synced->set_value(); });
  waited.wait();
}

void Journal::put_back_rest(core::JournalRest& rest, Tally& tally) {
  sync();
  const auto replayed = replay();
  if (!replayed) throw Unavailable(replayed.error().message);
  std::vector<core::RememberedRun> portion;
  core::BatchFollows never;
  for (const core::RememberedRun* known : rest.take(*replayed)) {
    if (std::lock_guard lock(mutex_); memory_.never_made(*known)) {
      never.records.emplace_back(core::JournalVoid{known->run.id});
      continue;
    }
    portion.push_back(*known);
    if (portion.size() < runs_per_portion) continue;
    put_back(portion, tally);
    portion.clear();
  }
  if (!portion.empty()) put_back(portion, tally);
  follow(std::move(never));
}

void Journal::put_back(const std::vector<core::RememberedRun>& portion, Tally& tally) {
  const auto outcomes = parts_.spine.reassert(portion);
  // A claim that was perhaps never made must not come first when the database forgets again.
  core::BatchFollows follows;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (outcomes[i] == core::PutBack::taken)
      follows.records.emplace_back(core::JournalVoid{portion[i].run.id});
  }
  follow(std::move(follows));
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    const core::PutBack what = outcomes[i];
    ++tally[what];
    put_back_.at(what)->add();
    if (what == core::PutBack::known || tally[what] > lines_max) continue;
    const core::RememberedRun& known = portion[i];
    const bool bad = what == core::PutBack::job_lost || what == core::PutBack::taken;
    (bad ? log::error : log::info)(
        "journal",
        what == core::PutBack::taken      ? "a run that the database forgot was claimed anew by "
                                            "another node; its occurrence may have been sent twice"
        : what == core::PutBack::job_lost ? "a run was sent whose job the database has forgotten"
                                          : "a run was put back",
        {{"run", known.run.id},
         {"job", known.job},
         {"due", known.run.due},
         {"attempt", known.run.attempt},
         {"result", put_back_names.at(static_cast<std::size_t>(what))}});
  }
}

void Journal::settled(const Tally& tally) {
  using core::PutBack;
  const auto count = [&](PutBack what) { return count_of(tally, what); };
  const std::size_t back =
      count(PutBack::inserted) + count(PutBack::raised) + count(PutBack::ended);
  const std::size_t lost =
      count(PutBack::job_lost) + count(PutBack::taken) + count(PutBack::too_old);
  (back + lost > 0 ? log::warning : log::info)("journal",
                                               "the database was compared with the journal",
                                               {{"forgotten", back + lost},
                                                {"put_back", back},
                                                {"known", count(PutBack::known)},
                                                {"job_lost", count(PutBack::job_lost)},
                                                {"claimed_anew", count(PutBack::taken)},
                                                {"too_old", count(PutBack::too_old)}});
}

void Journal::post_quiet() {
  std::lock_guard lock(mutex_);
  parts_.health.failing("journal",
                        "the database has forgotten what was committed last; nothing is claimed "
                        "until the nodes have put back what they remember",
                        memory_.quiet_until());
}

}  // namespace cronally::scheduler
