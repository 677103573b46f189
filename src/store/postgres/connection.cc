#include "store/postgres/connection.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

#include "base/check.h"
#include "store/postgres/sql.h"

namespace cronally::store::postgres {

namespace {

// An answer's text in one line.
std::string line_of(const char* text) {
  std::string line = text ? text : "";
  while (!line.empty() && line.back() == '\n') line.pop_back();
  std::ranges::replace(line, '\n', ' ');
  std::erase(line, '\t');
  return line;
}

std::string field_of(const PGresult* result, int field) {
  const char* text = PQresultErrorField(result, field);
  return text ? text : "";
}

// As server_identity() of the schema, which may not be there yet; and when the server began.
const std::string mark_sql =
    "SELECT system_identifier, "
    "('x' || lpad(left(pg_walfile_name(pg_current_wal_lsn()), 8), 16, '0'))::bit(64)::bigint, "
    "(extract(epoch FROM pg_postmaster_start_time()) * 1e6)::bigint FROM pg_control_system()";

// Class 57, subclass P: the server ends the session (admin shutdown, crash, cannot connect now).
bool ends_session(const std::string& state) { return state.starts_with("57P"); }

struct FreeOptions {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};

bool gives(const PQconninfoOption* options, std::string_view keyword) {
  for (; options->keyword; ++options) {
    if (options->keyword == keyword) return options->val != nullptr;
  }
  return false;
}

// An address as libpq takes it: keywords, and values at the same places, of which it passes over
// the empty ones.
struct Words {
  std::vector<std::pair<std::string, std::string>> texts;

  std::vector<const char*> keywords() const {
    return each([](const auto& text) { return text.first.c_str(); });
  }
  std::vector<const char*> values() const {
    return each([](const auto& text) { return text.second.c_str(); });
  }

