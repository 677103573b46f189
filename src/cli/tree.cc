#include "cli/tree.h"

#include <memory>
#include <utility>

#include "cli/help.h"

namespace cronally::cli {

Tree::Tree()
    : root_(
          "Cron for clusters: declare a job once; each occurrence is claimed by exactly one "
          "server.") {
  root_.name("cronally");
  root_.formatter(std::make_shared<HelpFormatter>());
  root_.set_help_flag("-h,--help", "Show this help.");
  root_.fallthrough();  // global flags may stand behind the verb; inherited
  root_.require_subcommand(1);
  root_.footer(
      "Examples:\n"
      "  cronally serve\n"
      "  cronally job add hello --every 10s --url http://127.0.0.1:9000/hello\n\n"
      "Exit codes: 0 ok, 1 failure, 2 usage, 3 not found, 4 not allowed, 5 conflict,\n"
      "6 server unreachable, 7 partly done.\n");
  text_flag(root_, "--url", "URL", flags_.url,
            "The server; else the one of the data directory. Before the verb where the verb has "
            "a --url of its own.")
      ->envname("CRONALLY_URL");
  text_flag(
      root_, "--token-file", "FILE", flags_.token_file,
      "A file with the token, or - for standard input; else CRONALLY_TOKEN, else requests are "
      "signed with CRONALLY_API_KEY and CRONALLY_API_SECRET, else the data directory's admin "
      "token.");
  text_flag(root_, "--data-dir", "DIR", flags_.data_dir,
            "The data directory; else /var/lib/cronally for root, $XDG_STATE_HOME/cronally for "
            "others.")
      ->envname("CRONALLY_DATA_DIR");
  root_.add_flag("--json", flags_.json, "Print JSON in the API's shape.");
  root_.add_flag("--no-color", flags_.no_color,
                 "No colours; NO_COLOR and CRONALLY_NO_COLOR do the same.");
}

CLI::App& Tree::group(const std::string& name, const std::string& description) {
  CLI::App& app = *root_.add_subcommand(name, description);
  app.require_subcommand(1);
  app.footer("`cronally " + name + " VERB --help` explains each verb.\n");
  return app;
}

CLI::App& Tree::verb(CLI::App& parent, const Verb& verb, Action action) {
  CLI::App& app = *parent.add_subcommand(verb.name, verb.description);
  app.require_subcommand(0);
  std::string footer = "Examples:\n";
  for (const std::string& example : verb.examples) footer += "  " + example + "\n";
  app.footer(footer);
  app.callback([this, action = std::move(action)] { chosen_ = action; });
  return app;
}

CLI::Option* text_flag(CLI::App& app, const std::string& name, const std::string& value_name,
                       std::optional<std::string>& into, const std::string& description) {
  return app
      .add_option_function<std::string>(
          name, [&into](const std::string& value) { into = value; }, description)
      ->type_name(value_name);
}

CLI::Option* texts_flag(CLI::App& app, const std::string& name, const std::string& value_name,
                        std::vector<std::string>& into, const std::string& description) {
  return app.add_option(name, into, description)->type_name(value_name)->allow_extra_args(false);
}

}  // namespace cronally::cli
