#include "cli/man.h"

#include <algorithm>
#include <cctype>
#include <string_view>
#include <vector>

#include "cli/help.h"

namespace cronally::cli {
namespace {

// So that no text is read as a request: \ and - as themselves, and no dot or quote begins a line.
std::string escaped(std::string_view text) {
  std::string made;
  for (const char c : text) {
    if (c == '\\') {
      made += "\\e";
    } else if (c == '-') {
      made += "\\-";
    } else {
      made += c;
    }
  }
  if (made.starts_with('.') || made.starts_with('\'')) made.insert(0, "\\&");
  return made;
}

// Prose in lines of at most 75 columns (editors' diffs; groff fills them anew), with what stands
// between backquotes in bold.
std::string prose(std::string_view text) {
  constexpr std::size_t line_max = 75;
  std::string made;
  std::size_t column = 0;
  bool bold = false;
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t end = std::min(text.find(' ', from), text.size());
    std::string word = escaped(text.substr(from, end - from));
    for (std::size_t at = word.find('`'); at != word.npos; at = word.find('`')) {
      word.replace(at, 1, bold ? "\\fR" : "\\fB");
      bold = !bold;
    }
    if (column > 0) made += column + 1 + word.size() > line_max ? '\n' : ' ';
    column = made.ends_with('\n') ? 0 : column + 1;
    made += word;
    column += word.size();
    from = end + 1;
  }
  return made + "\n";
}

std::string section(std::string_view title) { return ".SH " + std::string(title) + "\n"; }

// Command lines as they are.
std::string verbatim(const std::vector<std::string>& lines) {
  std::string made = ".nf\n";
  for (const std::string& line : lines) made += escaped(line) + "\n";
  return made + ".fi\n";
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

// The footer is blocks parted by empty lines: "Examples:" with its command lines, and prose.
struct Footer {
  std::vector<std::string> examples;
  std::vector<std::string> notes;
};

Footer footer_of(const CLI::App& app) {
  Footer footer;
  bool in_examples = false;
  bool in_note = false;
  for (const std::string& line : lines_of(app.get_footer())) {
    if (line == "Examples:") {
      in_examples = true;
    } else if (in_examples && line.starts_with("  ")) {
      footer.examples.push_back(line.substr(2));
    } else if (line.empty()) {
      in_examples = in_note = false;
    } else if (in_note) {
      footer.notes.back() += " " + line;
    } else {
      footer.notes.push_back(line);
      in_note = true;
    }
  }
  return footer;
}

std::string synopsis(const CLI::App& app) {
  std::string usage = "\\fB" + escaped(path_of(app)) + "\\fR";
  if (!app.get_subcommands({}).empty())
    return usage + (app.get_parent() ? "" : " [\\fIglobal flags\\fR]") +
           " \\fIVERB\\fR [\\fIflags\\fR]\n";
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_positional()) continue;
    std::string name = "\\fI" + escaped(option->get_name(true)) + "\\fR";
    if (option->get_items_expected_max() > 1) name += "...";
    usage += option->get_required() ? " " + name : " [" + name + "]";
  }
  return usage + " [\\fIflags\\fR]\n";
}

// ".TP", the tag, and the text.
std::string item(const std::string& tag, const std::string& text) {
  return ".TP\n" + tag + "\n" + prose(text);
}

std::string tag_of(const CLI::Option& option) {
  if (option.get_positional()) return "\\fI" + escaped(option.get_name(true)) + "\\fR";
  std::string tag;
  for (const std::string& name : option.get_snames()) tag += "\\fB\\-" + name + "\\fR, ";
  for (const std::string& name : option.get_lnames()) tag += "\\fB\\-\\-" + escaped(name) + "\\fR";
  if (takes_value(option)) tag += " \\fI" + escaped(option.get_type_name()) + "\\fR";
  return tag;
}

std::string options_of(const CLI::App& app, bool positional) {
  std::string made;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_positional() != positional) continue;
    std::string text = option->get_description();
    if (!option->get_envname().empty()) text += " Variable: `" + option->get_envname() + "`.";
    made += item(tag_of(*option), text);
  }
  return made;
}

// "cronally(1), cronally-job(1)": what is above, beside and below is found from there.
std::string see_also(const CLI::App& app) {
  std::vector<const CLI::App*> pages;
  for (const CLI::App* at = app.get_parent(); at; at = at->get_parent()) pages.push_back(at);
  std::ranges::reverse(pages);
  for (const CLI::App* child : app.get_subcommands({})) pages.push_back(child);
  std::string made;
  for (const CLI::App* page : pages)
    made += ".BR " + escaped(man_name(*page)) + " (1)" + (page == pages.back() ? "\n" : ",\n");
  return section("SEE ALSO") + made;
}

}  // namespace

std::string man_name(const CLI::App& app) {
  std::string name = path_of(app);
  std::ranges::replace(name, ' ', '-');
  return name;
}

std::string man_page(const CLI::App& app) {
  std::string title = man_name(app);
  std::ranges::transform(title, title.begin(), [](unsigned char c) { return std::toupper(c); });
  std::string description = app.get_description();
  std::string brief = description.substr(0, description.find(". "));
  if (brief.ends_with('.')) brief.pop_back();
  std::erase(brief, '`');  // mandb reads this line, and shows it as it is
  std::string page = ".TH " + escaped(title) + " 1 " CRONALLY_RELEASED " \"Cronally " +
                     CRONALLY_VERSION "\" \"Cronally\"\n";
  page += section("NAME") + escaped(man_name(app)) + " \\- " + escaped(brief) + "\n";
  page += section("SYNOPSIS") + synopsis(app);
  page += section("DESCRIPTION") + prose(description);
  const Footer footer = footer_of(app);
  for (const std::string& note : footer.notes) page += ".PP\n" + prose(note);
  if (const std::string items = options_of(app, true); !items.empty())
    page += section("ARGUMENTS") + items;
  if (const auto verbs = app.get_subcommands({}); !verbs.empty()) {
    page += section("VERBS");
    for (const CLI::App* verb : verbs)
      page += item("\\fB" + escaped(verb->get_name()) + "\\fR", verb->get_description());
  }
  page += section(app.get_parent() ? "FLAGS" : "GLOBAL FLAGS") + options_of(app, false);
  if (app.get_parent()) page += ".PP\nThe global flags are in\n.BR cronally (1).\n";
  if (!footer.examples.empty()) page += section("EXAMPLES") + verbatim(footer.examples);
  return page + see_also(app);
}

}  // namespace cronally::cli
