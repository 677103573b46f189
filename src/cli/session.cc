#include "cli/session.h"

#include <iterator>
#include <utility>

#include "base/text.h"
#include "base/uuid.h"
#include "cli/table.h"
#include "cli/when.h"

namespace cronally::cli {
namespace json = boost::json;

namespace {

std::string without_line_end(std::string text) {
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  return text;
}

std::string without_slash(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

// An address to send requests to: http or https, and a host.
bool is_address(std::string_view url) {
  for (const std::string_view scheme : {"http://", "https://"})
    if (url.starts_with(scheme))
      return url.size() > scheme.size() && url[scheme.size()] != '/' && url[scheme.size()] != ':';
  return false;
}

// A token as a header carries it; `source` says where it was found.
Outcome<SecretText> sound_token(std::string text, const std::string& source) {
  std::string fault;
  if (text.empty()) fault = " is empty";
  for (const char c : text)
    if (c <= ' ' || c > '~') fault = " holds a blank, a line break or another byte no token has";
  if (fault.empty()) return SecretText(std::move(text));
  return std::unexpected(Problem{ExitCode::not_allowed,
                                 "no_token",
                                 "the token of " + source + fault,
                                 {},
                                 "give the text that `cronally token create` printed, alone."});
}

std::unexpected<Problem> unreadable(const Error& error) {
  const bool missing = error.code == "file_missing";
  return usage(error.message, missing ? "check the path; it starts at the current folder." : "");
}

constexpr const char* start_advice =
    "start one with `cronally serve`, or name one with --url or CRONALLY_URL.";

void indent(std::string& text, const json::value& value, std::size_t depth);

template <class Range, class Each>
void indent_all(std::string& text, const Range& range, std::size_t depth, Each each) {
  bool first = true;
  for (const auto& element : range) {
    text += first ? "\n" : ",\n";
    text.append(2 * depth + 2, ' ');
    each(element);
    first = false;
  }
  text += '\n';
  text.append(2 * depth, ' ');
}

void indent(std::string& text, const json::value& value, std::size_t depth) {
  if (value.is_object() && !value.get_object().empty()) {
    text += '{';
    indent_all(text, value.get_object(), depth, [&](const json::key_value_pair& member) {
      text += json::serialize(json::string(member.key())) + ": ";
      indent(text, member.value(), depth + 1);
    });
    text += '}';
  } else if (value.is_array() && !value.get_array().empty()) {
    text += '[';
    indent_all(text, value.get_array(), depth,
               [&](const json::value& element) { indent(text, element, depth + 1); });
    text += ']';
  } else {
    text += json::serialize(value);
  }
}

}  // namespace

bool Session::colour() const {
  return use_colour(flags_.no_color, world_.streams.out_terminal, world_.env);
}

std::string Session::data_dir() const { return flags_.data_dir.value_or(world_.data_dir_default); }

Outcome<json::object> Session::server_file() {
  const std::string path = data_dir() + "/server.json";
  const Result<std::string> text = world_.read_file(path);
  if (!text)
    return std::unexpected(Problem{ExitCode::unreachable,
                                   "no_server",
                                   "no server is known here: " + text.error().message,
                                   {},
                                   start_advice});
  boost::system::error_code malformed;
  json::value value = json::parse(*text, malformed);
  if (malformed || !value.is_object() || !value.get_object().contains("url") ||
      !value.get_object().at("url").is_string())
    return std::unexpected(Problem{ExitCode::unreachable,
                                   "no_server",
                                   quote(path) + " is not what a server writes",
                                   {},
                                   start_advice});
  return std::move(value.get_object());
}

Outcome<SecretText> Session::token_file() {
  const bool is_stdin = *flags_.token_file == "-";
  Outcome<std::string> text = read_secret(is_stdin ? "-" : "@" + *flags_.token_file);
  if (!text) return std::unexpected(text.error());
  return sound_token(std::move(*text), is_stdin ? "standard input" : quote(*flags_.token_file));
}

Outcome<std::optional<Signer>> Session::signer() const {
  const std::string key = world_.env("CRONALLY_API_KEY").value_or("");
  const std::string secret = world_.env("CRONALLY_API_SECRET").value_or("");
  if (key.empty() && secret.empty()) return std::nullopt;
  std::optional<core::V1Key> bytes = core::parse_v1_secret(secret);
  if (parse_uuid(key) && bytes) return Signer{key, std::move(*bytes)};
  const bool key_at_fault = !parse_uuid(key);
  return std::unexpected(
      Problem{ExitCode::not_allowed,
              "no_token",
              key_at_fault ? "CRONALLY_API_KEY is missing, or is no api key"
                           : "CRONALLY_API_SECRET is missing, or is no api secret",
              {},
              "give both as `cronally account create` or `cronally account rotate` printed them."});
}

Outcome<std::variant<SecretText, Signer>> Session::caller(bool own_server) {
  if (flags_.token_file) return token_file();
  if (auto text = world_.env("CRONALLY_TOKEN"); text && !text->empty())
    return sound_token(std::move(*text), "CRONALLY_TOKEN");
  Outcome<std::optional<Signer>> signs = signer();
  if (!signs) return std::unexpected(signs.error());
  if (*signs) return std::move(**signs);
  const std::string advice =
      "give a token in CRONALLY_TOKEN or --token-file, or CRONALLY_API_KEY and "
      "CRONALLY_API_SECRET.";
  if (!own_server)
    return std::unexpected(Problem{
        ExitCode::not_allowed, "no_token", "there is no token for that server", {}, advice});
  Result<std::string> text = world_.read_file(data_dir() + "/admin-token");
  if (!text)
    return std::unexpected(
        Problem{ExitCode::not_allowed, "no_token", text.error().message, {}, advice});
  return sound_token(without_line_end(std::move(*text)), quote(data_dir() + "/admin-token"));
}

Outcome<Server> Session::server() {
  Server server;
  bool own = true;
  if (flags_.url) {
    if (!is_address(*flags_.url))
      return usage("--url (CRONALLY_URL) takes an address such as http://127.0.0.1:8787, not " +
                   quote(*flags_.url));
    server.url = without_slash(*flags_.url);
    const Outcome<json::object> file = server_file();
    own = flags_.data_dir.has_value() ||
          (file && without_slash(std::string(file->at("url").get_string())) == server.url);
  } else {
    const Outcome<json::object> file = server_file();
    if (!file) return std::unexpected(file.error());
    server.url = without_slash(std::string(file->at("url").get_string()));
  }
  Outcome<std::variant<SecretText, Signer>> found = caller(own);
  if (!found) return std::unexpected(found.error());
  server.caller = std::move(*found);
  return server;
}

std::string Session::read_stdin() {
  if (!stdin_) stdin_ = std::string(std::istreambuf_iterator<char>(world_.streams.in), {});
  return *stdin_;
}

Outcome<std::string> Session::read_secret(const std::string& source) {
  if (source == "-") return without_line_end(read_stdin());
  Result<std::string> text = world_.read_file(source.substr(1));
  if (!text) return unreadable(text.error());
  return without_line_end(std::move(*text));
}

Outcome<std::string> Session::read_body(const std::string& path) {
  if (path == "-") return read_stdin();
  Result<std::string> text = world_.read_file(path);
  if (!text) return unreadable(text.error());
  return std::move(*text);
}

Outcome<Instant> Session::read_time(const std::string& text, const std::string& zone) {
  cctz::time_zone loaded = cctz::utc_time_zone();
  if (is_local_time(text)) {
    const Result<cctz::time_zone> found = world_.zone(zone);
    if (!found) return usage(found.error());
    loaded = *found;
  }
  const Result<Instant> at = parse_when(text, loaded, world_.now());
  if (!at) return usage(at.error());
  return *at;
}

void Session::print_json(const json::value& value) { out() << indented(value); }

std::string indented(const json::value& value) {
  std::string text;
  indent(text, value, 0);
  return text + "\n";
}

}  // namespace cronally::cli