 private:
  template <class Pick>
  std::vector<const char*> each(Pick pick) const {
    std::vector<const char*> picked;
    for (const auto& text : texts) picked.push_back(pick(text));
    picked.push_back(nullptr);
    return picked;
  }
};

Words words_of(const ConnectionOptions& options) {
  char* fault = nullptr;
  const std::unique_ptr<PQconninfoOption, FreeOptions> given(
      PQconninfoParse(options.address.c_str(), &fault));
  if (!given) {
    PQfreemem(fault);  // it quotes the address, which may hold a password
    throw PgError("", "the address is none that libpq reads, as postgres://user@host/database",
                  true);
  }
  Words words;
  const auto say = [&](std::string_view keyword, std::string value) {
    words.texts.emplace_back(std::string(keyword), std::move(value));
  };
  const auto stands_over = [&](std::string_view keyword) {
    return std::ranges::any_of(options.instead,
                               [&](const auto& word) { return word.first == keyword; });
  };
  // What the address says itself goes before these.
  constexpr std::array<std::pair<const char*, const char*>, 7> defaults{{
      {"target_session_attrs", "read-write"},
      {"connect_timeout", "3"},
      {"tcp_user_timeout", "5000"},
      {"keepalives_idle", "5"},
      {"keepalives_interval", "2"},
      {"keepalives_count", "3"},
      {"client_encoding", "UTF8"},
  }};
  say("fallback_application_name", options.name);
  for (const auto& [keyword, value] : defaults) {
    if (!gives(given.get(), keyword) && !stands_over(keyword)) say(keyword, value);
  }
  for (const auto* option = given.get(); option->keyword; ++option) {
    if (option->val && !stands_over(option->keyword)) say(option->keyword, option->val);
  }
  for (const auto& [keyword, value] : options.instead) say(keyword, value);
  return words;
}

// The SQLSTATEs in what libpq says of a connection at its most talkative: "FATAL:  28P01: …".
std::vector<std::string> states_in(std::string_view text) {
  constexpr std::string_view before = ":  ";
  constexpr std::size_t length = 5;
  std::vector<std::string> states;
  for (auto at = text.find(before); at != text.npos; at = text.find(before, at + 1)) {
    const auto state = text.substr(at + before.size(), length + 1);
    const bool sound = state.size() > length && state.back() == ':' &&
                       std::ranges::all_of(state.substr(0, length), [](char c) {
                         return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
                       });
    if (sound) states.emplace_back(state.substr(0, length));
  }
  if (text.contains("no password supplied")) states.emplace_back("28000");  // libpq's own words
  return states;
}

}  // namespace

std::vector<std::string> refusal_states(const ConnectionOptions& options) {
  const auto words = words_of(options);
  const std::unique_ptr<PGconn, decltype(&PQfinish)> connection(
      PQconnectStartParams(words.keywords().data(), words.values().data(), 0), &PQfinish);
  if (!connection) return {};
  // There is no other way to have SQLSTATEs of a connection that was refused: a beginning that is
  // dropped, so that the whole is done with this verbosity.
  PQsetErrorVerbosity(connection.get(), PQERRORS_VERBOSE);
  PQreset(connection.get());
  if (PQstatus(connection.get()) == CONNECTION_OK) return {};
  return states_in(PQerrorMessage(connection.get()));
}

bool is_address(const std::string& address) {
  char* fault = nullptr;
  const std::unique_ptr<PQconninfoOption, FreeOptions> given(
      PQconninfoParse(address.c_str(), &fault));
  PQfreemem(fault);
  return given != nullptr;
}

std::string outage_text(const PgError& error) {
  return std::string("the database cannot be used: ") + error.what();
}

Connection::Connection(const ConnectionOptions& options)
    : exchange_max_(options.exchange_max), silent_(options.silent), origin_(options.origin) {
  make(options);
  if (PQstatus(connection_.get()) != CONNECTION_OK) lost(PQerrorMessage(connection_.get()));
  PQsetNoticeReceiver(connection_.get(), note_warning, this);
  if (PQsetnonblocking(connection_.get(), 1) != 0 || PQenterPipelineMode(connection_.get()) != 1) {
    lost(PQerrorMessage(connection_.get()));
  }
  auto first = options.settings;
  if (options.marked) {
    first.emplace_back(mark_sql);
  }
  if (first.empty()) return;
  const auto answers = execute(first);
  if (!options.marked) return;
  const Row marks = answers.back()[0];
  mark_ = {marks.integer(0), marks.integer(1)};
  server_began_ = marks.integer(2);
}

void Connection::make(const ConnectionOptions& options) {
  const auto words = words_of(options);
  const auto keywords = words.keywords();
  const auto values = words.values();
  if (!options.by) {  // libpq counts the time of each host by itself, in whole seconds
    connection_.reset(PQconnectdbParams(keywords.data(), values.data(), 0));
    return;
  }
  end_by_ = *options.by;
  waits_since_ = clock_.steady();
  connection_.reset(PQconnectStartParams(keywords.data(), values.data(), 0));
  auto next = PGRES_POLLING_WRITING;
  while (PQstatus(connection_.get()) != CONNECTION_BAD &&
         (next == PGRES_POLLING_READING || next == PGRES_POLLING_WRITING)) {
    wait_socket(next == PGRES_POLLING_WRITING, end_by_);
    next = PQconnectPoll(connection_.get());
  }
}

Connection::~Connection() = default;

void Connection::note_warning(void* connection, const PGresult* notice) {
  if (field_of(notice, PG_DIAG_SEVERITY_NONLOCALIZED) == "WARNING") {
    static_cast<Connection*>(connection)->warned_ = true;
  }
}

void Connection::lost(const std::string& what) { throw PgError("", line_of(what.c_str()), true); }

bool Connection::in_transaction() const {
  const auto status = PQtransactionStatus(connection_.get());
  return status == PQTRANS_INTRANS || status == PQTRANS_INERROR;
}

std::string Connection::parameter(const char* name) const {
  const char* value = PQparameterStatus(connection_.get(), name);
  return value ? value : "";
}

std::string Connection::host() const {
  const char* host = PQhost(connection_.get());
  const char* port = PQport(connection_.get());
  return std::string(host ? host : "") + ":" + (port ? port : "");
}

// ---- exchanges --------------------------------------------------------------------------------

std::vector<Rows> Connection::run(std::vector<Call> calls) {
  for (const auto& call : calls) send(call);
  return exchange(calls.size());
}

Rows Connection::run(std::string_view statement, Params params) {
  send({statement, std::move(params)});
  return std::move(exchange(1).front());
}

std::vector<Rows> Connection::execute(const std::vector<std::string>& texts) {
  for (const auto& text : texts) send_text(text);
  return exchange(texts.size());
}

Rows Connection::execute(const std::string& text) {
  send_text(text);
  return std::move(exchange(1).front());
}

void Connection::send(const Call& call) {
  const auto [name, sql] = statement_named(call.statement);
  const auto& types = call.params.types();
  if (prepared_.insert(name).second) {
    if (PQsendPrepare(connection_.get(), name.data(), std::string(sql).c_str(),
                      static_cast<int>(types.size()), types.data()) != 1) {
      lost(PQerrorMessage(connection_.get()));
    }
    awaited_.push_back(name);
  }
  std::vector<const char*> values;
  std::vector<int> lengths;
  std::vector<int> formats(types.size(), 1);
  for (const auto& value : call.params.values()) {
    values.push_back(value ? value->data() : nullptr);
    lengths.push_back(value ? static_cast<int>(value->size()) : 0);
  }
  if (PQsendQueryPrepared(connection_.get(), name.data(), static_cast<int>(values.size()),
                          values.data(), lengths.data(), formats.data(), 1) != 1) {
    lost(PQerrorMessage(connection_.get()));
  }
  awaited_.emplace_back();
}

void Connection::send_text(const std::string& text) {
  if (PQsendQueryParams(connection_.get(), text.c_str(), 0, nullptr, nullptr, nullptr, nullptr,
                        1) != 1) {
    lost(PQerrorMessage(connection_.get()));
  }
  awaited_.emplace_back();
}

// Sends what is queued and takes every answer up to the end of the pipeline.
std::vector<Rows> Connection::exchange(std::size_t calls) {
  waits_since_ = clock_.steady();
  const auto until = std::min(waits_since_ + exchange_max_, end_by_);
  if (PQpipelineSync(connection_.get()) != 1) lost(PQerrorMessage(connection_.get()));
  flush(until);
  std::vector<Rows> rows;
  rows.reserve(calls);
  std::optional<PgError> failed;
  std::size_t at = 0;
  while (true) {
    PGresult* result = next_result(until);
    if (!result) continue;  // the end of one command's answers
    Rows answer(result);
    const auto status = PQresultStatus(result);
    if (status == PGRES_PIPELINE_SYNC) break;
    const std::string_view preparing = at < awaited_.size() ? awaited_[at] : std::string_view{};
    ++at;
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
      if (preparing.empty()) rows.push_back(std::move(answer));
      continue;
    }
    prepared_.erase(preparing);  // it failed, or what stood before it did
    if (status != PGRES_FATAL_ERROR || failed) continue;
    const auto state = field_of(result, PG_DIAG_SQLSTATE);
    if (ends_session(state)) lost(PQresultErrorMessage(result));
    failed.emplace(state, line_of(PQresultErrorMessage(result)), state.empty());
  }
  awaited_.clear();
  if (failed) throw *failed;
  return rows;
}

