#include "core/email.h"

#include <gtest/gtest.h>

#include <string>

namespace cronally::core {
namespace {

TEST(Email, IsANameAtAHost) {
  for (const char* good : {"username@example.com", "a@b", "a.b+cron@x-y.example.org",
                           "A_1@EXAMPLE.COM", "o'hara{}|~@mail.example.com"})
    EXPECT_TRUE(is_email(good)) << good;
  for (const char* wrong : {"",
                            "cronally.com",
                            "@example.com",
                            "a@",
                            "a@@b",
                            "a@b@c",
                            "a b@example.com",
                            "a@exa mple.com",
                            "a@.com",
                            "a@example..com",
                            "a@example.com.",
                            "a@-example.com",
                            "a@example-.com",
                            "a@exämple.com",
                            "ä@example.com",
                            "a@example.com\n",
                            "a\t@example.com",
                            "\"a\"@example.com",
                            "<a@example.com>",
                            "a@[127.0.0.1]",
                            "a@example_.com"})
    EXPECT_FALSE(is_email(wrong)) << wrong;
}

TEST(Email, IsNotEndless) {
  const std::string host(63, 'h');
  EXPECT_TRUE(is_email("a@" + host));
  EXPECT_FALSE(is_email("a@" + host + "h"));
  EXPECT_TRUE(is_email(std::string(254 - 4, 'a') + "@b.c"));
  EXPECT_FALSE(is_email(std::string(255 - 4, 'a') + "@b.c"));
}

}  // namespace
}  // namespace cronally::core
