#include "store/postgres/leases.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>
#include <vector>

#include "base/error.h"
#include "core/journal.h"
#include "runtime/log.h"

namespace cronally::store::postgres {

namespace {

using namespace std::chrono_literals;

// A node that has not been heard of for so long is forgotten.
constexpr Duration node_age_max = 1h;

// Leases as columns: which, and under which fence.
struct LeaseColumns {
  Numbers shards, fences;
  void add(ShardNo shard, Fence fence) {
    shards.add(shard);
    fences.add(fence);
  }
};

// Nothing is left to anybody by these; `add_left` says what is.
Params release_params(NodeId node, const LeaseColumns& leases) {
  Params params;
  params.add(leases.shards).add(leases.fences).add(node);
  return params;
}

Params& add_left(Params& params, const std::vector<core::LeftRun>& left) {
  Numbers runs, shards, attempts, untils;
  for (const auto& run : left) {
    runs.add(run.run);
    shards.add(run.shard);
    attempts.add(run.attempt);
    untils.add(run.until);
  }
  return params.add(runs).add(shards).add(attempts).add(untils);
}

}  // namespace

template <class Work>
auto Leases::locked(Work work) {
  std::lock_guard lock(mutex_);
  try {
    return work();
  } catch (const PgError& error) {
    db_.reset();
    throw Unavailable(outage_text(error));
  }
}

// The first exchange, which may be made twice: a connection that was lost while it was idle is
// replaced once.
template <class Ask>
auto Leases::ask_first(Ask ask) {
  if (db_ && hosts_.keeps(*db_)) {
    try {
      return ask(*db_, false);
    } catch (const PgError& error) {
      if (!error.lost()) throw;
    }
  }
  db_.reset();
  db_ = hosts_.connect(options_);
  return ask(*db_, true);
}

core::HeartbeatAnswer Leases::heartbeat(const core::Heartbeat& said) {
  return locked([&] {
    const auto clock =
        ask_first([this](Connection& db, bool fresh) { return read_clock(db, fresh); });
    const Seen seen = say_alive(said);
    core::HeartbeatAnswer answer{.at = seen.at,
                                 .clock = clock,
                                 .generation = seen.generation,
                                 .quiet_until = seen.quiet.until};
    for (const auto& row : seen.nodes) {
      if (row.ends > seen.at) answer.living.push_back(row.node);
    }
    // Who has yet to put back what was forgotten is granted nothing, and nobody while it is quiet.
    const bool remembers = judge(said, seen, answer);
    // Before any edit of ours goes there.
    const auto before = std::exchange(generation_, answer.generation);
    if (before != 0 && before != answer.generation) bell_.forget();
    hosts_.judged(*db_);
    if (!remembers || answer.quiet_until > answer.at) {
      answer.lacking = 1;
      return answer;
    }
    auto decided = core::decide_leases(said, seen.at, seen.nodes, seen.leases);
    answer.lacking = decided.lacking;
    move(said, seen, decided, answer);
    answer.kept = std::move(decided.kept);
    answer.asked = std::move(decided.asked);
    return answer;
  });
}

// The clock is read here, where nothing has to be waited for. A connection's first answers are
// slow, so there it is read some times; but not where that is nothing beside the way.
core::ClockSample Leases::read_clock(Connection& db, bool fresh) const {
  constexpr int first_looks = 4;
  constexpr Duration first_looks_max = 50ms;
  const auto began = clock_->steady();
  core::ClockSample best;
  for (int look = 0; look < (fresh ? first_looks : 1); ++look) {
    const auto asked = clock_->steady();
    if (asked - began > first_looks_max) break;
    const auto at = db.run("clock_read")[0].instant(0);
    const core::ClockSample sample{asked, clock_->steady(), at};
    if (look == 0 || sample.answered - sample.asked < best.answered - best.asked) best = sample;
  }
  return best;
}

Leases::Seen Leases::say_alive(const core::Heartbeat& said) {
  Numbers shards, cursors;
  for (const auto& [shard, cursor] : said.cursors) {
    shards.add(shard);
    cursors.add(cursor);
  }
  Params node;
  node.add(said.node).add(said.draining).add(said.ttl);
  node.add(said.putting_back).add(said.generation);
  Uuids peers;
  for (const NodeId peer : said.peers) peers.add(peer);
  std::vector<Call> calls{{"begin"},
                          {"leases_lock"},
                          {"memory_read"},
                          {"cursors_behind", std::move(Params().add(shards).add(cursors))},
                          {"node_write", std::move(node)},
                          {"nodes_prune", std::move(Params().add(node_age_max))},
                          {"nodes_await", std::move(Params().add(said.generation).add(peers))},
                          {"nodes_read"},
                          {"leases_read"}};
  if (about_) {
    const auto about = about_();
    Params described;
    described.add(said.node).add(about.name).add(about.version).add(about.tzdata);
    calls.push_back({"node_describe", std::move(described)});
  }
  const auto rows = commit(std::move(calls));
  const Row memory = rows[2][0];
  Seen seen{.at = rows[4][0].instant(0),
            .generation = memory.integer(0),
            .stored = {memory.integer(1), memory.integer(2)},
            .now = {memory.integer(3), memory.integer(4)},
            .quiet = {memory.instant(5), memory.instant(6)},
            .behind = rows[3][0].integer(0) > 0};
  for (const Row row : rows[7]) {
    seen.nodes.push_back({.node = {row.uuid(0)},
                          .draining = row.flag(1),
                          .ends = row.instant(2),
                          .beat_at = row.instant(3),
                          .back = row.null(4) ? std::nullopt : std::optional(row.integer(4)),
                          .awaited = row.integer(5)});
  }
  for (const Row row : rows[8]) {
    seen.leases.push_back({.shard = {row.integer(0)},
                           .holder = row.null(1) ? NodeId{} : NodeId{row.uuid(1)},
                           .fence = {row.integer(2)},
                           .ends = row.instant(3)});
  }
  return seen;
}

// Whether this database was put back in time: then the generation rises, nobody holds anything, and
// it is quiet. False: the node has to look at its journal first.
bool Leases::judge(const core::Heartbeat& said, const Seen& seen, core::HeartbeatAnswer& answer) {
  const auto rise =
      core::judge_memory(seen.stored, seen.now, seen.generation, said.generation, seen.behind);
  if (rise > 0) {
    revoke(seen, rise, answer);
  } else if (seen.quiet.until > seen.at) {
    answer.quiet_until = core::quiet_until(seen.quiet, seen.generation, seen.nodes, seen.at);
    if (answer.quiet_until != seen.quiet.until) {
      write({{"quiet_write", std::move(Params().add(seen.generation).add(answer.quiet_until))}});
    }
  }
  return !said.putting_back && (said.generation == 0 || said.generation == answer.generation);
}

void Leases::revoke(const Seen& seen, std::int64_t rise, core::HeartbeatAnswer& answer) {
  answer.quiet_until =
      core::quiet_until({seen.at, seen.at}, seen.generation + rise, seen.nodes, seen.at);
  Params raise;
  raise.add(seen.generation).add(rise).add(seen.now.system).add(seen.now.timeline);
  raise.add(seen.at).add(answer.quiet_until);
  const auto rows = write({{"generation_raise", std::move(raise)}});
  if (rows[2].empty()) {
    throw Unavailable("another server has just noticed that the database was put back in time");
  }
  answer.generation = rows[2][0].integer(0);
  runtime::log::warning(
      "store",
      "the database was put back in time, or another server took over: what was committed last "
      "may be forgotten. Nobody claims until the nodes have put back what they remember",
      {{"generation", answer.generation}, {"generation_before", seen.generation}});
}

void Leases::move(const core::Heartbeat& said, const Seen& seen, const core::LeaseDecision& decided,
                  core::HeartbeatAnswer& answer) {
  const auto among = [](const std::vector<ShardNo>& shards, ShardNo shard) {
    return std::ranges::find(shards, shard) != shards.end();
  };
  LeaseColumns freed, taken;
  Numbers ends;
  for (const auto& lease : seen.leases) {
    if (among(decided.freed, lease.shard)) freed.add(lease.shard, lease.fence);
    if (!among(decided.take, lease.shard)) continue;
    taken.add(lease.shard, lease.fence);
    ends.add(lease.ends);
  }
  std::vector<Call> calls;
  if (freed.shards.size() > 0) {
    auto params = release_params(said.node, freed);
    calls.push_back({"leases_release", std::move(add_left(params, {}))});
  }
  if (taken.shards.size() > 0) {
    Params params;
    params.add(taken.shards).add(taken.fences).add(ends).add(said.node).add(seen.at);
    calls.push_back({"leases_take", std::move(params)});
  }
  if (calls.empty()) return;
  const std::size_t last = calls.size() + 1;  // behind BEGIN and the lock
  const auto rows = write(std::move(calls));
  if (taken.shards.size() == 0) return;
  for (const Row row : rows[last]) {
    answer.granted.push_back({row.integer(0)});
    answer.fence = {row.integer(1)};
  }
  std::ranges::sort(answer.granted);
  answer.lacking += static_cast<int>(decided.take.size() - answer.granted.size());
}

// One transaction in the line of heartbeats. Answers: of BEGIN, the lock, the calls, and its end.
std::vector<Rows> Leases::write(std::vector<Call> calls) {
  std::vector<Call> all{{"begin"}, {"leases_lock"}};
  std::ranges::move(calls, std::back_inserter(all));
  return commit(std::move(all));
}

// The calls of a transaction and its end, after which this server is known to be the primary. A
// commit that is cancelled while it waits for a standby answers success: so it has all its time.
std::vector<Rows> Leases::commit(std::vector<Call> calls) {
  calls.push_back({"unlimited"});
  calls.push_back({"commit"});
  auto rows = db_->run(std::move(calls));
  if (!db_->take_warned()) hosts_.committed(*db_);
  return rows;
}

void Leases::release(NodeId node, const core::Release& what) {
  LeaseColumns leases;
  for (const auto& lease : what.shards) leases.add(lease.shard, lease.fence);
  locked([&] {
    return ask_first([&](Connection&, bool) {
      auto params = release_params(node, leases);
      return commit({{"begin"}, {"leases_release", std::move(add_left(params, what.left))}});
    });
  });
}

}  // namespace cronally::store::postgres
