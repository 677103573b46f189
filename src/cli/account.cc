// account show|edit|create|rotate
#include <memory>

#include "cli/client.h"
#include "cli/job_body.h"
#include "cli/table.h"
#include "cli/tree.h"
#include "cli/views.h"

namespace cronally::cli {
namespace json = boost::json;

namespace {

struct EditFlags {
  std::optional<std::string> signing_secret;  // "generate" or "@FILE"
  std::optional<std::string> failure_webhook;
  bool no_failure_webhook = false;
  std::vector<std::string> failure_secret_headers;
};

Outcome<ExitCode> show(Session& session) {
  const Outcome<Client> client = Client::open(session);
  if (!client) return std::unexpected(client.error());
  const Outcome<json::object> account = client->get_object("/v2/account");
  if (!account) return std::unexpected(account.error());
  if (session.json())
    session.print_json(*account);
  else
    session.out() << account_facts(*account, {session.world().now(), session.colour()});
  return ExitCode::ok;
}

Outcome<void> write_signing_secret(Session& session, const std::string& given, json::object& body) {
  if (given == "generate") {
    body["signing_secret"] = given;
    return {};
  }
  if (given != "-" && (!given.starts_with('@') || given.size() == 1))
    return usage("a secret in the argument list can be read by every user of this machine",
                 "--signing-secret takes generate, @FILE, or - for standard input.");
  const Outcome<std::string> secret = session.read_secret(given);
  if (!secret) return std::unexpected(secret.error());
  body["signing_secret"] = *secret;
  return {};
}

Outcome<json::object> body_of(Session& session, const EditFlags& flags) {
  json::object body;
  if (flags.signing_secret)
    if (const auto done = write_signing_secret(session, *flags.signing_secret, body); !done)
      return std::unexpected(done.error());
  if (flags.no_failure_webhook) {
    if (flags.failure_webhook || !flags.failure_secret_headers.empty())
      return usage("give --failure-webhook or --no-failure-webhook, not both");
    body["failure_webhook"] = nullptr;
    return body;
  }
  json::object webhook;
  if (flags.failure_webhook) webhook["url"] = *flags.failure_webhook;
  const auto read = [&session](const std::string& source) { return session.read_secret(source); };
  Outcome<json::object> headers =
      secret_headers("--failure-secret-header", flags.failure_secret_headers, read);
  if (!headers) return std::unexpected(headers.error());
  if (!headers->empty()) webhook["secret_headers"] = std::move(*headers);
  if (!webhook.empty()) body["failure_webhook"] = std::move(webhook);
  if (body.empty()) return usage("nothing to change", "give the flags of what shall be different.");
  return body;
}

Outcome<ExitCode> edit(Session& session, const EditFlags& flags) {
  const Outcome<json::object> body = body_of(session, flags);
  if (!body) return std::unexpected(body.error());
  const Outcome<Client> client = Client::open(session);
  if (!client) return std::unexpected(client.error());
  const Outcome<json::object> account = client->send_object("PATCH", "/v2/account", *body);
  if (!account) return std::unexpected(account.error());
  if (session.json()) {
    session.print_json(*account);
    return ExitCode::ok;
  }
  session.out() << account_facts(*account, {session.world().now(), session.colour()});
  if (flags.signing_secret)
    session.err() << "This is the only time the signing secret is shown; give it to the receivers "
                     "that check signatures.\n";
  return ExitCode::ok;
}

// Fresh credentials, as variables that the command line reads.
Outcome<ExitCode> show_credentials(Session& session, const Outcome<json::object>& account) {
  if (!account) return std::unexpected(account.error());
  if (session.json()) {
    session.print_json(*account);
    return ExitCode::ok;
  }
  session.out() << "CRONALLY_API_KEY=" << text_at(*account, "api_key") << "\n"
                << "CRONALLY_API_SECRET=" << text_at(*account, "api_secret") << "\n";
  session.err() << "This is the only time the api secret is shown; hand it on to whoever signs "
                   "requests for "
                << printable(text_at(*account, "name")) << ".\n";
  return ExitCode::ok;
}

Outcome<ExitCode> create(Session& session, const std::string& email,
                         const std::optional<std::string>& name) {
  const Outcome<Client> client = Client::open(session);
  if (!client) return std::unexpected(client.error());
  json::object body{{"email", email}};
  if (name) body["name"] = *name;
  return show_credentials(session, client->send_object("POST", "/v2/accounts", body));
}

// Without an account, that of the token.
Outcome<ExitCode> rotate(Session& session, std::string account) {
  const Outcome<Client> client = Client::open(session);
  if (!client) return std::unexpected(client.error());
  if (account.empty()) {
    const Outcome<json::object> own = client->get_object("/v2/account");
    if (!own) return std::unexpected(own.error());
    account = text_at(*own, "id");
  }
  return show_credentials(
      session, client->send_object("POST", path_of("/v2/accounts", account) + "/rotate"));
}

void add_credential_verbs(Tree& tree, CLI::App& group) {
  auto email = std::make_shared<std::string>();
  auto name = std::make_shared<std::optional<std::string>>();
  CLI::App& create_app = tree.verb(
      group,
      {"create",
       "Make another account and print its api key and secret, this once.",
       {"cronally account create ops@example.com",
        "cronally account create ops@example.com --name 'night shift' > credentials.env"}},
      [email, name](Session& session) { return create(session, *email, *name); });
  create_app.add_option("EMAIL", *email, "One of its own.")->required();
  text_flag(create_app, "--name", "NAME", *name, "What it is called; the email without it.");

  auto account = std::make_shared<std::string>();
  CLI::App& rotate_app =
      tree.verb(group,
                {"rotate",
                 "Replace an account's api key and secret, and print the new ones, this once.",
                 {"cronally account rotate", "cronally account rotate ops@example.com --json"}},
                [account](Session& session) { return rotate(session, *account); });
  rotate_app.add_option("ACCOUNT", *account, "Its id or email; without it, that of the token.");
}

}  // namespace

void add_account_verbs(Tree& tree) {
  CLI::App& group = tree.group(
      "account", "The account's signing secret and failure webhook; accounts that sign requests.");
  tree.verb(group,
            {"show",
             "Show the account; secrets stay hidden.",
             {"cronally account show", "cronally account show --json"}},
            [](Session& session) { return show(session); });

  auto flags = std::make_shared<EditFlags>();
  CLI::App& app = tree.verb(group,
                            {"edit",
                             "Change the signing secret or the failure webhook.",
                             {"cronally account edit --signing-secret generate",
                              "cronally account edit --failure-webhook https://example.com/alarm "
                              "--failure-secret-header Authorization=@alarm-token"}},
                            [flags](Session& session) { return edit(session, *flags); });
  text_flag(app, "--signing-secret", "SOURCE", flags->signing_secret,
            "generate, @FILE, or - for standard input; shown once in the answer.");
  text_flag(app, "--failure-webhook", "URL", flags->failure_webhook,
            "Told of each run that fails, in batches.");
  app.add_flag("--no-failure-webhook", flags->no_failure_webhook, "Tell nobody.");
  texts_flag(app, "--failure-secret-header", "NAME=@FILE", flags->failure_secret_headers,
             "A header of the failure webhook, kept sealed; NAME=- reads standard input.");
  add_credential_verbs(tree, group);
}

}  // namespace cronally::cli
