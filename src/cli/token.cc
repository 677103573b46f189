// token create|list|revoke
#include <memory>

#include "base/text.h"
#include "base/uuid.h"
#include "cli/client.h"
#include "cli/tree.h"
#include "cli/views.h"

namespace cronally::cli {
namespace json = boost::json;

namespace {

Outcome<ExitCode> create(Session& session, const std::string& name, bool admin) {
  const Outcome<Client> client = Client::open(session);
  if (!client) return std::unexpected(client.error());
  const json::object body{{"name", name}, {"admin", admin}};
  const Outcome<json::object> token = client->send_object("POST", "/v2/tokens", body);
  if (!token) return std::unexpected(token.error());
  if (session.json()) {
    session.print_json(*token);
    return ExitCode::ok;
  }
  session.out() << text_at(*token, "token") << "\n";
  session.err() << "This is the only time the token is shown; hand it on as CRONALLY_TOKEN or in a "
                   "file for --token-file.\n";
  return ExitCode::ok;
}

Outcome<ExitCode> list(Session& session) {
  const Outcome<Client> client = Client::open(session);
  if (!client) return std::unexpected(client.error());
  const Outcome<Client::List> tokens = client->list("/v2/tokens", {}, no_limit);
  if (!tokens) return std::unexpected(tokens.error());
  if (session.json())
    session.print_json(tokens->json());
  else
    session.out() << tokens_table(tokens->items, {session.world().now(), session.colour()});
  return ExitCode::ok;
}

// The id of a token that is given by id or by name.
Outcome<std::string> id_of(const Client& client, const std::string& token) {
  if (parse_uuid(token)) return token;
  const Outcome<Client::List> tokens = client.list("/v2/tokens", {}, no_limit);
  if (!tokens) return std::unexpected(tokens.error());
  for (const json::object& other : tokens->items)
    if (text_at(other, "name") == token) return text_at(other, "id");
  return std::unexpected(Problem{ExitCode::not_found,
                                 "not_found",
                                 "no token " + quote(token),
                                 {},
                                 "`cronally token list` shows them."});
}

Outcome<ExitCode> revoke(Session& session, const std::string& token) {
  const Outcome<Client> client = Client::open(session);
  if (!client) return std::unexpected(client.error());
  const Outcome<std::string> id = id_of(*client, token);
  if (!id) return std::unexpected(id.error());
  const Outcome<json::value> gone = client->send("DELETE", path_of("/v2/tokens", *id));
  if (!gone) return std::unexpected(gone.error());
  if (session.json())
    session.print_json(*gone);
  else
    session.out() << "revoked " << printable(token) << "\n";
  return ExitCode::ok;
}

}  // namespace

void add_token_verbs(Tree& tree) {
  CLI::App& group = tree.group("token", "Make and revoke the tokens that requests carry.");
  auto name = std::make_shared<std::string>();
  auto admin = std::make_shared<bool>(false);
  CLI::App& create_app =
      tree.verb(group,
                {"create",
                 "Make a token and print it, this once.",
                 {"cronally token create deploy", "cronally token create ops --admin > ops-token"}},
                [name, admin](Session& session) { return create(session, *name, *admin); });
  create_app.add_option("NAME", *name, "What it is for.")->required();
  create_app.add_flag("--admin", *admin, "It may make tokens and take backups too.");

  tree.verb(group,
            {"list",
             "List tokens; never their text.",
             {"cronally token list", "cronally token list --json"}},
            [](Session& session) { return list(session); });

  auto token = std::make_shared<std::string>();
  CLI::App& revoke_app = tree.verb(group,
                                   {"revoke",
                                    "End a token at once.",
                                    {"cronally token revoke deploy",
                                     "cronally token revoke 5a1c0f3e-7d24-4b8e-9c55-0e6a8d1f2b47"}},
                                   [token](Session& session) { return revoke(session, *token); });
  revoke_app.add_option("TOKEN", *token, "Id or name.")->required();
}

}  // namespace cronally::cli
