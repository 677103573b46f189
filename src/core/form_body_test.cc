#include "core/form_body.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cronally::core {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* urlencoded = "application/x-www-form-urlencoded";
constexpr const char* multipart = "multipart/form-data; boundary=XX";

Form form(std::string_view type, std::string_view body) {
  const Result<Form> read = read_form(type, body);
  EXPECT_TRUE(read) << body << ": " << (read ? "" : read.error().message);
  return read.value_or(Form{});
}

std::string refusal(std::string_view type, std::string_view body) {
  const Result<Form> read = read_form(type, body);
  EXPECT_FALSE(read) << body;
  if (read) return "";
  EXPECT_EQ("invalid_form", read.error().code);
  return read.error().message;
}

// ---- urlencoded ---------------------------------------------------------------------------------

TEST(UrlencodedBody, IsDecoded) {
  EXPECT_EQ((Form{{"cron", "0 * * * *"}, {"name", "a b"}}),
            form(urlencoded, "name=a+b&cron=0+%2A+%2A+%2A+%2a"));
  EXPECT_EQ((Form{{"name", "zwölf & =elf+"}}), form(urlencoded, "name=zw%C3%B6lf%20%26%20=elf%2B"));
}

TEST(UrlencodedBody, MayStandThereAsCurlSendsIt) {
  EXPECT_EQ((Form{{"cron", "*/5 * * * *"}, {"sns_message", "hello from cronally"}}),
            form(urlencoded, "cron=*/5 * * * *&sns_message=hello from cronally"));
  EXPECT_EQ((Form{{"sns_secret_access_key", "ab/cd ef=="}}),
            form(urlencoded, "sns_secret_access_key=ab/cd+ef=="));
  EXPECT_EQ((Form{{"a", "100% sure"}, {"b", "%"}, {"c", "%4"}, {"d", "%zz%41"}}),
            form(urlencoded, "a=100% sure&b=%&c=%4&d=%zz%2541"));
}

TEST(UrlencodedBody, HasTheLastOfFieldsThatStandThereTwice) {
  EXPECT_EQ((Form{{"a", "3"}, {"b", ""}}), form(urlencoded, "a=1&b=x&a=2&&a=3&b"));
}

TEST(UrlencodedBody, MayBeEmpty) {
  for (const char* body : {"", "&", "&&&"}) EXPECT_THAT(form(urlencoded, body), IsEmpty()) << body;
  EXPECT_EQ((Form{{"", ""}}), form(urlencoded, "="));
}

TEST(UrlencodedBody, IsWhatABodyWithoutATypeIs) { EXPECT_EQ((Form{{"a", "1"}}), form("", "a=1")); }

TEST(FormBody, IsReadByItsTypeWhateverItsCase) {
  for (const char* type : {"application/x-www-form-urlencoded; charset=UTF-8",
                           "APPLICATION/X-WWW-FORM-URLENCODED;charset=utf-8",
                           "application/x-www-form-urlencoded ; x=y; charset=\"utf8\""})
    EXPECT_EQ((Form{{"a", "ü"}}), form(type, "a=%C3%BC")) << type;
}

TEST(FormBody, IsTurnedIntoUtf8) {
  EXPECT_EQ((Form{{"\xC3\xB6", "a \xC3\xBC"}}),
            form("application/x-www-form-urlencoded; charset=ISO-8859-1", "%F6=a+\xFC"));
  EXPECT_THAT(refusal("application/x-www-form-urlencoded; charset=utf-16", "a=1"),
              HasSubstr("'utf-16'"));
}

TEST(FormBody, MustBeUtf8) {
  EXPECT_THAT(refusal(urlencoded, "name=%FF"), HasSubstr("'name' is not UTF-8"));
  EXPECT_THAT(refusal(urlencoded, "%C3=1"), HasSubstr("name of a field"));
}

TEST(FormBody, HasABoundedNumberOfFields) {
  std::string body;
  for (std::size_t i = 0; i < form_fields_max; ++i) body += "a=1&";
  EXPECT_EQ((Form{{"a", "1"}}), form(urlencoded, body));
  EXPECT_THAT(refusal(urlencoded, body + "b=2"), HasSubstr("256 fields"));
}

