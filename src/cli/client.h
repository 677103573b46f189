// The API's client of the command line: one blocking exchange at a time, JSON in and out. It never
// repeats a request by itself; whoever knows that repeating is safe does.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/session.h"

namespace cronally::cli {

using Query = std::vector<std::pair<std::string, std::string>>;

// "/v2/jobs" and a name or id: "/v2/jobs/a%2Fb".
std::string path_of(std::string_view collection, std::string_view name);

// "/v2/runs?job=x&limit=5"; values are percent-encoded, empty queries leave the path as it is.
std::string with_query(std::string path, const Query& query);

// The limit of lists that are shown whole.
inline constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max();

class Client {
 public:
  static Outcome<Client> open(Session& session);

  // The answer's JSON (null for 204). An answer other than 2xx is a Problem.
  Outcome<boost::json::value> get(const std::string& path) const;
  // `body` null: none is sent.
  Outcome<boost::json::value> send(std::string method, const std::string& path,
                                   const boost::json::value& body = nullptr) const;
  // The same, where the answer is an object.
  Outcome<boost::json::object> get_object(const std::string& path) const;
  Outcome<boost::json::object> send_object(std::string method, const std::string& path,
                                           const boost::json::value& body = nullptr) const;
  // DELETE of what is still at this revision (If-Match); otherwise a Problem with exit conflict.
  Outcome<void> remove(const std::string& path, std::int64_t revision) const;
  // The 2xx body of a POST goes to a new file; there is no time limit.
  Outcome<void> download(const std::string& path, const std::string& file) const;

  // Of each exchange from here on; 30 s without it.
  void set_timeout(Duration timeout) { timeout_ = timeout; }

  // A list, newest first: follows next_cursor until there is no more or `limit` items are there.
  struct List {
    std::vector<boost::json::object> items;
    std::string next_cursor;  // empty: that was all
    // {"items": [...], "next_cursor": ...}, as the API answers it
    boost::json::object json() const;
  };
  Outcome<List> list(const std::string& path, const Query& query, std::size_t limit) const;

 private:
  Client(Session& session, Server server) : session_(&session), server_(std::move(server)) {}
  net::Call call_of(std::string method, const std::string& path) const;

  Session* session_;
  Server server_;
  Duration timeout_{std::chrono::seconds{30}};
};

}  // namespace cronally::cli