PGresult* Connection::next_result(SteadyInstant until) {
  while (PQisBusy(connection_.get())) {
    wait_socket(false, until);
    if (PQconsumeInput(connection_.get()) != 1) lost(PQerrorMessage(connection_.get()));
  }
  PGresult* result = PQgetResult(connection_.get());
  if (!result && PQstatus(connection_.get()) != CONNECTION_OK) {
    lost(PQerrorMessage(connection_.get()));
  }
  return result;
}

void Connection::flush(SteadyInstant until) {
  while (true) {
    const int left = PQflush(connection_.get());
    if (left == 0) return;
    if (left < 0) lost(PQerrorMessage(connection_.get()));
    // The server may wait for us to read before it reads more.
    wait_socket(true, until);
    if (PQconsumeInput(connection_.get()) != 1) lost(PQerrorMessage(connection_.get()));
  }
}

void Connection::wait_socket(bool to_write, SteadyInstant until) {
  pollfd socket{.fd = PQsocket(connection_.get()),
                .events = static_cast<short>(to_write ? POLLIN | POLLOUT : POLLIN),
                .revents = 0};
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - clock_.steady());
  const int ready = left.count() > 0 ? ::poll(&socket, 1, static_cast<int>(left.count())) : 0;
  if (ready < 0 && errno == EINTR) return;
  if (ready > 0) return;
  if (silent_ && clock_.steady() - waits_since_ >= silence_min) silent_();
  throw PgError("", "the server did not answer in time", true, PgError::Silent::yes);
}

