#include <algorithm>

#include "tests/sim/checks.h"
#include "tests/sim/world.h"

namespace cronally::sim {

using namespace std::chrono_literals;

std::string seconds(Duration at) {
  const auto us = at.count();
  return std::to_string(us / 1'000'000) + "." +
         std::to_string(1'000'000 + us % 1'000'000).substr(1) + " s";
}

void Checks::object(const std::string& what) {
  objections_.push_back("after " + seconds(world_.time()) + ": " + what);
}

void Checks::left(int node, const core::LeftRun& run) {
  const auto record = world_.store.run_records().find(run.run);
  // Too late: its lease was over, and it is as after a death.
  if (record == world_.store.run_records().end()) return;
  if (record->second.open.left_until != run.until) return;
  left_[{run.run, run.attempt}] = {node, run.until, world_.store.servers()};
}

void Checks::incident(bool graceful) { incidents_.push_back({world_.time(), graceful}); }

void Checks::first_byte(const FirstByte& byte) {
  ++world_.counted.first_bytes;
  const core::OpenRun& run = byte.run;
  const std::string which = "run " + std::to_string(run.no.value) + " of job " +
                            std::to_string(run.job.value) + ", attempt " +
                            std::to_string(run.attempt) + " of node " + std::to_string(byte.node);
  world_.people.note_acks();
  check_claimed(byte, which);
  check_once(byte, which);
  check_lease(byte, which);
  check_time(byte, which);
  check_edits(byte, which);
}

void Checks::check_claimed(const FirstByte& byte, const std::string& which) {
  const core::OpenRun& run = byte.run;
  const RunRecord* record = world_.store.find_ever(run.id);
  if (!record) {
    object("P1: " + which + " left without a durable claim");
    return;
  }
  if (world_.store.ever_succeeded(run.id))
    object("P4: " + which + " began after a recorded success");
  if (world_.store.doubted()) return;  // what was durable may not be put back yet
  if (record->open.attempt < run.attempt || record->open.fence < run.fence) {
    object("P1: " + which + " left before its number or fence was durable");
  }
  if (byte.at_most_once && record->open.state == core::RunState::claimed) {
    object("P3: " + which + " left before it was begun");
  }
}

void Checks::check_once(const FirstByte& byte, const std::string& which) {
  const core::OpenRun& run = byte.run;
  first_bytes_.try_emplace(run.id, byte.store_wall);
  if (++sent_numbers_[{run.id, run.attempt}] > 1) object("P4: " + which + " left twice");
  if (run.fence < fences_[run.id]) object("P4: " + which + " left under an older fence");
  fences_[run.id] = std::max(fences_[run.id], run.fence);
  if (run.kind == core::RunKind::scheduled) {
    const auto [known, fresh] = sent_occurrences_.try_emplace({run.job, run.due}, run.id);
    if (!fresh && known->second != run.id) object("P1: " + which + " is a second run of one due");
  }
  if (byte.at_most_once && ++at_most_once_sent_[run.id] > 1) {
    object("P3: " + which + " is a second request");
  }
}

// Nobody else may act for the shard yet; and what was left to who sent it is left alone.
void Checks::check_lease(const FirstByte& byte, const std::string& which) {
  if (world_.scenario.holders() == Holders::one) return;
  const core::OpenRun& run = byte.run;
  const ShardRecord& shard = world_.store.shard(run.shard);
  if (world_.store.doubted()) return;  // it may not have heard that nobody holds anything
  if (shard.fence != run.fence || shard.ends <= byte.store_wall) {
    object("P4: " + which + " left although its lease was over");
  }
  for (std::int32_t before = 1; before < run.attempt; ++before) {
    const auto found = left_.find({run.no, before});
    if (found == left_.end()) continue;
    const auto& [node, until, server] = found->second;
    if (server != world_.store.servers()) continue;
    const bool told = byte.store_wall >= until - 2 * core::LeaseKeeper::clock_error_max;
    if (!told && world_.nodes[static_cast<std::size_t>(node)]->has_out(run.no, before)) {
      object("P4: " + which + " left beside an attempt that was left to node " +
             std::to_string(node));
    }
  }
}

// By the node's own clock, and by the store's as far as the node can know it.
void Checks::check_time(const FirstByte& byte, const std::string& which) {
  const Instant owed = std::max(byte.run.due, byte.run.send_at);
  if (byte.sent_wall < owed) object("P5: " + which + " was sent early");
  if (world_.scenario.holders() == Holders::one) return;
  if (byte.clock_error > core::LeaseKeeper::clock_error_max) {
    object("P5: " + which + " was sent by a clock that may be off by " + seconds(byte.clock_error));
  }
  if (byte.store_wall < owed - byte.clock_error) {
    object("P5: " + which + " was sent " + seconds(owed - byte.store_wall) + " early");
  }
}

void Checks::check_edits(const FirstByte& byte, const std::string& which) {
  const core::OpenRun& run = byte.run;
  const Revision acked = world_.people.acked(run.job);
  if (byte.revision < acked) {
    object("P10: " + which + " left under revision " + std::to_string(byte.revision) +
           " after the ack of " + std::to_string(acked));
  }
  const JobRecord& record = world_.store.job_records().at(run.job);
  if (acked < record.job.revision) return;  // what came after is not acked: both ways are right
  if (record.deleted) object("P10: " + which + " left after the ack of its job's deletion");
  const bool held = run.kind == core::RunKind::scheduled || run.due <= record.job.updated_at;
  if (record.job.definition.paused && held) {
    object("P10: " + which + " left after the ack of its job's pause");
  }
}

}  // namespace cronally::sim
