#include "cli/command_line.h"

#include <algorithm>
#include <span>
#include <utility>

#include "base/text.h"
#include "cli/completion.h"
#include "cli/help.h"

namespace cronally::cli {
namespace {

// Words that mean the same as others: `--version`, `help job add`, and `--flag=` with an empty
// value, which CLI11 would fill with the next word.
std::vector<std::string> usual_words(std::vector<std::string> args) {
  if (args.size() == 1 && args.front() == "--version") return {"version"};
  if (!args.empty() && args.front() == "help") {
    args.erase(args.begin());
    args.emplace_back("--help");
  }
  std::vector<std::string> words;
  for (std::string& arg : args) {
    const bool empty_value =
        arg.size() > 3 && arg.starts_with("--") && arg.find('=') == arg.size() - 1;
    if (empty_value) arg.pop_back();
    words.push_back(std::move(arg));
    if (empty_value) words.emplace_back();
  }
  return words;
}

// "Could not convert: --count = x", whose only cause is a number that is none. (Such flags may
// also come from the environment.)
std::string number_wanted(std::string_view text) {
  const std::size_t colon = text.find(": ");
  const std::size_t equals = text.find(" = ");
  if (colon == text.npos || equals == text.npos || equals < colon) return std::string(text);
  const std::string flag(text.substr(colon + 2, equals - colon - 2));
  return flag + " takes a number, not " + quote(text.substr(equals + 3));
}

// What CLI11 says, in our words.
std::string complaint_of(const CLI::ParseError& error, const CLI::App& app) {
  const std::string text = error.what();
  const std::string name = "'" + path_of(app) + "'";
  if (dynamic_cast<const CLI::RequiredError*>(&error)) {
    const std::string what = text.substr(0, text.find(' '));
    return name + " needs " + what;
  }
  if (dynamic_cast<const CLI::ExtrasError*>(&error)) {
    const std::size_t colon = text.rfind(": ");
    return name + " does not expect '" + text.substr(colon == std::string::npos ? 0 : colon + 2) +
           "'";
  }
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error)) {
    return name + " needs a value behind " + text.substr(0, text.find(':'));
  }
  if (dynamic_cast<const CLI::ConversionError*>(&error)) return name + ": " + number_wanted(text);
  return name + ": " + text;
}

ExitCode explain_mistake(const CLI::ParseError& error, const CLI::App& root,
                         const std::vector<std::string>& args, World& world) {
  std::ostream& err = world.streams.err;
  const CLI::App& app = reached(root, args);
  const std::optional<std::string> found = mistake(root, args);
  const bool only_group = !found && !app.get_subcommands({}).empty();
  if (only_group) {
    err << app.help();
    return ExitCode::usage;
  }
  err << text_of(usage(found ? *found : complaint_of(error, app),
                       "`" + path_of(app) + " --help` lists what it takes.")
                     .error());
  return ExitCode::usage;
}

ExitCode run_chosen(const Tree& tree, World& world) {
  Session session(world, tree.flags());
  const Outcome<ExitCode> done = tree.chosen()(session);
  if (!done) world.streams.err << text_of(done.error());
  world.streams.out << std::flush;
  if (!world.streams.out) {
    world.streams.err << "cronally: the output could not be written: the disk is full, or its "
                         "reader went away\n";
    return ExitCode::failure;
  }
  return done ? *done : done.error().exit;
}

}  // namespace

void add_all_verbs(Tree& tree, ServeFunction serve) {
  add_serve(tree, serve);
  add_job_verbs(tree);
  add_run_verbs(tree);
  add_token_verbs(tree);
  add_account_verbs(tree);
  add_schedule_verbs(tree);
  add_apply_verbs(tree);
  add_export(tree);
  add_backup(tree);
  add_restore(tree);
  add_migrate_store(tree);
  add_doctor(tree);
  add_bench(tree);
  add_shell_verbs(tree);
  add_version(tree);
}

ExitCode run_command_line(std::vector<std::string> args, World& world, ServeFunction serve) {
  Tree tree;
  add_all_verbs(tree, serve);
  if (!args.empty() && args.front() == "__complete") {
    answer_completion(tree.root(), std::span(args).subspan(1), world);
    return ExitCode::ok;
  }
  args = usual_words(std::move(args));
  try {
    tree.root().parse(std::vector<std::string>(args.rbegin(), args.rend()));
  } catch (const CLI::CallForHelp&) {
    world.streams.out << reached(tree.root(), args).help() << std::flush;
    return ExitCode::ok;
  } catch (const CLI::ParseError& error) {
    return explain_mistake(error, tree.root(), args, world);
  }
  return run_chosen(tree, world);
}

}  // namespace cronally::cli
