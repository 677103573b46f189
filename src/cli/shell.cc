// completion, man: what a shell and its user get from the option tree
#include <memory>

#include "base/text.h"
#include "cli/completion.h"
#include "cli/help.h"
#include "cli/man.h"
#include "cli/tree.h"

namespace cronally::cli {
namespace {

Outcome<ExitCode> completion(Session& session, const std::string& shell) {
  const std::optional<std::string_view> script = completion_script(shell);
  if (!script)
    return usage("there is no completion for " + quote(shell), "Name bash, zsh or fish.");
  session.out() << *script;
  return ExitCode::ok;
}

Outcome<ExitCode> list(Session& session, const CLI::App& root) {
  for (const CLI::App* app : apps_of(root)) {
    const std::string path = path_of(*app);
    session.out() << man_name(*app) << ".1" << path.substr(root.get_name().size()) << "\n";
  }
  return ExitCode::ok;
}

Outcome<ExitCode> man(Session& session, const CLI::App& root,
                      const std::vector<std::string>& words) {
  if (const std::optional<std::string> unknown = mistake(root, words))
    return usage(*unknown, "`cronally man --list` lists the pages.");
  const CLI::App& app = reached(root, words);
  session.out() << man_page(app);
  return ExitCode::ok;
}

void add_completion(Tree& tree) {
  auto shell = std::make_shared<std::string>();
  CLI::App& app =
      tree.verb(tree.root(),
                {"completion",
                 "Print what completes verbs, flags, values and names of jobs in a shell.",
                 {". <(cronally completion bash)",
                  "cronally completion fish > ~/.config/fish/completions/cronally.fish"}},
                [shell](Session& session) { return completion(session, *shell); });
  app.add_option("SHELL", *shell, "The shell: bash, zsh or fish.")
      ->type_name("bash|zsh|fish")
      ->required();
}

}  // namespace

void add_shell_verbs(Tree& tree) {
  add_completion(tree);
  struct Flags {
    std::vector<std::string> words;
    bool list = false;
  };
  auto flags = std::make_shared<Flags>();
  CLI::App& app = tree.verb(tree.root(),
                            {"man",
                             "Print the manual page of a verb, for `man -l -` or a file.",
                             {"cronally man job add | man -l -", "cronally man --list"}},
                            [flags, &tree](Session& session) {
                              return flags->list ? list(session, tree.root())
                                                 : man(session, tree.root(), flags->words);
                            });
  app.add_option("VERB", flags->words, "The verb; none for the program's own page.");
  app.add_flag("--list", flags->list, "Print each page's file name and verb, one a line.");
}

}  // namespace cronally::cli
