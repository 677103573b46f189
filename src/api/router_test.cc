// The table of routes, and the OpenAPI document beside it.
#include "api/router.h"

#include <gtest/gtest.h>

#include <set>

#include "api/schema_check_test.h"

namespace cronally::api {
namespace {

namespace json = boost::json;

using Pairs = std::set<std::pair<std::string, std::string>>;

Pairs documented(const json::value& document) {
  Pairs pairs;
  for (const json::key_value_pair& path : document.at("paths").as_object())
    for (const json::key_value_pair& method : path.value().as_object()) {
      if (method.key() == "parameters") continue;
      std::string upper(method.key());
      for (char& c : upper) c = static_cast<char>(c & ~0x20);
      pairs.emplace(upper, std::string(path.key()));
    }
  return pairs;
}

TEST(OpenApi, NamesTheSameRoutesAsTheTable) {
  Pairs table;
  for (const Route& route : routes()) table.emplace(route.method, route.pattern);
  EXPECT_EQ(documented(SchemaCheck().document()), table);
}

// Each #/components/... that something refers to is there.
void resolve_all(const json::value& document, const json::value& value) {
  if (const auto* list = value.if_array())
    for (const json::value& item : *list) resolve_all(document, item);
  const auto* object = value.if_object();
  if (!object) return;
  if (const auto* ref = object->if_contains("$ref")) {
    json::error_code missing;
    EXPECT_NE(nullptr, document.find_pointer(std::string(ref->as_string()).substr(1), missing))
        << ref->as_string();
  }
  for (const json::key_value_pair& pair : *object) resolve_all(document, pair.value());
}

TEST(OpenApi, RefersOnlyToWhatItHas) {
  const SchemaCheck check;
  resolve_all(check.document(), check.document());
}

TEST(OpenApi, SaysWhichRoutesAreOpenAndDocumentsRefusals) {
  const SchemaCheck check;
  for (const Route& route : routes()) {
    std::string low(route.method);
    for (char& c : low) c = static_cast<char>(c | 0x20);
    const json::object& operation =
        check.document().at("paths").at(route.pattern).at(low).as_object();
    const json::object& responses = operation.at("responses").as_object();
    EXPECT_EQ(route.access == Access::open, operation.contains("security")) << route.pattern;
    EXPECT_EQ(route.access != Access::open, responses.contains("401")) << route.pattern;
    EXPECT_EQ(route.access == Access::admin, responses.contains("403")) << route.pattern;
  }
}

TEST(Router, FindsRoutesAndTheirParts) {
  const auto found = [](std::string_view method, std::string_view path) {
    const Match match = match_route(method, path);
    std::string text(match.route ? match.route->pattern : "none");
    for (const std::string& param : match.params) text += " " + param;
    return text + (match.route ? "" : " " + match.allow);
  };
  EXPECT_EQ("/v2/jobs", found("GET", "/v2/jobs"));
  EXPECT_EQ("/v2/jobs/{job} report", found("GET", "/v2/jobs/report"));
  EXPECT_EQ("/v2/jobs/{job} a/b", found("GET", "/v2/jobs/a%2Fb"));
  EXPECT_EQ("/v2/jobs/{job} a%2Fb", found("GET", "/v2/jobs/a%252Fb"));
  EXPECT_EQ("/v2/jobs/{job} ü +", found("GET", "/v2/jobs/%C3%BC%20+"));
  EXPECT_EQ("/v2/jobs/{job}/run run", found("POST", "/v2/jobs/run/run"));
  // A literal segment goes first.
  EXPECT_EQ("/v2/jobs/bulk", found("POST", "/v2/jobs/bulk"));
  EXPECT_EQ("none POST", found("DELETE", "/v2/jobs/bulk"));
  EXPECT_EQ("/v2/runs/changes", found("GET", "/v2/runs/changes"));
  // Another method.
  EXPECT_EQ("none GET, HEAD, POST", found("PUT", "/v2/jobs"));
  EXPECT_EQ("none report GET, HEAD, PATCH, DELETE", found("POST", "/v2/jobs/report"));
  // No such path.
  for (const char* path : {"", "/", "v2/jobs/x/y", "/v2", "/v2/", "/v2/jobs/", "/v2//jobs",
                           "/v2/jobs/a/b", "/v2/jobs/a/run/", "/V2/jobs", "/v2/%6Aobs",
                           "/v2/jobs/%", "/v2/jobs/%zz", "/v2/jobs/%FF", "/v1/jobs"})
    EXPECT_EQ("none ", found("GET", path)) << path;
}

}  // namespace
}  // namespace cronally::api
