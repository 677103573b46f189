// Values in PostgreSQL's binary format, and the statements that take them.
#include "store/postgres/wire.h"

#include <gtest/gtest.h>

#include "store/postgres/sql.h"

namespace cronally::store::postgres {
namespace {

using namespace std::string_literals;

TEST(Wire, ParametersAreWrittenAsTheServerReadsThem) {
  Params params;
  params.add(std::int64_t{-2}).add("ab").add(Bytes{"\0"s}).add(true);
  params.add(std::optional<std::string>{}).add(std::optional<JobNo>{JobNo{258}});
  const auto& values = params.values();
  EXPECT_EQ(values.at(0), "\xff\xff\xff\xff\xff\xff\xff\xfe"s);
  EXPECT_EQ(values.at(1), "ab"s);
  EXPECT_EQ(values.at(2), "\0"s);
  EXPECT_EQ(values.at(3), "\1"s);
  EXPECT_EQ(values.at(4), std::nullopt);
  EXPECT_EQ(values.at(5), "\0\0\0\0\0\0\1\2"s);
  EXPECT_EQ(params.types(), (std::vector<Oid>{20, 25, 17, 16, 25, 20}));
}

TEST(Wire, AnArrayHasItsHeaderAndALengthBeforeEachElement) {
  Params params;
  params.add(Texts().add("a").add_null().add("")).add(Numbers());
  EXPECT_EQ(params.types(), (std::vector<Oid>{1009, 1016}));
  EXPECT_EQ(params.values().at(0),
            "\0\0\0\1"s          // dimensions
            "\0\0\0\1"s          // some are null
            "\0\0\0\31"s         // of text
            "\0\0\0\3"s          // elements
            "\0\0\0\1"s          // from index 1
            "\0\0\0\1a"s         // one byte
            "\xff\xff\xff\xff"s  // null
            "\0\0\0\0"s);        // empty
  EXPECT_EQ(params.values().at(1), "\0\0\0\0\0\0\0\0\0\0\0\24"s) << "no dimension";
}

TEST(Sql, AMigrationIsReadStatementByStatementAndABodyStaysWhole) {
  const auto statements = statements_of(
      "-- said before\n\nCREATE TABLE a (\n  b int  -- a column; of a table\n);\n"
      "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$\nBEGIN\n  PERFORM 1;\nEND $$;\n"
      "SELECT 1;\n");
  ASSERT_EQ(statements.size(), 3U);
  EXPECT_EQ(statements[0], "CREATE TABLE a (\n  b int  -- a column; of a table\n);\n");
  EXPECT_TRUE(statements[1].starts_with("CREATE FUNCTION"));
  EXPECT_TRUE(statements[1].ends_with("END $$;\n"));
  EXPECT_EQ(statements[2], "SELECT 1;\n");
}

}  // namespace
}  // namespace cronally::store::postgres
