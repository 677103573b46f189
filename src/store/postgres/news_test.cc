// What processes tell each other through NOTIFY.
#include "store/postgres/news.h"

#include <gtest/gtest.h>

namespace cronally::store::postgres {
namespace {

TEST(News, AreReadAsTheyWereWritten) {
  Bell bell;
  Effects effects;
  effects.changes = {{ShardNo{3}, 16}, {ShardNo{3}, 17}, {ShardNo{63}, 1}};
  effects.seen = {{ShardNo{0}, 5}};
  effects.requested = true;
  effects.runs = true;  // others find that by looking
  const auto news = write_news(effects, bell);
  EXPECT_EQ(news, "c3:17 c63:1 s0:5 r ");
  const auto read = read_news(news);
  EXPECT_EQ(read.changes, (decltype(read.changes){{ShardNo{3}, 17}, {ShardNo{63}, 1}}));
  EXPECT_EQ(read.seen, effects.seen);
  EXPECT_TRUE(read.requested);
  EXPECT_FALSE(read.runs);
}

TEST(News, SayNothingThatIsKnown) {
  Bell bell;
  Effects effects;
  effects.seen = {{ShardNo{0}, 5}, {ShardNo{1}, 2}};
  bell.ring({.seen = {{ShardNo{0}, 5}, {ShardNo{1}, 1}}});
  EXPECT_EQ(write_news(effects, bell), "s1:2 ");
  EXPECT_EQ(write_news({.runs = true}, bell), "");
}

TEST(News, OfAnotherVersionAreLeftOut) {
  for (const auto* news : {"", " ", "x", "c", "c3", "c3:", "c:7", "cx:7", "c3:7x", "c64:7", "c-1:7",
                           "z3:7", "c3:99999999999999999999", "r2", "s3:1:2"}) {
    const auto read = read_news(news);
    EXPECT_TRUE(read.changes.empty() && read.seen.empty() && !read.requested) << news;
  }
  EXPECT_EQ(read_news("new:words c3:7 and").changes.size(), 1U);
}

}  // namespace
}  // namespace cronally::store::postgres
