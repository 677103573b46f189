// One connection to PostgreSQL and its prepared statements. Hides libpq; nothing else calls it.
//
// Calls are sent in pipeline mode (libpq, "Pipeline Mode"): all of one exchange leave before the
// first answer is awaited, so that an exchange costs one round trip however many calls it has. A
// statement is prepared on its first use, in the same exchange.
//
// Every exchange has a deadline. A host that is frozen or cut off keeps a socket open for ever, so
// past its deadline a connection is lost, as when the server closed it. A lost connection is of no
// further use: drop it.
//
// Not thread-safe: one thread at a time.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "core/journal.h"
#include "runtime/clock.h"
#include "store/postgres/address.h"
#include "store/postgres/wire.h"

namespace cronally::store::postgres {

// What went wrong, for the few callers that choose on it.
class PgError : public std::exception {
 public:
  enum class Silent : bool { no, yes };
  // `state`: SQLSTATE (PostgreSQL's manual, appendix A); empty where the server said nothing.
  PgError(std::string state, std::string text, bool lost, Silent silent = Silent::no)
      : state_(std::move(state)), text_(std::move(text)), lost_(lost), silent_(silent) {}
  const std::string& state() const { return state_; }
  // The connection is gone: whether what was under way happened is not known.
  bool lost() const { return lost_; }
  // Lost, because no answer came in time: the next try may wait as long.
  bool silent() const { return silent_ == Silent::yes; }
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  std::string state_;
  std::string text_;
  bool lost_;
  Silent silent_;
};

// A statement of statements.sql with its parameters.
struct Call {
  std::string_view statement;
  Params params{};
};

// The host that a connection was made to, how often it had been silent by then, and how often
// another server had come to be followed (hosts.h).
struct Origin {
  Host host;
  std::int64_t silences = 0;
  std::int64_t changes = 0;
};

struct ConnectionOptions {
  // A URI or keywords and values, with several hosts perhaps (libpq, "Connection Strings").
  std::string address;
  std::string name;  // application_name, "cronally writer": what pg_stat_activity shows
  Duration exchange_max = std::chrono::seconds{5};
  // Settings of the session, each one statement without parameters.
  std::vector<std::string> settings{};
  // Keywords that stand over the address's: {"host", "db2"}. An empty value: as if the address did
  // not have it.
  std::vector<std::pair<std::string, std::string>> instead{};
  // For a connection to one host: made by then, or given up.
  std::optional<SteadyInstant> by{};
  Origin origin{};
  bool marked = false;  // mark() is asked for, of a server that takes writes
  // Told, on the thread that waits, of a host that left an exchange or the making of the connection
  // unanswered past its deadline, and for no less than silence_min.
  std::function<void()> silent{};
};

// A shorter silence says nothing of a host: whoever waited had little time left.
inline constexpr Duration silence_min = std::chrono::seconds{2};

class Connection {
 public:
  // Connects to the first host that takes writes, unless the address asks otherwise. Each host has
  // 3 s (or the address's connect_timeout), or until `by`. Throws PgError, lost.
  explicit Connection(const ConnectionOptions& options);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // One exchange, answered call by call. The first call that fails throws PgError; what follows it
  // was not done. Outside of a transaction the calls of an exchange are one.
  std::vector<Rows> run(std::vector<Call> calls);
  Rows run(std::string_view statement, Params params = {});
  // Texts without parameters, each one statement, in one exchange: BEGIN, settings, migrations.
  std::vector<Rows> execute(const std::vector<std::string>& texts);
  Rows execute(const std::string& text);

  // COPY … FROM STDIN, which copy_in.h speaks; nothing else is called until its end. Between the
  // calls as much time may pass as one likes; each of them has the deadline of an exchange.
  void begin_copy(std::string_view sql);
  void send_copy(std::string_view bytes);
  Rows end_copy();

  // From here on an exchange may take so long.
  void limit_exchanges(Duration length) { exchange_max_ = length; }
  // And no longer than this, until it is set anew: who waits for them has no more time.
  void end_by(SteadyInstant at) { end_by_ = at; }

  // A transaction is open (or failed) on this connection.
  bool in_transaction() const;
  // The server said something in a warning since the last call of this: what PostgreSQL answers to
  // a commit that it made but did not see replicated.
  bool take_warned() { return std::exchange(warned_, false); }

  // Waits until the server sends something, or `timeout`. True: `other` became readable instead.
  bool wait_readable(int other, Duration timeout);
  // The payloads of the notifications that have come.
  std::vector<std::string> take_notifications();

  // What the server, or a pooler before it, says its process is.
  int backend() const { return PQbackendPID(connection_.get()); }
  const Origin& origin() const { return origin_; }
  // The server and its timeline, which stay as long as the connection; with
  // ConnectionOptions::marked.
  const std::optional<core::ServerMark>& mark() const { return mark_; }
  // When the server's process began, by its own clock in microseconds; with
  // ConnectionOptions::marked. A server that was put back in time has begun anew.
  std::int64_t server_began() const { return server_began_; }
  int server_version() const { return PQserverVersion(connection_.get()); }  // 150018
  std::string parameter(const char* name) const;                             // "server_encoding"
  std::string host() const;  // "db1:5432", or the folder of its socket
  int socket() const { return PQsocket(connection_.get()); }

 private:
  struct Finish {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };
  void make(const ConnectionOptions& options);
  void send(const Call& call);
  Rows answer_of_copy(ExecStatusType wanted);
  void send_text(const std::string& text);
  std::vector<Rows> exchange(std::size_t calls);
  PGresult* next_result(SteadyInstant until);
  void flush(SteadyInstant until);
  void wait_socket(bool to_write, SteadyInstant until);
  [[noreturn]] void lost(const std::string& what);
  static void note_warning(void* connection, const PGresult* notice);

  const runtime::SystemClock clock_{runtime::SystemClock::Hooks::ignore};  // for deadlines alone
  Duration exchange_max_;
  SteadyInstant end_by_ = SteadyInstant::max();
  const std::function<void()> silent_;
  const Origin origin_;
  SteadyInstant waits_since_{};
  std::optional<core::ServerMark> mark_;
  std::int64_t server_began_ = 0;
  std::unique_ptr<PGconn, Finish> connection_;
  std::unordered_set<std::string_view> prepared_;
  // What is sent and not answered: the name of a statement that is prepared, or empty for a call.
  std::vector<std::string_view> awaited_;
  bool warned_ = false;
};

// Why the servers of an address refuse a connection: SQLSTATEs, "28000" where a password is wanted
// and none is given. Empty where none answers, or one takes it after all. Tries once more. The
// address is one.
std::vector<std::string> refusal_states(const ConnectionOptions& options);
// An address that libpq can read: a URI, or keywords and values.
bool is_address(const std::string& address);

// One line for a person, of a failure to reach or use the database; never with the password.
std::string outage_text(const PgError& error);

}  // namespace cronally::store::postgres
