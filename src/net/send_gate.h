// The last-moment check of one attempt: between "decided" and "the first byte leaves" it can be
// called back, by exactly one of two parties. One that has started can be cut off while it is
// under way.
//
//   pending --start()--> started      the sending thread, right before the first byte
//   pending --withdraw()--> withdrawn any thread; true: no byte of this attempt will ever leave
//   started --cut_off()--> cut_off    any thread; the sender ends it, unless its receiver has it
//
// Lock-free and thread-safe; shared by the one who decides and the one who sends.
#pragma once

#include <atomic>

namespace cronally::net {

class SendGate {
 public:
  enum class State : unsigned char { pending, started, withdrawn, cut_off };

  // True when this call, or an earlier one, kept the attempt from leaving; false: it has left.
  bool withdraw() {
    State expected = State::pending;
    return state_.compare_exchange_strong(expected, State::withdrawn) ||
           expected == State::withdrawn;
  }

  // As withdraw(); what has left is marked for HttpClient::end_withdrawn().
  void cut_off() {
    if (!withdraw()) state_ = State::cut_off;
  }

  // For the sender: true exactly once, and only if not withdrawn.
  bool start() {
    State expected = State::pending;
    return state_.compare_exchange_strong(expected, State::started);
  }

  State state() const { return state_.load(); }

 private:
  std::atomic<State> state_{State::pending};
};

}  // namespace cronally::net
