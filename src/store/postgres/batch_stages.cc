#include "store/postgres/batch_stages.h"

#include <unordered_set>
#include <utility>
#include <variant>

namespace cronally::store::postgres {

namespace {

class Stager {
 public:
  void add(std::size_t place, const core::Claim& claim) {
    plain().claims.push_back({place, &claim});
  }
  void add(std::size_t place, const core::Skip& skip) { plain().skips.push_back({place, &skip}); }
  void add(std::size_t place, const core::Advance& advance) {
    staged_.advances.push_back({place, &advance});
  }
  void add(std::size_t place, const core::Replan& replan) {
    if (kind_ != Kind::replans || !jobs_.insert(replan.job).second) {
      open(Kind::replans);
      jobs_.insert(replan.job);
    }
    staged_.stages.back().replans.push_back({place, &replan});
  }
  void add(std::size_t place, const core::Accept& accept) {
    of_run(accept.run).accepts.push_back({place, &accept});
  }
  void add(std::size_t place, const core::Begin& begin) {
    of_run(begin.run).begins.push_back({place, &begin});
  }
  void add(std::size_t place, const core::Takeover& takeover) {
    of_run(takeover.run).takeovers.push_back({place, &takeover});
  }
  void add(std::size_t place, const core::Outcome& outcome) {
    of_run(outcome.run).outcomes.push_back({place, &outcome});
  }
  void add(std::size_t place, const core::End& end) {
    of_run(end.run).ends.push_back({place, &end});
  }

  Stages take() { return std::move(staged_); }

 private:
  enum class Kind { none, plain, replans };

  void open(Kind kind) {
    kind_ = kind;
    jobs_.clear();
    runs_.clear();
    staged_.stages.emplace_back();
  }
  Stage& plain() {
    if (kind_ != Kind::plain) open(Kind::plain);
    return staged_.stages.back();
  }
  Stage& of_run(RunNo run) {
    if (kind_ != Kind::plain || runs_.contains(run)) open(Kind::plain);
    runs_.insert(run);
    return staged_.stages.back();
  }

  Stages staged_;
  Kind kind_ = Kind::none;
  std::unordered_set<JobNo> jobs_;  // of a stage of replans
  std::unordered_set<RunNo> runs_;  // of a stage of the other kinds
};

}  // namespace

Stages stages_of(const std::vector<core::Item>& items, const std::vector<bool>& wanted) {
  Stager stager;
  for (std::size_t place = 0; place < items.size(); ++place) {
    if (!wanted[place]) continue;
    std::visit([&](const auto& item) { stager.add(place, item); }, items[place]);
  }
  return stager.take();
}

}  // namespace cronally::store::postgres
