// What every command starts from: the global flags, the server they lead to, and how to print.
#pragma once

#include <boost/json.hpp>
#include <optional>
#include <string>
#include <variant>

#include "base/secret.h"
#include "cli/problem.h"
#include "cli/world.h"
#include "core/v1_signature.h"

namespace cronally::cli {

struct GlobalFlags {
  std::optional<std::string> url;         // --url, CRONALLY_URL
  std::optional<std::string> token_file;  // --token-file; "-" is standard input
  std::optional<std::string> data_dir;    // --data-dir, CRONALLY_DATA_DIR
  bool json = false;
  bool no_color = false;
};

// Who signs requests as API v1 has it, instead of carrying a token (core/v1_signature).
struct Signer {
  std::string api_key;
  core::V1Key key;
};

struct Server {
  std::string url;                          // without a slash at its end
  std::variant<SecretText, Signer> caller;  // a token, or who signs
};

class Session {
 public:
  Session(World& world, const GlobalFlags& flags) : world_(world), flags_(flags) {}

  World& world() { return world_; }
  const GlobalFlags& flags() const { return flags_; }
  std::ostream& out() { return world_.streams.out; }
  std::ostream& err() { return world_.streams.err; }
  bool json() const { return flags_.json; }
  bool colour() const;
  std::string data_dir() const;

  // Where to send requests, and as whom. The address: --url or CRONALLY_URL, else the data
  // directory's server.json. The token: --token-file, else CRONALLY_TOKEN; else requests are signed
  // with CRONALLY_API_KEY and CRONALLY_API_SECRET; else the data directory's admin-token, which
  // goes only to the server of that directory, or wherever
  // --data-dir is given together with --url, never to some other address.
  Outcome<Server> server();

  // The content of "@FILE" or "-" (standard input, to its end) without the line's end after it.
  Outcome<std::string> read_secret(const std::string& source);

  // A file for --body-file, whole; "-" is standard input.
  Outcome<std::string> read_body(const std::string& path);

  // The instant that a time of the command line names; a local time is one of `zone`.
  Outcome<Instant> read_time(const std::string& text, const std::string& zone);

  // Prints the API's shape, indented, on stdout.
  void print_json(const boost::json::value& value);

 private:
  Outcome<std::variant<SecretText, Signer>> caller(bool own_server);
  Outcome<std::optional<Signer>> signer() const;
  Outcome<SecretText> token_file();
  Outcome<boost::json::object> server_file();
  std::string read_stdin();

  World& world_;
  const GlobalFlags& flags_;
  std::optional<std::string> stdin_;  // read once, whoever asks for it
};

// JSON with two blanks of indentation and the line's end; members in their order.
std::string indented(const boost::json::value& value);

}  // namespace cronally::cli
