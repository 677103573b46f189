#include "store/postgres/listener.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <utility>

#include "base/check.h"
#include "store/postgres/news.h"

namespace cronally::store::postgres {

using namespace std::chrono_literals;

namespace {

constexpr Duration look_every = 1s;
constexpr Duration retry_after = 250ms;

// True once `stop` is readable; waits `timeout` for it.
bool stopped(int stop, Duration timeout) {
  pollfd waited{.fd = stop, .events = POLLIN, .revents = 0};
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(timeout);
  return ::poll(&waited, 1, static_cast<int>(wait.count())) > 0;
}

}  // namespace

Listener::Listener(ConnectionOptions options, Hosts& hosts, Bell& bell, Reach& reach)
    : options_(std::move(options)),
      hosts_(hosts),
      bell_(bell),
      reach_(reach),
      stop_(::eventfd(0, EFD_CLOEXEC)) {
  CHECK(stop_.get() >= 0, "an eventfd can be made");
  thread_ = std::thread([this] { run(); });
}

Listener::~Listener() {
  const std::uint64_t one = 1;
  CHECK(::write(stop_.get(), &one, sizeof one) == sizeof one, "an eventfd takes a one");
  thread_.join();
}

// A connection that was closed is made anew before anything is said: it may have been that one
// alone.
void Listener::run() {
  while (!stopped(stop_.get(), 0s)) {
    bool answered = false;
    try {
      const auto db = hosts_.connect(options_);
      if (listen(*db, answered)) return;
      continue;
    } catch (const PgError& error) {
      if (answered && !error.silent()) continue;
      reach_.failed(outage_text(error));
    }
    if (stopped(stop_.get(), retry_after)) return;
  }
}

bool Listener::listen(Connection& db, bool& answered) {
  db.run("listen");
  const runtime::SystemClock clock{runtime::SystemClock::Hooks::ignore};
  auto look_at = clock.steady();
  while (true) {
    if (clock.steady() >= look_at) {
      if (!hosts_.keeps(db)) return false;
      look(db, bell_, runs_known_);
      reach_.answered();
      answered = true;
      look_at = clock.steady() + look_every;
    }
    if (db.wait_readable(stop_.get(), look_at - clock.steady())) return true;
    const auto told = db.take_notifications();
    if (!told.empty() && !hosts_.keeps(db)) return false;  // its numbers are of a server of before
    for (const auto& news : told) bell_.ring(read_news(news));
  }
}

void Listener::look(Connection& db, Bell& bell, std::int64_t& runs_known) {
  Effects effects;
  std::int64_t runs = 0;
  const auto rows = db.run({{"shards_read"}, {"requested_any"}});
  for (const Row row : rows[0]) {
    const ShardNo shard{row.integer(0)};
    effects.changes.emplace_back(shard, row.integer(2));
    effects.seen.emplace_back(shard, row.integer(3));
    runs += row.integer(4);
  }
  effects.runs = runs != std::exchange(runs_known, runs);
  effects.requested = !rows[1].empty();
  bell.ring(effects);
}

}  // namespace cronally::store::postgres
