#include "cli/completion.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "cli/command_line.h"
#include "cli/help.h"

namespace cronally::cli {
namespace {

using Kind = Completion::Kind;
using Words = std::vector<std::string>;

int no_server(const ServeOptions&) { return 0; }

class CompletionOf : public testing::Test {
 protected:
  CompletionOf() { add_all_verbs(tree_, &no_server); }

  Completion at(const Words& words) { return complete(tree_.root(), words); }
  Words words_at(const Words& words) {
    Words found;
    for (const Candidate& each : at(words).words) found.push_back(each.word);
    return found;
  }
  bool offers(const Words& words, const std::string& word) {
    const Words all = words_at(words);
    return std::ranges::find(all, word) != all.end();
  }
  Tree tree_;
};

TEST_F(CompletionOf, VerbsAreThoseOfTheTree) {
  Words all;
  for (const CLI::App* app : tree_.root().get_subcommands({})) all.push_back(app->get_name());
  EXPECT_EQ(words_at({""}), all);
  EXPECT_EQ(words_at({}), all);
  EXPECT_EQ(words_at({"jo"}), Words{"job"});
  EXPECT_EQ(words_at({"job", "re"}), Words{"resume"});
  EXPECT_EQ(words_at({"--json", "job", "sh"}), Words{"show"});
  EXPECT_EQ(words_at({"--url", "http://h", "job", "sh"}), Words{"show"});
  EXPECT_EQ(words_at({"nonsense"}), Words{});
}

TEST_F(CompletionOf, FlagsAreTheVerbsAndTheGlobalOnes) {
  EXPECT_EQ(words_at({"job", "add", "x", "--cr"}), Words{"--cron"});
  EXPECT_TRUE(offers({"job", "add", "-"}, "--secret-header"));
  EXPECT_TRUE(offers({"job", "add", "--"}, "--json"));
  EXPECT_TRUE(offers({"--"}, "--token-file"));
  EXPECT_FALSE(offers({"--"}, "--cron"));
  const Words urls = words_at({"job", "add", "--url"});  // its own, and a global one below it
  EXPECT_EQ(urls, Words{"--url"});
}

TEST_F(CompletionOf, AFlagThatStandsOnceIsNotOfferedTwice) {
  EXPECT_FALSE(offers({"job", "add", "--cron", "@daily", "--"}, "--cron"));
  EXPECT_FALSE(offers({"job", "add", "--cron=@daily", "--"}, "--cron"));
  EXPECT_FALSE(offers({"job", "add", "--paused", "--"}, "--paused"));
  EXPECT_TRUE(offers({"job", "add", "--header", "a:b", "--"}, "--header"));
}

TEST_F(CompletionOf, ValuesOfClosedSets) {
  EXPECT_EQ(words_at({"job", "add", "x", "--dst", ""}), (Words{"run", "skip"}));
  EXPECT_EQ(words_at({"job", "add", "x", "--catch-up", "l"}), Words{"latest"});
  EXPECT_EQ(words_at({"job", "add", "x", "--catch-up=l"}), Words{"--catch-up=latest"});
  EXPECT_EQ(words_at({"run", "list", "--verdict", "s"}), (Words{"succeeded", "skipped"}));
  EXPECT_EQ(words_at({"completion", ""}), (Words{"bash", "zsh", "fish"}));
  EXPECT_EQ(words_at({"completion", "bash", ""}), Words{});
  EXPECT_EQ(words_at({"job", "add", "x", "--zone", ""}), Words{});
}

TEST_F(CompletionOf, FilesDirectoriesAndJobs) {
  const std::pair<Words, Kind> rows[] = {{{"apply", "-f", ""}, Kind::files},
                                         {{"apply", "--file", ""}, Kind::files},
                                         {{"job", "add", "x", "--body-file", ""}, Kind::files},
                                         {{"restore", ""}, Kind::files},
                                         {{"--data-dir", ""}, Kind::directories},
                                         {{"job", "show", "r"}, Kind::jobs},
                                         {{"job", "pause", "a", ""}, Kind::jobs},
                                         {{"job", "rm", "--yes", "--", ""}, Kind::jobs},
                                         {{"run", "list", "--job", "r"}, Kind::jobs},
                                         {{"job", "show", "a", ""}, Kind::words},  // it takes one
                                         {{"job", "add", ""}, Kind::words}};
  for (const auto& [words, kind] : rows)
    EXPECT_EQ(at(words).kind, kind) << testing::PrintToString(words);
  EXPECT_EQ(at({"job", "show", "re"}).name_prefix, "re");
  EXPECT_EQ(at({"run", "list", "--job=re"}).name_prefix, "re");
  EXPECT_EQ(at({"run", "list", "--job=re"}).before, "--job=");
}

TEST_F(CompletionOf, TheServerIsTheOneThatTheLineNames) {
  const Completion made =
      at({"--url=http://h", "job", "show", "--data-dir", "/d", "--token-file", "t", ""});
  EXPECT_EQ(made.flags.url, "http://h");
  EXPECT_EQ(made.flags.data_dir, "/d");
  EXPECT_EQ(made.flags.token_file, "t");
  EXPECT_EQ(at({"job", "edit", "--url", "http://target", ""}).flags.url, std::nullopt);
  EXPECT_EQ(at({"--token-file", "-", "job", "show", ""}).flags.token_file, std::nullopt);
}

TEST_F(CompletionOf, VerbsOfManAreThoseOfTheTreeBelow) {
  EXPECT_EQ(words_at({"man", "jo"}), Words{"job"});
  EXPECT_EQ(words_at({"man", "job", "sh"}), Words{"show"});
  EXPECT_EQ(words_at({"man", "nonsense", ""}), Words{});
}

// Whatever stands on a line: an answer, and only words that go on from the last one.
TEST_F(CompletionOf, AnyLineHasAnAnswer) {
  Words vocabulary{"", "-", "--", "---", "--x", "--x=", "-f", "--cron", "--dst=", "=", "\xFF"};
  for (const CLI::App* app : apps_of(tree_.root())) vocabulary.push_back(app->get_name());
  unsigned seed = 1;
  const auto next = [&] {
    return vocabulary[(seed = seed * 1103515245 + 12345) / 65536 % vocabulary.size()];
  };
  for (int i = 0; i < 20'000; ++i) {
    Words words;
    for (int count = i % 6; count >= 0; --count) words.push_back(next());
    for (const Candidate& each : at(words).words)
      EXPECT_TRUE(each.word.starts_with(words.back())) << testing::PrintToString(words);
  }
}

TEST(CompletionScript, ThereIsOneForEachShellThatIsOffered) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    ASSERT_TRUE(completion_script(shell)) << shell;
    EXPECT_TRUE(completion_script(shell)->contains("__complete")) << shell;
  }
  EXPECT_FALSE(completion_script("csh"));
}

}  // namespace
}  // namespace cronally::cli
