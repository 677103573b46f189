#include "store/postgres/leases.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "base/error.h"
#include "core/journal.h"
#include "runtime/log.h"

namespace cronally::store::postgres {

namespace {

// A node that has not been heard of for so long is forgotten.
constexpr Duration node_age_max = std::chrono::hours{1};

Numbers numbers_of(const std::vector<ShardNo>& shards) {
  Numbers numbers;
  for (const ShardNo shard : shards) numbers.add(shard);
  return numbers;
}

}  // namespace

// A connection that was lost while it was idle is replaced once.
template <class Work>
void Leases::in_transaction(Work work) {
  std::lock_guard lock(mutex_);
  bool fresh = false;
  while (true) {
    bool begun = false;
    try {
      if (db_ && !hosts_.keeps(*db_)) db_.reset();
      if (!db_) {
        fresh = true;  // where nobody answers, too: there is no second try then
        db_ = hosts_.connect(options_);
      }
      const auto sample = begin(*db_, fresh);
      begun = true;
      work(*db_, sample);
      db_->run({{"unlimited"}, {"commit"}});
      if (!db_->take_warned()) hosts_.committed(*db_);
      return;
    } catch (const PgError& error) {
      db_.reset();
      if (fresh || begun) throw Unavailable(outage_text(error));
    }
  }
}

// The clock is read here, where nothing has to be waited for: the transaction itself stands in a
// line with those of other nodes. A connection's first answers are slow, so there it is read some
// times.
core::ClockSample Leases::begin(Connection& db, bool fresh) const {
  constexpr int first_looks = 4;
  core::ClockSample best;
  db.run("begin");
  for (int look = 0; look < (fresh ? first_looks : 1); ++look) {
    const auto asked = clock_->steady();
    const auto at = db.run("clock_read")[0].instant(0);
    const core::ClockSample sample{asked, clock_->steady(), at};
    if (look == 0 || sample.answered - sample.asked < best.answered - best.asked) best = sample;
  }
  return best;
}

core::HeartbeatAnswer Leases::heartbeat(const core::Heartbeat& said) {
  core::HeartbeatAnswer answer;
  in_transaction([&](Connection& db, const core::ClockSample& sample) {
    answer = {.clock = sample};
    decide(db, said, answer);
    if (!about_) return;
    const auto about = about_();
    Params node;
    node.add(said.node).add(about.name).add(about.version).add(about.tzdata);
    db.run("node_describe", std::move(node));
  });
  return answer;
}

void Leases::decide(Connection& db, const core::Heartbeat& said, core::HeartbeatAnswer& answer) {
  const auto rows = db.run({{"leases_lock"}, {"clock_read"}, {"nodes_read"}, {"leases_read"}});
  answer.at = rows[1][0].instant(0);
  // Who has yet to put back what was forgotten is granted nothing, and nobody while it is quiet.
  const bool remembers = judge(db, said, answer);
  if (!remembers || answer.quiet_until > answer.at) {
    Params alive;
    alive.add(said.node).add(said.draining).add(answer.at + said.ttl);
    db.run("node_write", std::move(alive));
    answer.lacking = 1;
    return;
  }
  std::vector<core::NodeRow> nodes;
  for (const Row row : rows[2]) {
    nodes.push_back({.node = {row.uuid(0)}, .draining = row.flag(1), .ends = row.instant(2)});
  }
  // A shard of nobody is free, as one is that was never held.
  std::vector<core::LeaseRow> leases;
  for (const Row row : rows[3]) {
    leases.push_back({.shard = {row.integer(0)},
                      .holder = {row.uuid(1)},
                      .fence = {row.integer(2)},
                      .ends = row.instant(3)});
  }
  auto decided = core::decide_leases(said, answer.at, nodes, leases);
  Params node;
  node.add(said.node).add(said.draining).add(answer.at + said.ttl);
  db.run({{"node_write", std::move(node)},
          {"nodes_prune", std::move(Params().add(answer.at - node_age_max))},
          {"leases_free", std::move(Params().add(numbers_of(decided.freed)).add(said.node))}});
  answer.lacking = decided.lacking;
  if (!decided.take.empty()) take(db, said, decided, answer);
  answer.kept = std::move(decided.kept);
  answer.asked = std::move(decided.asked);
}

// Whether this database was put back in time: then the generation rises, nobody holds anything, and
// it is quiet. False: the node has to look at its journal first.
bool Leases::judge(Connection& db, const core::Heartbeat& said, core::HeartbeatAnswer& answer) {
  const bool knows = !said.cursors.empty();
  std::vector<Call> calls{{"memory_read"}};
  if (knows) {
    Numbers shards, cursors;
    for (const auto& [shard, cursor] : said.cursors) {
      shards.add(shard);
      cursors.add(cursor);
    }
    calls.push_back({"cursors_behind", std::move(Params().add(shards).add(cursors))});
  }
  const auto rows = db.run(std::move(calls));
  const Row row = rows[0][0];
  const core::ServerMark stored{row.integer(1), row.integer(2)};
  const core::ServerMark now{row.integer(3), row.integer(4)};
  const bool behind = knows && rows[1][0].integer(0) > 0;
  answer.generation = row.integer(0);
  answer.quiet_until = row.instant(6);
  const auto rise = core::judge_memory(stored, now, answer.generation, said.generation, behind);
  if (rise > 0) {
    revoke(db, now, rise, said.ttl, answer);
  } else if (answer.quiet_until > answer.at) {
    const Instant until = core::quiet_until({row.instant(5), answer.quiet_until}, said.ttl,
                                            said.putting_back, answer.at);
    if (until > answer.quiet_until) db.run("quiet_prolong", std::move(Params().add(until)));
    answer.quiet_until = until;
  }
  return !said.putting_back && (said.generation == 0 || said.generation == answer.generation);
}

void Leases::revoke(Connection& db, const core::ServerMark& now, std::int64_t rise, Duration ttl,
                    core::HeartbeatAnswer& answer) {
  answer.quiet_until = core::quiet_until({answer.at, answer.at}, ttl, false, answer.at);
  Params raise;
  raise.add(rise).add(now.system).add(now.timeline).add(answer.at).add(answer.quiet_until);
  const auto raised = db.run("generation_raise", std::move(raise));
  const auto before = answer.generation;
  answer.generation = raised[0].integer(0);
  db.run({{"run_blocks_skip"}, {"leases_revoke", std::move(Params().add(raised[0].integer(1)))}});
  runtime::log::warning(
      "store",
      "the database was put back in time, or another server took over: what was committed last "
      "may be forgotten. Nobody claims until the nodes have put back what they remember",
      {{"generation", answer.generation}, {"generation_before", before}});
}

void Leases::take(Connection& db, const core::Heartbeat& said, const core::LeaseDecision& decided,
                  core::HeartbeatAnswer& answer) {
  for (const Row row :
       db.run("leases_takeable", std::move(Params().add(numbers_of(decided.take))))) {
    answer.granted.push_back({row.integer(0)});
  }
  answer.lacking += static_cast<int>(decided.take.size() - answer.granted.size());
  if (answer.granted.empty()) return;
  answer.fence = {db.run("fence_next")[0].integer(0)};
  Params lease;
  lease.add(answer.fence).add(said.node).add(answer.at);
  Params taken;
  taken.add(numbers_of(answer.granted)).add(said.node).add(answer.fence);
  db.run({{"lease_insert", std::move(lease)}, {"leases_take", std::move(taken)}});
}

void Leases::release(NodeId node, const core::Release& what) {
  in_transaction([&](Connection& db, const core::ClockSample&) {
    Numbers shards, fences;
    for (const auto& lease : what.shards) {
      shards.add(lease.shard);
      fences.add(lease.fence);
    }
    Params params;
    params.add(shards).add(fences).add(node);
    ShardSet released;
    for (const Row row : db.run("leases_release", std::move(params))) {
      released.set(static_cast<std::size_t>(row.integer(0)));
    }
    Numbers runs, run_fences, attempts, untils;
    for (const auto& left : what.left) {
      if (!released.test(static_cast<std::size_t>(left.shard.value))) continue;
      for (const auto& lease : what.shards) {
        if (lease.shard != left.shard) continue;
        runs.add(left.run);
        run_fences.add(lease.fence);
        attempts.add(left.attempt);
        untils.add(left.until);
      }
    }
    if (runs.size() == 0) return;
    Params left;
    left.add(runs).add(run_fences).add(attempts).add(untils);
    db.run("runs_leave", std::move(left));
  });
}

}  // namespace cronally::store::postgres
