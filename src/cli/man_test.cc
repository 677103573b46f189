#include "cli/man.h"

#include <gtest/gtest.h>

#include <set>
#include <sstream>

#include "cli/command_line.h"
#include "cli/help.h"

namespace cronally::cli {
namespace {

int no_server(const ServeOptions&) { return 0; }

class Man : public testing::Test {
 protected:
  Man() { add_all_verbs(tree_, &no_server); }
  std::string page_of(const std::vector<std::string>& words) {
    return man_page(reached(tree_.root(), words));
  }
  Tree tree_;
};

TEST_F(Man, APageNamesEveryFlagArgumentVerbAndExample) {
  for (const CLI::App* app : apps_of(tree_.root())) {
    std::string page = man_page(*app);
    for (std::size_t at = page.find("\\-"); at != page.npos; at = page.find("\\-", at))
      page.erase(at, 1);
    for (const CLI::Option* option : app->get_options()) {
      for (const std::string& name : option->get_lnames())
        EXPECT_TRUE(page.contains("\\fB--" + name + "\\fR")) << path_of(*app) << " " << name;
      if (option->get_positional())
        EXPECT_TRUE(page.contains(".TP\n\\fI" + option->get_name(true) + "\\fR\n"));
    }
    for (const CLI::App* child : app->get_subcommands({}))
      EXPECT_TRUE(page.contains(".BR " + man_name(*child) + " (1)")) << man_name(*child);
    EXPECT_FALSE(page.contains("`")) << path_of(*app);
    EXPECT_TRUE(page.starts_with(".TH CRONALLY")) << page.substr(0, 40);
    EXPECT_TRUE(page.contains(".SH EXAMPLES\n.nf\n") || !app->get_subcommands({}).empty());
  }
}

TEST_F(Man, NoTextIsReadAsARequest) {
  for (const CLI::App* app : apps_of(tree_.root())) {
    std::istringstream lines(man_page(*app));
    for (std::string line; std::getline(lines, line);) {
      EXPECT_FALSE(line.starts_with("'")) << line;
      if (!line.starts_with(".")) continue;
      const std::string request = line.substr(0, line.find(' '));
      EXPECT_TRUE(std::set<std::string>({".TH", ".SH", ".TP", ".PP", ".BR", ".nf", ".fi"})
                      .contains(request))
          << path_of(*app) << ": " << line;
    }
  }
}

TEST_F(Man, APageStandsBesideThoseAroundIt) {
  EXPECT_EQ(man_name(reached(tree_.root(), std::vector<std::string>{"job", "add"})),
            "cronally-job-add");
  EXPECT_TRUE(page_of({"job", "add"})
                  .ends_with(".SH SEE ALSO\n.BR cronally (1),\n.BR cronally\\-job (1)\n"));
  EXPECT_TRUE(page_of({}).contains("6 server unreachable"));
  EXPECT_TRUE(page_of({"job", "add"}).contains("\\fBcronally job add\\fR \\fINAME\\fR ["));
}

}  // namespace
}  // namespace cronally::cli
