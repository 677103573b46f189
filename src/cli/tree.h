// The option tree: every verb with its flags, examples and action. One file per group fills it
// (job.cc, run.cc, ...); command_line.cc puts them together and runs what was asked for.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cli/serve.h"
#include "cli/session.h"

namespace cronally::cli {

// What a verb does. Problems are printed by the caller; the exit code of a Problem is its own.
using Action = std::function<Outcome<ExitCode>(Session& session)>;

class Tree {
 public:
  Tree();
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  CLI::App& root() { return root_; }
  const GlobalFlags& flags() const { return flags_; }
  // The action of the verb that was parsed; empty when none was.
  const Action& chosen() const { return chosen_; }

  // "cronally job": needs one of its verbs.
  CLI::App& group(const std::string& name, const std::string& description);

  // `examples` are whole command lines; --help shows them.
  struct Verb {
    std::string name;
    std::string description;
    std::vector<std::string> examples;
  };
  CLI::App& verb(CLI::App& parent, const Verb& verb, Action action);

 private:
  CLI::App root_;
  GlobalFlags flags_;
  Action chosen_;
};

// A flag with a text, kept as given (an empty text too) or nullopt.
CLI::Option* text_flag(CLI::App& app, const std::string& name, const std::string& value_name,
                       std::optional<std::string>& into, const std::string& description);

// A flag that may be given several times, one text each.
CLI::Option* texts_flag(CLI::App& app, const std::string& name, const std::string& value_name,
                        std::vector<std::string>& into, const std::string& description);

// The groups.
using ServeFunction = int (*)(const ServeOptions&);
void add_serve(Tree& tree, ServeFunction serve);
void add_job_verbs(Tree& tree);
void add_run_verbs(Tree& tree);
void add_token_verbs(Tree& tree);
void add_account_verbs(Tree& tree);
void add_schedule_verbs(Tree& tree);  // next, explain
void add_apply_verbs(Tree& tree);     // plan, apply, diff
void add_export(Tree& tree);
void add_backup(Tree& tree);
void add_restore(Tree& tree);
void add_migrate_store(Tree& tree);
void add_doctor(Tree& tree);
void add_bench(Tree& tree);
void add_shell_verbs(Tree& tree);  // completion, man
void add_version(Tree& tree);

}  // namespace cronally::cli
