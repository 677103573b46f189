// A small pool of connections that read.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/error.h"
#include "store/postgres/connection.h"
#include "store/postgres/hosts.h"
#include "store/postgres/reach.h"

namespace cronally::store::postgres {

// Thread-safe. At most four connections; whoever finds none waits for one.
class Readers {
 public:
  Readers(ConnectionOptions options, Hosts& hosts, const Reach& reach)
      : options_(std::move(options)), hosts_(hosts), reach_(reach) {}

  // Hands a connection to `read`, whose calls see each what is committed by then. A connection that
  // was lost is replaced once, and `read` called again; what fails then is Unavailable, at once
  // where the database is away. All of it ends by answer_by(now).
  template <class Read>
  auto read(Read&& read) {
    reach_.require();
    const auto by = answer_by(clock_.steady());
    try {
      return Lease(*this, by).run(read);
    } catch (const PgError& error) {
      const bool again = error.lost() || error.state() == "25006";
      if (!again || clock_.steady() >= by) throw Unavailable(outage_text(error));
    }
    reach_.require();
    try {
      return Lease(*this, by, Lease::fresh).run(read);
    } catch (const PgError& error) {
      throw Unavailable(outage_text(error));
    }
  }

  // The same, where all calls of `read` see one snapshot.
  template <class Read>
  auto read_together(Read&& together) {
    return read([&](Connection& db) {
      db.run("begin_read");
      auto result = together(db);
      db.run("commit");
      return result;
    });
  }

 private:
  static constexpr std::size_t connections_max = 4;

  class Lease {
   public:
    static constexpr bool fresh = true;
    explicit Lease(Readers& readers, SteadyInstant by, bool anew = false)
        : readers_(readers), connection_(readers.take(by, anew)) {}
    ~Lease() { readers_.give_back(std::move(connection_)); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    template <class Read>
    auto run(Read& read) {
      try {
        return read(*connection_);
      } catch (...) {
        connection_.reset();  // and with it whatever transaction is open
        throw;
      }
    }

   private:
    Readers& readers_;
    std::unique_ptr<Connection> connection_;
  };

  // `anew`: not one that lay idle, which may be lost as well.
  std::unique_ptr<Connection> take(SteadyInstant by, bool anew);
  std::unique_ptr<Connection> take_idle();
  void give_back(std::unique_ptr<Connection> connection);

  const ConnectionOptions options_;
  Hosts& hosts_;
  const Reach& reach_;
  const runtime::SystemClock clock_{runtime::SystemClock::Hooks::ignore};
  std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<std::unique_ptr<Connection>> idle_;
  std::size_t open_ = 0;
};

}  // namespace cronally::store::postgres
