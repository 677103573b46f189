#include "cli/follow.h"

#include <utility>

#include "cli/views.h"

namespace cronally::cli {
namespace json = boost::json;

namespace {

constexpr int tries_max = 60;  // one a second: a restart takes less
constexpr Duration try_pause = std::chrono::seconds{1};

bool is_ended(const json::object& run) { return text_at(run, "state") == "ended"; }

}  // namespace

Outcome<json::object> Follower::ask() {
  Query query;
  if (!cursor_.empty()) {
    query.emplace_back("after", cursor_);
    query.emplace_back("wait", "10s");
  }
  if (!job_.empty()) query.emplace_back("job", job_);
  return client_.get_object(with_query("/v2/runs/changes", query));
}

Outcome<json::object> Follower::ask_patiently() {
  Outcome<json::object> answer = ask();
  for (int tries = 0; tries < tries_max && !answer; ++tries) {
    if (answer.error().code == "cursor_expired") {
      session_.err() << "cronally: too long without a connection; some changes were missed\n";
      cursor_.clear();
    } else if (answer.error().exit == ExitCode::unreachable) {
      if (tries == 0)
        session_.err() << "cronally: the server is away; asking again\n" << std::flush;
      session_.world().pause(try_pause);
    } else {
      break;
    }
    answer = ask();
  }
  return answer;
}

Outcome<void> Follower::start() {
  const Outcome<json::object> answer = ask();
  if (!answer) return std::unexpected(answer.error());
  cursor_ = text_at(*answer, "next_cursor");
  return {};
}

Outcome<std::vector<json::object>> Follower::changes() {
  const Outcome<json::object> answer = ask_patiently();
  if (!answer) return std::unexpected(answer.error());
  if (std::string next = text_at(*answer, "next_cursor"); !next.empty()) cursor_ = std::move(next);
  std::vector<json::object> runs;
  if (const json::array* items = array_at(*answer, "items"))
    for (const json::value& item : *items)
      if (item.is_object()) runs.push_back(item.get_object());
  return runs;
}

Outcome<json::object> Follower::until_ended(json::object run) {
  const std::string id = text_at(run, "id");
  while (!is_ended(run)) {
    Outcome<std::vector<json::object>> changed = changes();
    if (!changed) return std::unexpected(changed.error());
    for (json::object& other : *changed)
      if (text_at(other, "id") == id) run = std::move(other);
  }
  return run;
}

}  // namespace cronally::cli
