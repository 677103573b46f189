#include "core/job.h"

#include <gtest/gtest.h>

namespace cronally::core {
namespace {

TEST(Destination, IsSchemeHostAndPort) {
  struct Row {
    const char* url;
    const char* destination;
  };
  const Row rows[] = {
      {"http://example.com", "http://example.com:80"},
      {"https://Example.COM/a?b=c", "https://example.com:443"},
      {"HTTP://127.0.0.1:8080/x:y", "http://127.0.0.1:8080"},
      {"http://[::1]/", "http://[::1]:80"},
      {"http://[::1]:9000?x", "http://[::1]:9000"},
      {"https://example.com/{{job.id}}/{{run.id}}", "https://example.com:443"},
      {"http://example.com:/empty-port", "http://example.com:80"},
  };
  for (const auto& row : rows) EXPECT_EQ(destination_of(row.url), row.destination) << row.url;
}

}  // namespace
}  // namespace cronally::core
