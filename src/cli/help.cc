#include "cli/help.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace cronally::cli {
namespace {

using Line = std::pair<std::string, std::string>;

std::vector<const CLI::App*> children_of(const CLI::App& app) { return app.get_subcommands({}); }

// "--cron EXPR", "-h, --help", "NAME"
std::string label_of(const CLI::Option& option) {
  if (option.get_positional()) return option.get_name(true);
  std::string label;
  for (const std::string& name : option.get_snames()) label += "-" + name + ", ";
  for (const std::string& name : option.get_lnames()) label += "--" + name;
  if (takes_value(option)) label += " " + option.get_type_name();
  return label;
}

std::string text_of(const CLI::Option& option) {
  std::string text = option.get_description();
  if (!option.get_envname().empty()) text += " [" + option.get_envname() + "]";
  return text;
}

// Names in a column of at most 28, texts beside it, wrapped at 100 columns.
void append_lines(std::string& help, const std::vector<Line>& lines) {
  constexpr std::size_t name_max = 28;
  constexpr std::size_t line_max = 100;
  std::size_t width = 0;
  for (const Line& line : lines)
    if (line.first.size() <= name_max) width = std::max(width, line.first.size());
  const std::string margin(width + 4, ' ');
  for (const auto& [name, text] : lines) {
    help += "  " + name;
    std::size_t column = name.size() + 2;
    if (name.size() > width) {
      help += "\n";
      column = 0;
    }
    help.append(width + 4 - std::min(column, width + 4), ' ');
    column = width + 4;
    std::size_t from = 0;
    while (from < text.size()) {
      const std::size_t end = std::min(text.find(' ', from), text.size());
      if (column > width + 4 && column + 1 + end - from > line_max) {
        help += "\n" + margin;
        column = width + 4;
      } else if (column > width + 4) {
        help += ' ';
        ++column;
      }
      help += text.substr(from, end - from);
      column += end - from;
      from = end + 1;
    }
    help += '\n';
  }
}

std::string usage_of(const CLI::App& app) {
  std::string usage = "Usage: " + path_of(app);
  if (!children_of(app).empty())
    return usage + (app.get_parent() ? " VERB [flags]\n" : " [global flags] VERB [flags]\n");
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_positional()) continue;
    const std::string many = option->get_items_expected_max() > 1 ? "..." : "";
    const std::string name = option->get_name(true) + many;
    usage += option->get_required() ? " " + name : " [" + name + "]";
  }
  return usage + " [flags]\n";
}

// "Global flags: --url, ...; `cronally --help` explains them."
std::string global_flags(const CLI::App& app) {
  const CLI::App* root = &app;
  while (root->get_parent()) root = root->get_parent();
  std::string names;
  for (const CLI::Option* option : root->get_options())
    for (const std::string& name : option->get_lnames())
      if (name != "help") names += (names.empty() ? "--" : ", --") + name;
  return "\nGlobal flags: " + names + "; `" + root->get_name() + " --help` explains them.\n";
}

std::vector<std::string_view> flags_known(const CLI::App& app, std::vector<std::string>& store) {
  for (const CLI::App* at = &app; at; at = at->get_parent())
    for (const CLI::Option* option : at->get_options())
      for (const std::string& name : option->get_lnames()) store.push_back("--" + name);
  return {store.begin(), store.end()};
}

const CLI::App* find_child(const CLI::App& app, const std::string& name) {
  for (const CLI::App* child : children_of(app))
    if (child->get_name() == name) return child;
  return nullptr;
}

// Walks the words as the parser does; `unknown` gets the first one without a place.
const CLI::App* walk(const CLI::App& root, std::span<const std::string> args,
                     std::optional<std::string>* unknown) {
  const CLI::App* at = &root;
  for (std::size_t i = 0; i < args.size(); ++i) {
    const std::string& word = args[i];
    if (word == "--") break;
    if (word.size() > 1 && word.front() == '-') {
      const std::size_t equals = word.find('=');
      const std::string name = word.substr(0, equals);
      const CLI::Option* flag = flag_of(*at, name);
      if (!flag) {
        *unknown = name;
        return at;
      }
      if (takes_value(*flag) && equals == std::string::npos) ++i;
      continue;
    }
    if (children_of(*at).empty()) continue;
    const CLI::App* child = find_child(*at, word);
    if (!child) {
      *unknown = word;
      return at;
    }
    at = child;
  }
  return at;
}

}  // namespace

bool takes_value(const CLI::Option& option) { return option.get_items_expected_max() > 0; }

const CLI::Option* flag_of(const CLI::App& app, const std::string& name) {
  for (const CLI::App* at = &app; at; at = at->get_parent())
    if (const CLI::Option* option = at->get_option_no_throw(name)) return option;
  return nullptr;
}

std::string path_of(const CLI::App& app) {
  std::string path;
  for (const CLI::App* at = &app; at; at = at->get_parent())
    path = at->get_name() + (path.empty() ? "" : " ") + path;
  return path;
}

const CLI::App& reached(const CLI::App& root, std::span<const std::string> args) {
  std::optional<std::string> unknown;
  return *walk(root, args, &unknown);
}

std::optional<std::string> mistake(const CLI::App& root, std::span<const std::string> args) {
  std::optional<std::string> unknown;
  const CLI::App* at = walk(root, args, &unknown);
  if (!unknown) return std::nullopt;
  std::vector<std::string> store;
  if (unknown->front() == '-') {
    const auto known = flags_known(*at, store);
    return "unknown flag " + quote(*unknown) + " of '" + path_of(*at) + "'" +
           did_you_mean(*unknown, known);
  }
  for (const CLI::App* child : children_of(*at)) store.push_back(child->get_name());
  const std::vector<std::string_view> known(store.begin(), store.end());
  return "unknown verb " + quote(*unknown) + " of '" + path_of(*at) + "'" +
         did_you_mean(*unknown, known);
}

std::vector<const CLI::App*> apps_of(const CLI::App& root) {
  std::vector<const CLI::App*> apps{&root};
  for (const CLI::App* child : children_of(root))
    for (const CLI::App* app : apps_of(*child)) apps.push_back(app);
  return apps;
}

std::string HelpFormatter::make_help(const CLI::App* app, std::string, CLI::AppFormatMode) const {
  std::string help = app->get_description() + "\n\n" + usage_of(*app);
  std::vector<Line> verbs;
  for (const CLI::App* child : children_of(*app))
    verbs.emplace_back(child->get_name(), child->get_description());
  std::vector<Line> arguments;
  std::vector<Line> flags;
  for (const CLI::Option* option : app->get_options())
    (option->get_positional() ? arguments : flags)
        .emplace_back(label_of(*option), text_of(*option));
  const auto section = [&](const char* title, const std::vector<Line>& lines) {
    if (lines.empty()) return;
    help += std::string("\n") + title + ":\n";
    append_lines(help, lines);
  };
  section("Verbs", verbs);
  section("Arguments", arguments);
  section(app->get_parent() ? "Flags" : "Global flags", flags);
  if (app->get_parent()) help += global_flags(*app);
  if (!app->get_footer().empty()) help += "\n" + app->get_footer();
  return help;
}

}  // namespace cronally::cli
