#include "runtime/log.h"

#include <gtest/gtest.h>

#include <type_traits>
#include <vector>

#include "base/text.h"

namespace cronally::runtime::log {
namespace {

using namespace std::chrono_literals;

// A secret cannot become a field, plain or as text.
static_assert(!std::is_constructible_v<Value, SecretText>);
static_assert(!std::is_constructible_v<Value, const SecretText&>);
static_assert(!std::is_constructible_v<Value, Secret<int>>);
static_assert(std::is_constructible_v<Value, const RunId&>);
static_assert(std::is_constructible_v<Value, Fence>);

const Event event{*parse_instant("2026-12-01T09:00:00.003Z"), Level::info, "scheduler",
                  "run ended"};

std::string text(Fields fields) { return format_line(event, fields, Format::text); }
std::string json(Fields fields) { return format_line(event, fields, Format::json); }

TEST(Log, WritesText) {
  const RunId run{*parse_uuid("017f22e2-79b0-7cc3-98c4-dc0c0c07398f")};
  EXPECT_EQ(text({}), "2026-12-01T09:00:00.003Z INFO  scheduler: run ended");
  EXPECT_EQ(text({{"run", run}, {"fence", Fence{7}}, {"late", Duration{3ms}}, {"ok", true}}),
            "2026-12-01T09:00:00.003Z INFO  scheduler: run ended "
            "run=017f22e2-79b0-7cc3-98c4-dc0c0c07398f fence=7 late=3ms ok=true");
  EXPECT_EQ(text({{"name", "two words"}, {"empty", ""}, {"pair", "a=b"}}),
            "2026-12-01T09:00:00.003Z INFO  scheduler: run ended "
            "name=\"two words\" empty=\"\" pair=\"a=b\"");
}

TEST(Log, WritesJson) {
  EXPECT_EQ(json({}), R"({"at":"2026-12-01T09:00:00.003Z","level":"info","area":"scheduler",)"
                      R"("message":"run ended"})");
  EXPECT_EQ(json({{"n", 5}, {"x", 0.5}, {"no", false}, {"job", "a \"b\" \\"}, {"at2", event.at}}),
            R"({"at":"2026-12-01T09:00:00.003Z","level":"info","area":"scheduler",)"
            R"("message":"run ended","n":5,"x":0.5,"no":false,"job":"a \"b\" \\",)"
            R"("at2":"2026-12-01T09:00:00.003Z"})");
}

TEST(Log, NumbersThatJsonLacksAreTexts) {
  EXPECT_NE(json({{"x", std::numeric_limits<double>::infinity()}}).find(R"("x":"inf")"),
            std::string::npos);
  EXPECT_NE(json({{"x", std::numeric_limits<double>::quiet_NaN()}}).find(R"("x":"nan")"),
            std::string::npos);
  EXPECT_NE(json({{"x", -1.5}}).find(R"("x":-1.5)"), std::string::npos);
}

struct Row {
  std::string value;
  const char* written;
};

TEST(Log, NobodyCanForgeALine) {
  const Row rows[] = {
      {"a\nb", R"(a\nb)"},
      {"a\rb", R"(a\u000db)"},
      {std::string{"a\0b", 3}, R"(a\u0000b)"},
      {"\x1b[31m", R"(\u001b[31m)"},
      {"\x7f", R"(\u007f)"},
      {"\xc2\x9b"
       "1m",
       R"(\u009b1m)"},                  // C1: moves terminals too
      {"R\xc4\xabga", "R\xc4\xabga"},   // letters stay
      {"\xff\xfe", R"(\ufffd\ufffd)"},  // not UTF-8
      {"\xc2", R"(\ufffd)"},            // cut off
      {"\" level=\"error", R"(\" level=\"error)"},
  };
  for (const auto& row : rows) {
    EXPECT_NE(text({{"v", row.value}}).find(row.written), std::string::npos) << row.written;
    EXPECT_NE(json({{"v", row.value}}).find("\"" + std::string{row.written} + "\"}"),
              std::string::npos)
        << json({{"v", row.value}});
  }
  EXPECT_LT(text({{"v", std::string(1 << 20, 'x')}}).size(), 5000U);
}

class LogLines : public testing::Test {
 protected:
  ~LogLines() override { configure(Level::info, Format::text); }
  std::vector<std::string> lines_;
  Capture capture_{[this](std::string_view line) { lines_.emplace_back(line); }};
};

TEST_F(LogLines, LevelsBelowTheLowestAreNotWritten) {
  debug("a", "hidden");
  info("a", "shown", {{"n", 1}});
  EXPECT_FALSE(enabled(Level::debug));
  configure(Level::warning, Format::text);
  info("a", "hidden");
  warning("a", "shown");
  error("a", "shown");
  EXPECT_TRUE(enabled(Level::error));
  configure(Level::debug, Format::json);
  debug("a", "shown");
  ASSERT_EQ(lines_.size(), 4U);
  EXPECT_TRUE(lines_[0].ends_with("INFO  a: shown n=1")) << lines_[0];
  EXPECT_TRUE(lines_[1].ends_with("WARN  a: shown")) << lines_[1];
  EXPECT_TRUE(lines_[3].ends_with(R"("level":"debug","area":"a","message":"shown"})"));
}

TEST_F(LogLines, BracesAreNotFormatted) {
  info("a", "{} {0}", {{"v", "{}"}});
  ASSERT_EQ(lines_.size(), 1U);
  EXPECT_TRUE(lines_[0].ends_with("a: {} {0} v={}")) << lines_[0];
}

}  // namespace
}  // namespace cronally::runtime::log
