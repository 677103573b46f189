#include "tests/sim/trace.h"

namespace cronally::sim {
namespace {

std::string us(Instant at, Instant base) { return std::to_string((at - base).count()); }
std::string number(std::int64_t value) { return std::to_string(value); }

struct ItemText {
  Instant base;
  std::string operator()(const core::Claim& item) const {
    return "claim job " + number(item.job.value) + " rev " + number(item.revision) + " due " +
           us(item.due, base);
  }
  std::string operator()(const core::Skip& item) const {
    return "skip job " + number(item.job.value) + " (" + us(item.from, base) + ", " +
           us(item.to, base) + "]";
  }
  std::string operator()(const core::Advance& item) const {
    return "advance shard " + number(item.shard.value) + " to " + us(item.cursor, base) + " seen " +
           number(item.seen);
  }
  std::string operator()(const core::Replan& item) const {
    std::string text = "replan job " + number(item.job.value) + " rev " + number(item.revision) +
                       " change " + number(static_cast<int>(item.change)) + " at " +
                       us(item.changed_at, base) + " leaves";
    for (const RunNo run : item.in_flight) text += " " + number(run.value);
    for (const core::Skip& skip : item.skips) text += ", " + (*this)(skip);
    return text;
  }
  std::string operator()(const core::Accept& item) const {
    return "accept run " + number(item.run.value);
  }
  std::string operator()(const core::Begin& item) const {
    return (item.taken_back ? "take back run " : "begin run ") + number(item.run.value);
  }
  std::string operator()(const core::Takeover& item) const {
    return "takeover run " + number(item.run.value) + (item.sent_perhaps ? " sent perhaps" : "");
  }
  std::string operator()(const core::Outcome& item) const {
    const auto* again = std::get_if<core::Outcome::Again>(&item.next);
    return "outcome run " + number(item.run.value) + " attempt " + number(item.attempt) +
           (again ? " again at " + us(again->send_at, base) : std::string{" ends it"});
  }
  std::string operator()(const core::End& item) const {
    return "end run " + number(item.run.value) + " reason " + number(static_cast<int>(item.reason));
  }
};

}  // namespace

std::string describe(const core::Item& item, const core::ItemOutcome* outcome, Instant base) {
  std::string text = std::visit(ItemText{base}, item);
  if (!outcome) return text;
  text += " -> " + number(static_cast<int>(outcome->status));
  if (outcome->run.value != 0) text += " run " + number(outcome->run.value);
  return text;
}

std::string describe(const core::OpenRun& run, Instant base) {
  return "run " + number(run.no.value) + " job " + number(run.job.value) + " state " +
         number(static_cast<int>(run.state)) + " attempt " + number(run.attempt) + " due " +
         us(run.due, base) + " send_at " + us(run.send_at, base) + " failures " +
         number(run.failures) + " unknowns " + number(run.unknowns) + " fence " +
         number(run.fence.value & 0xffff);
}

std::string describe(const core::Event& event, Instant base) {
  std::string text;
  if (const auto* changes = std::get_if<core::ChangesRead>(&event)) {
    text = "changes read:";
    for (const auto& job : changes->jobs) {
      text += " job " + number(job.no.value) + " rev " + number(job.revision);
    }
    for (const auto& run : changes->requested) text += " run " + number(run.no.value);
  } else if (const auto* read = std::get_if<core::RunsRead>(&event)) {
    text = read->complete ? "runs read:" : "runs read in part:";
    for (const auto& run : read->runs) text += "\n    " + describe(run, base);
  } else if (const auto* ended = std::get_if<core::AttemptEnded>(&event)) {
    text = "attempt ended: run " + number(ended->run.value) + " attempt " + number(ended->attempt) +
           " fate " + number(static_cast<int>(ended->result.fate)) + " status " +
           number(ended->result.status);
  } else if (const auto* granted = std::get_if<core::ShardsAcquired>(&event)) {
    text = "shards acquired, fence " + number(granted->fence.value & 0xffff);
  }
  return text;
}

}  // namespace cronally::sim
