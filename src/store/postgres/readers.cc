#include "store/postgres/readers.h"

namespace cronally::store::postgres {

namespace {

constexpr std::chrono::seconds wait_max{4};

}  // namespace

std::unique_ptr<Connection> Readers::take(bool anew) {
  std::unique_lock lock(mutex_);
  const bool got = returned_.wait_for(lock, wait_max,
                                      [this] { return !idle_.empty() || open_ < connections_max; });
  if (!got) throw Unavailable("the database is busy: its readers all wait for it; try again");
  if (anew) {
    open_ -= idle_.size();
    idle_.clear();
  }
  if (!idle_.empty()) {
    auto connection = std::move(idle_.back());
    idle_.pop_back();
    return connection;
  }
  ++open_;
  lock.unlock();
  try {
    return std::make_unique<Connection>(options_);
  } catch (...) {
    give_back(nullptr);
    throw;
  }
}

void Readers::give_back(std::unique_ptr<Connection> connection) {
  {
    std::lock_guard lock(mutex_);
    if (connection) {
      idle_.push_back(std::move(connection));
    } else {
      --open_;
    }
  }
  returned_.notify_one();
}

}  // namespace cronally::store::postgres
