// Calls that leave together, each with what takes its answer.
#pragma once

#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "store/postgres/connection.h"

namespace cronally::store::postgres {

class Exchange {
 public:
  using Take = std::function<void(const Rows&)>;

  void add(std::string_view statement, Params params, Take take = {}) {
    calls_.push_back({statement, std::move(params)});
    takers_.push_back(std::move(take));
  }
  bool empty() const { return calls_.empty(); }

  // One round trip; then each answer in the order of the calls.
  void run(Connection& db) {
    if (empty()) return;
    const auto answers = db.run(take_calls());
    answered(answers);
  }
  // Its two halves, for who sends the calls with others.
  std::vector<Call> take_calls() { return std::exchange(calls_, {}); }
  void answered(std::span<const Rows> answers) {
    for (std::size_t i = 0; i < answers.size(); ++i) {
      if (takers_[i]) takers_[i](answers[i]);
    }
    takers_.clear();
  }

 private:
  std::vector<Call> calls_;
  std::vector<Take> takers_;
};

}  // namespace cronally::store::postgres
