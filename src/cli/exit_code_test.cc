#include "cli/exit_code.h"

#include <gtest/gtest.h>

#include <vector>

namespace cronally::cli {
namespace {

TEST(ExitCode, FollowsFromTheStatusOfAnAnswer) {
  struct Row {
    int status;
    ExitCode code;
  };
  const std::vector<Row> rows{
      {200, ExitCode::ok},          {201, ExitCode::ok},          {204, ExitCode::ok},
      {400, ExitCode::usage},       {413, ExitCode::usage},       {422, ExitCode::usage},
      {401, ExitCode::not_allowed}, {403, ExitCode::not_allowed}, {404, ExitCode::not_found},
      {409, ExitCode::conflict},    {412, ExitCode::conflict},    {503, ExitCode::unreachable},
      {502, ExitCode::unreachable}, {500, ExitCode::failure},     {429, ExitCode::failure},
      {302, ExitCode::failure},
  };
  for (const Row& row : rows) EXPECT_EQ(exit_code_of_status(row.status), row.code) << row.status;
}

TEST(ExitCode, OfSeveralIsPartlyOnlyWhenSomeWereDone) {
  using enum ExitCode;
  EXPECT_EQ(exit_code_of_all(std::vector<ExitCode>{}), ok);
  EXPECT_EQ(exit_code_of_all(std::vector{ok, ok}), ok);
  EXPECT_EQ(exit_code_of_all(std::vector{ok, not_found}), partly);
  EXPECT_EQ(exit_code_of_all(std::vector{not_found, conflict}), not_found);
}

}  // namespace
}  // namespace cronally::cli