TEST(FormBody, OfAnotherTypeIsRefused) {
  for (const char* type : {"text/plain", "application/xml", "json", "a=b"})
    EXPECT_THAT(refusal(type, "a=1"), HasSubstr("application/json")) << type;
}

// ---- multipart ----------------------------------------------------------------------------------

std::string part(std::string_view name, std::string_view value) {
  return "--XX\r\nContent-Disposition: form-data; name=\"" + std::string(name) + "\"\r\n\r\n" +
         std::string(value) + "\r\n";
}

TEST(MultipartBody, HasItsPartsByName) {
  EXPECT_EQ((Form{{"cron", "0 * * * *"}, {"name", "a+b%20&\r\n--X"}}),
            form(multipart, part("name", "a+b%20&\r\n--X") + part("cron", "0 * * * *") + "--XX--"));
  EXPECT_EQ((Form{{"a", "2"}}), form(multipart, part("a", "1") + part("a", "2") + "--XX--\r\n"));
  EXPECT_EQ((Form{{"a", ""}, {"b", "\r\n"}}),
            form(multipart, part("a", "") + part("b", "\r\n") + "--XX--"));
  EXPECT_THAT(form(multipart, "--XX--\r\n"), IsEmpty());
}

TEST(MultipartBody, MayHaveAPreambleOtherHeadersAndQuotedNames) {
  EXPECT_EQ((Form{{"a\"b", "1"}, {"c", "2"}}),
            form("Multipart/Form-Data; charset=utf-8; boundary=\"X X\"",
                 "for old readers\r\n--X X  \r\ncontent-type: text/plain\r\n"
                 "CONTENT-DISPOSITION: form-data; filename=x; name=\"a\\\"b\"\r\n\r\n1\r\n--X X\r\n"
                 "Content-Disposition:form-data;name=c\r\n\r\n2\r\n--X X--\r\nafter"));
  EXPECT_EQ((Form{{"a", ""}}),
            form(multipart, "--XX\r\nContent-Disposition: form-data; name=a\r\n\r\n--XX--"));
}

TEST(MultipartBody, MustBeWhole) {
  for (const char* type :
       {"multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary"})
    EXPECT_THAT(refusal(type, part("a", "1") + "--XX--"), HasSubstr("boundary")) << type;
  const std::string one = part("a", "1");
  for (const std::string& body :
       {std::string(), one, one + "--XX", one + "--XX-", one + "--XXY", std::string("--XX\r\n"),
        std::string("--XX\r\nContent-Disposition: form-data; name=a"),
        std::string("--XX\r\nContent-Disposition: form-data\r\n\r\n1\r\n--XX--"),
        std::string("--XX\r\n\r\n1\r\n--XX--"), std::string("x--XX--"), one.substr(2)})
    EXPECT_THAT(refusal(multipart, body), HasSubstr("RFC 7578")) << body;
}

// ---- JSON ---------------------------------------------------------------------------------------

TEST(JsonBody, IsAFlatObject) {
  EXPECT_EQ(
      (Form{{"name", "a+b ü"}, {"n", "5"}, {"yes", "true"}}),
      form("application/json", R"({"name": "a+b \u00fc", "n": 5, "yes": true, "nothing": null})"));
  EXPECT_EQ((Form{{"a", "2"}}), form("application/json; charset=utf-8", R"({"a": "1", "a": "2"})"));
  EXPECT_EQ((Form{{"a", "1"}}), form("", R"({"a": "1"})"));
}

TEST(JsonBody, MustBeOne) {
  for (const char* body : {"", "{", "[]", "\"a\"", "{} x", "a=1", "{\"a\": \"\xFF\"}"})
    EXPECT_THAT(refusal("application/json", body), HasSubstr("JSON")) << body;
  EXPECT_THAT(refusal("application/json", R"({"a": {}})"), HasSubstr("'a' must be a text"));
  EXPECT_THAT(refusal("application/json", R"({"a": [1]})"), HasSubstr("'a' must be a text"));
}

}  // namespace
}  // namespace cronally::core
