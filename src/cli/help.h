// The option tree's words: help texts, and what a mistyped command line was meant to be.
//
// A help text depends on the tree alone, not on the terminal; tests/golden/help holds them all.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace cronally::cli {

// Usage, description, verbs or flags, and the examples (the app's footer).
class HelpFormatter : public CLI::FormatterBase {
 public:
  std::string make_help(const CLI::App* app, std::string name,
                        CLI::AppFormatMode mode) const override;
};

// "cronally job add": the names from the root to the app.
std::string path_of(const CLI::App& app);

// The group or verb that the words lead to, as far as they do.
const CLI::App& reached(const CLI::App& root, std::span<const std::string> args);

// The flag that a name ("--cron", "-f") means for the app: its own, else that of an app around it;
// nullptr when there is none.
const CLI::Option* flag_of(const CLI::App& app, const std::string& name);

// Whether a value follows the flag.
bool takes_value(const CLI::Option& option);

// The first word that the tree does not know, with a near match: "unknown verb 'lst'; did you mean
// 'list'?". nullopt when every word has its place.
std::optional<std::string> mistake(const CLI::App& root, std::span<const std::string> args);

// Every app of the tree that is not hidden, the root first.
std::vector<const CLI::App*> apps_of(const CLI::App& root);

}  // namespace cronally::cli
