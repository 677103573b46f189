#include "cli/client.h"

#include <algorithm>

#include "base/percent.h"

namespace cronally::cli {
namespace json = boost::json;

namespace {

constexpr std::size_t page_max = 1000;  // the API's largest page

bool is_success(int status) { return status >= 200 && status < 300; }

Problem unreadable_answer() {
  return {ExitCode::failure,
          "unreadable_answer",
          "the answer is not what the API says: is this a Cronally server?",
          {},
          "check --url or CRONALLY_URL."};
}

Outcome<json::value> value_of(const net::CallAnswer& answer) {
  if (!is_success(answer.status)) return std::unexpected(problem_of_answer(answer));
  if (answer.body.empty()) return json::value();
  boost::system::error_code malformed;
  json::value value = json::parse(answer.body, malformed);
  if (malformed) return std::unexpected(unreadable_answer());
  return value;
}

Outcome<json::object> object_of(Outcome<json::value> value) {
  if (!value) return std::unexpected(value.error());
  if (!value->is_object()) return std::unexpected(unreadable_answer());
  return std::move(value->get_object());
}

// The path of a request to a URL: from its first slash behind the host on, without a query.
std::string_view path_in(std::string_view url) {
  url.remove_prefix(url.find("://") + 3);
  url.remove_prefix(std::min(url.find('/'), url.size()));
  return url.substr(0, url.find('?'));
}

void sign(net::Call& call, const Signer& signer, Instant now) {
  const std::string date = core::format_v1_date(now);
  call.headers.push_back({"X-Cron-Key", signer.api_key});
  call.headers.push_back({"X-Cron-Date", date});
  call.headers.push_back(
      {"X-Cron-Signature", core::sign_v1(signer.key, path_in(call.url), call.method, date)});
}

}  // namespace

std::string path_of(std::string_view collection, std::string_view name) {
  return std::string(collection) + "/" + percent_encode(name);
}

std::string with_query(std::string path, const Query& query) {
  char before = '?';
  for (const auto& [name, value] : query) {
    path += before + name + "=" + percent_encode(value);
    before = '&';
  }
  return path;
}

Outcome<Client> Client::open(Session& session) {
  Outcome<Server> server = session.server();
  if (!server) return std::unexpected(server.error());
  return Client(session, std::move(*server));
}

net::Call Client::call_of(std::string method, const std::string& path) const {
  net::Call call;
  call.method = std::move(method);
  call.url = server_.url + path;
  call.timeout = timeout_;
  call.headers = {{"Accept", "application/json"}, {"User-Agent", "cronally/" CRONALLY_VERSION}};
  if (const auto* token = std::get_if<SecretText>(&server_.caller))
    call.headers.push_back({"Authorization", "Bearer " + token->reveal()});
  else
    sign(call, std::get<Signer>(server_.caller), session_->world().now());
  return call;
}

Outcome<json::object> Client::get_object(const std::string& path) const {
  return object_of(get(path));
}

Outcome<json::object> Client::send_object(std::string method, const std::string& path,
                                          const json::value& body) const {
  return object_of(send(std::move(method), path, body));
}

Outcome<json::value> Client::get(const std::string& path) const {
  const Result<net::CallAnswer> answer = session_->world().call(call_of("GET", path));
  if (!answer) return std::unexpected(problem_of_call(answer.error()));
  return value_of(*answer);
}

Outcome<json::value> Client::send(std::string method, const std::string& path,
                                  const json::value& body) const {
  net::Call call = call_of(std::move(method), path);
  if (!body.is_null()) {
    call.headers.push_back({"Content-Type", "application/json"});
    call.body = json::serialize(body);
  }
  const Result<net::CallAnswer> answer = session_->world().call(call);
  if (!answer) return std::unexpected(problem_of_call(answer.error()));
  return value_of(*answer);
}

Outcome<void> Client::remove(const std::string& path, std::int64_t revision) const {
  net::Call call = call_of("DELETE", path);
  call.headers.push_back({"If-Match", '"' + std::to_string(revision) + '"'});
  const Result<net::CallAnswer> answer = session_->world().call(call);
  if (!answer) return std::unexpected(problem_of_call(answer.error()));
  if (!is_success(answer->status)) return std::unexpected(problem_of_answer(*answer));
  return {};
}

Outcome<void> Client::download(const std::string& path, const std::string& file) const {
  net::Call call = call_of("POST", path);
  call.timeout = Duration::zero();
  const Result<net::CallAnswer> answer = session_->world().download(call, file);
  if (!answer) return std::unexpected(problem_of_call(answer.error()));
  if (!is_success(answer->status)) return std::unexpected(problem_of_answer(*answer));
  return {};
}

Outcome<Client::List> Client::list(const std::string& path, const Query& query,
                                   std::size_t limit) const {
  List list;
  while (list.items.size() < limit) {
    Query page = query;
    page.emplace_back("limit", std::to_string(std::min(limit - list.items.size(), page_max)));
    if (!list.next_cursor.empty()) page.emplace_back("cursor", list.next_cursor);
    const Outcome<json::value> answer = get(with_query(path, page));
    if (!answer) return std::unexpected(answer.error());
    const json::object* object = answer->if_object();
    const json::value* items = object ? object->if_contains("items") : nullptr;
    if (!items || !items->is_array()) return std::unexpected(unreadable_answer());
    for (const json::value& item : items->get_array())
      if (item.is_object()) list.items.push_back(item.get_object());
    const json::value* next = object->if_contains("next_cursor");
    list.next_cursor = next && next->is_string() ? std::string(next->get_string()) : "";
    if (list.next_cursor.empty()) break;
  }
  return list;
}

json::object Client::List::json() const {
  json::object whole;
  whole["items"] = json::array(items.begin(), items.end());
  whole["next_cursor"] = next_cursor.empty() ? json::value() : json::value(next_cursor);
  return whole;
}

}  // namespace cronally::cli
