#include "store/postgres/readers.h"

namespace cronally::store::postgres {

std::unique_ptr<Connection> Readers::take(SteadyInstant by, bool anew) {
  std::unique_lock lock(mutex_);
  const bool got = returned_.wait_for(lock, by - clock_.steady(),
                                      [this] { return !idle_.empty() || open_ < connections_max; });
  if (!got || clock_.steady() >= by)
    throw Unavailable("the database is busy: its readers all wait for it; try again");
  if (anew) {
    open_ -= idle_.size();
    idle_.clear();
  }
  if (auto connection = take_idle()) {
    connection->end_by(by);
    return connection;
  }
  ++open_;
  lock.unlock();
  try {
    return hosts_.connect(options_, by);
  } catch (...) {
    give_back(nullptr);
    throw;
  }
}

// Null where there is none that is of use.
std::unique_ptr<Connection> Readers::take_idle() {
  while (!idle_.empty()) {
    auto connection = std::move(idle_.back());
    idle_.pop_back();
    if (hosts_.keeps(*connection)) return connection;
    --open_;
  }
  return nullptr;
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
