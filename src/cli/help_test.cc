#include "cli/help.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "cli/command_line.h"

namespace cronally::cli {
namespace {

int no_server(const ServeOptions&) { return 0; }

class Help : public testing::Test {
 protected:
  Help() { add_all_verbs(tree_, &no_server); }
  std::string mistake_in(std::vector<std::string> args) {
    return mistake(tree_.root(), args).value_or("none");
  }
  Tree tree_;
};
using HelpGolden = Help;

std::filesystem::path golden_of(const CLI::App& app) {
  std::string name = path_of(app);
  for (char& c : name)
    if (c == ' ') c = '-';
  return std::filesystem::path(CRONALLY_SOURCE_DIR) / "tests/golden/help" / (name + ".txt");
}

std::string content_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// CRONALLY_GOLDEN=write writes the files anew; look at the difference before it is committed.
TEST_F(HelpGolden, TextsAreAsKept) {
  const char* mode = std::getenv("CRONALLY_GOLDEN");
  for (const CLI::App* app : apps_of(tree_.root())) {
    const std::filesystem::path path = golden_of(*app);
    if (mode && std::string(mode) == "write") {
      std::filesystem::create_directories(path.parent_path());
      std::ofstream(path) << app->help();
    }
    EXPECT_EQ(app->help(), content_of(path)) << path;
  }
}

TEST_F(HelpGolden, HasNoFileWithoutAVerb) {
  std::size_t files = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(golden_of(tree_.root()).parent_path()))
    files += entry.is_regular_file();
  EXPECT_EQ(files, apps_of(tree_.root()).size());
}

TEST_F(Help, EveryVerbHasTwoExamplesAndFitsTheScreen) {
  for (const CLI::App* app : apps_of(tree_.root())) {
    if (!app->get_subcommands({}).empty()) continue;
    const std::string footer = app->get_footer();
    std::size_t examples = 0;
    for (std::size_t at = footer.find("cronally "); at != std::string::npos;
         at = footer.find("\n  ", at + 1))
      ++examples;
    EXPECT_GE(examples, 2u) << path_of(*app);
    std::istringstream lines(app->help());
    for (std::string line; std::getline(lines, line);)
      if (!line.starts_with("  cronally ")) {
        EXPECT_LE(line.size(), 100u) << line;
      }
  }
}

TEST_F(Help, EveryServeFlagHasAVariable) {
  for (const CLI::Option* option : tree_.root().get_subcommand("serve")->get_options()) {
    if (option->get_lnames().front() == "help") continue;
    EXPECT_FALSE(option->get_envname().empty()) << option->get_lnames().front();
  }
}

TEST_F(Help, MistypedWordsGetANearMatch) {
  EXPECT_EQ(mistake_in({"jbo", "list"}), "unknown verb 'jbo' of 'cronally'; did you mean 'job'?");
  EXPECT_EQ(mistake_in({"job", "lst"}),
            "unknown verb 'lst' of 'cronally job'; did you mean 'list'?");
  EXPECT_EQ(mistake_in({"job", "add", "x", "--atempts", "3"}),
            "unknown flag '--atempts' of 'cronally job add'; did you mean '--attempts'?");
  EXPECT_EQ(mistake_in({"--jsn", "job", "list"}),
            "unknown flag '--jsn' of 'cronally'; did you mean '--json'?");
  EXPECT_EQ(mistake_in({"job", "xyzzy"}), "unknown verb 'xyzzy' of 'cronally job'");
}

TEST_F(Help, ValuesAreNoMistakes) {
  EXPECT_EQ(mistake_in({"--url", "job", "job", "add", "list", "--cron", "--x", "--url=--y"}),
            "none");
  EXPECT_EQ(mistake_in({"job", "list", "--json", "--data-dir", "x"}), "none");
  EXPECT_EQ(mistake_in({"job", "show", "--", "--name"}), "none");
}

}  // namespace
}  // namespace cronally::cli
