#include <algorithm>

#include "tests/sim/node.h"
#include "tests/sim/trace.h"
#include "tests/sim/world.h"

namespace cronally::sim {

using namespace std::chrono_literals;

void Node::perform(core::Send& action) {
  if (world_.traced()) say("send " + describe(action.run, world_.base()));
  const RequestKey key{action.run.no, action.run.attempt};
  const Duration error = leased() ? process_->time.error(steady()) : Duration{};
  process_->requests[key] = {Request::State::queued, now().wall, error, action};
  auto& dice = world_.dice;
  Duration queued = dice.between(Duration{20us}, Duration{2ms});
  if (world_.faulty() && dice.chance(0.1)) queued += dice.between(Duration{5ms}, Duration{400ms});
  if (world_.faulty() && dice.chance(0.02)) {  // no permit: given back without a byte
    later(queued, [this, key] {
      const auto found = process_->requests.find(key);
      if (found == process_->requests.end() || found->second.state != Request::State::queued)
        return;
      found->second.state = Request::State::withdrawn;
      end_attempt(key, {.fate = core::Fate::withdrawn, .ended_at = now().wall});
    });
    return;
  }
  later(queued, [this, key] { leave(key); });
}

// The last moment: the request leaves, unless it was called back or its lease is over.
void Node::leave(RequestKey key) {
  const auto found = process_->requests.find(key);
  if (found == process_->requests.end() || found->second.state != Request::State::queued) return;
  Request& request = found->second;
  if (leased() && !trusts(request.send.run)) {
    request.state = Request::State::withdrawn;
    end_attempt(key, {.fate = core::Fate::withdrawn, .ended_at = now().wall});
    return;
  }
  request.state = Request::State::out;
  auto& dice = world_.dice;
  if (world_.faulty() && dice.chance(0.03)) {
    end_attempt(key, {.fate = core::Fate::not_sent, .error = "refused", .ended_at = now().wall});
    return;
  }
  const core::Send& send = request.send;
  world_.checks.first_byte({.at = world_.time(),
                            .node = index_,
                            .sent_wall = request.sent_wall,
                            .store_wall = world_.wall(),
                            .clock_error = request.clock_error,
                            .run = send.run,
                            .revision = send.revision,
                            .at_most_once = send.at_most_once});
  Duration working = dice.between(Duration{500us}, Duration{5ms});
  if (world_.troubled() && dice.chance(0.1)) {
    working = dice.between(Duration{50ms}, Duration{15s});
  }
  later(working, [this, key, at = now().wall] { answer(key, at); });
}

void Node::answer(RequestKey key, Instant first_byte_at) {
  auto& dice = world_.dice;
  core::AttemptResult result{.fate = core::Fate::answered,
                             .status = 200,
                             .first_byte_at = first_byte_at,
                             .ended_at = now().wall};
  if (world_.faulty() && dice.chance(0.15)) {
    static constexpr int statuses[] = {500, 500, 503, 404, 410, 302};
    result.status = statuses[dice.between(0, 5)];
    if (result.status == 503) result.retry_after = dice.between(Duration{1s}, Duration{60s});
  } else if (world_.faulty() && dice.chance(0.05)) {
    result.fate = core::Fate::unknown;
    result.status = 0;
    result.error = "timed out";
  }
  end_attempt(key, std::move(result));
}

void Node::end_attempt(RequestKey key, core::AttemptResult result) {
  const Duration way = world_.dice.between(Duration{10us}, Duration{1ms});
  later(way, [this, key, result] {
    process_->requests.erase(key);
    step(core::AttemptEnded{key.first, key.second, result});
  });
}

void Node::perform(core::Withdraw& action) {
  const auto found = process_->requests.find({action.run, action.attempt});
  if (found == process_->requests.end() || found->second.state != Request::State::queued) return;
  found->second.state = Request::State::withdrawn;
  end_attempt(found->first, {.fate = core::Fate::withdrawn, .ended_at = now().wall});
}

bool Node::has_out(RunNo run, std::int32_t attempt) const {
  if (!process_) return false;
  const auto found = process_->requests.find({run, attempt});
  return found != process_->requests.end() && found->second.state == Request::State::out;
}

}  // namespace cronally::sim