// ---- COPY -------------------------------------------------------------------------------------

// There is no COPY within a pipeline (libpq, "Pipeline Mode").
void Connection::begin_copy(std::string_view sql) {
  if (PQexitPipelineMode(connection_.get()) != 1 ||
      PQsendQuery(connection_.get(), std::string(sql).c_str()) != 1) {
    lost(PQerrorMessage(connection_.get()));
  }
  (void)answer_of_copy(PGRES_COPY_IN);
}

void Connection::send_copy(std::string_view bytes) {
  const auto until = clock_.steady() + exchange_max_;
  const int size = static_cast<int>(bytes.size());
  int taken = 0;
  while ((taken = PQputCopyData(connection_.get(), bytes.data(), size)) == 0) flush(until);
  if (taken < 0) lost(PQerrorMessage(connection_.get()));
  flush(until);
}

Rows Connection::end_copy() {
  const auto until = clock_.steady() + exchange_max_;
  int taken = 0;
  while ((taken = PQputCopyEnd(connection_.get(), nullptr)) == 0) flush(until);
  if (taken < 0) lost(PQerrorMessage(connection_.get()));
  Rows answer = answer_of_copy(PGRES_COMMAND_OK);
  if (next_result(clock_.steady() + exchange_max_) != nullptr ||
      PQenterPipelineMode(connection_.get()) != 1) {
    lost("the server goes on behind the end of a COPY");
  }
  return answer;
}

Rows Connection::answer_of_copy(ExecStatusType wanted) {
  const auto until = clock_.steady() + exchange_max_;
  flush(until);
  PGresult* result = next_result(until);
  if (!result) lost("the server did not answer a COPY");
  Rows answer(result);
  if (PQresultStatus(result) == wanted) return answer;
  const auto state = field_of(result, PG_DIAG_SQLSTATE);
  throw PgError(state, line_of(PQresultErrorMessage(result)), ends_session(state));
}

bool Connection::wait_readable(int other, Duration timeout) {
  pollfd sockets[2] = {{.fd = PQsocket(connection_.get()), .events = POLLIN, .revents = 0},
                       {.fd = other, .events = POLLIN, .revents = 0}};
  const auto wait =
      std::max(std::chrono::ceil<std::chrono::milliseconds>(timeout), std::chrono::milliseconds{0});
  ::poll(sockets, 2, static_cast<int>(wait.count()));
  return sockets[1].revents != 0;
}

std::vector<std::string> Connection::take_notifications() {
  std::vector<std::string> payloads;
  if (PQconsumeInput(connection_.get()) != 1) lost(PQerrorMessage(connection_.get()));
  while (PGnotify* notice = PQnotifies(connection_.get())) {
    payloads.emplace_back(notice->extra);
    PQfreemem(notice);
  }
  return payloads;
}

}  // namespace cronally::store::postgres
